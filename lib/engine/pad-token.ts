// The padding of a saved sequence classifier. transformers scores the last token that is no padding, so the padding must
// not be a token that ends answers: with EOS it would read one token early.
// Must not read files: they are given.

import type { Tokenizer } from "../text/index.js";
import type { Json } from "./model-description.js";

export interface PadToken {
  readonly id: number;
  /** Its spelling; undefined without a tokenizer. */
  readonly token: string | undefined;
}

export interface PadTokenOptions {
  /** config.json of the model. */
  readonly json: Json;
  /** tokenizer_config.json and tokenizer.json; empty where there are none. */
  readonly tokenizerConfig: Json;
  readonly tokenizerJson: Json;
  readonly tokenizer: Tokenizer | undefined;
}

/**
 * The tokenizer's own padding, else the model's, else a special token (one named so, the start, any), else the longest
 * spelling of the vocabulary, which no answer ends with; never a token that ends answers.
 */
export function padToken(options: PadTokenOptions): PadToken {
  const { json, tokenizer } = options;
  const size = typeof json.vocab_size === "number" ? json.vocab_size : Number.POSITIVE_INFINITY;
  const ends = new Set([...idsIn(json.eos_token_id), ...(tokenizer?.eosIds ?? [])]);
  const usable = (id: number | undefined): id is number => id !== undefined && id < size && !ends.has(id);
  const found = candidates(options).find(usable) ?? longest(tokenizer, usable) ?? firstId(usable);
  return { id: found, token: tokenizer?.tokenOf(found) };
}

function candidates({
  json,
  tokenizerConfig,
  tokenizerJson,
  tokenizer,
}: PadTokenOptions): (number | undefined)[] {
  const own = spellingOf(tokenizerConfig.pad_token);
  const special = specialTokens(tokenizerJson);
  return [
    own === undefined ? undefined : tokenizer?.idOf(own),
    idsIn(json.pad_token_id)[0],
    ...special.filter(({ token }) => /pad/i.test(token)).map(({ id }) => id),
    tokenizer === undefined ? idsIn(json.bos_token_id)[0] : tokenizer.bosId,
    ...special.map(({ id }) => id),
  ];
}

function idsIn(value: unknown): number[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((id): id is number => typeof id === "number" && Number.isInteger(id) && id >= 0);
}

function spellingOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const content: unknown = typeof value === "object" && value !== null && "content" in value && value.content;
  return typeof content === "string" ? content : undefined;
}

function specialTokens({ added_tokens }: Json): { id: number; token: string }[] {
  if (!Array.isArray(added_tokens)) return [];
  return added_tokens.flatMap((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return [];
    const { id, content, special } = entry as { id?: unknown; content?: unknown; special?: unknown };
    return typeof id === "number" && typeof content === "string" && special === true
      ? [{ id, token: content }]
      : [];
  });
}

function longest(tokenizer: Tokenizer | undefined, usable: (id: number) => boolean): number | undefined {
  let best: { id: number; length: number } | undefined;
  for (let id = 0; id < (tokenizer?.vocabSize ?? 0); id++) {
    const length = tokenizer?.tokenOf(id)?.length ?? 0;
    if (length > (best?.length ?? 0) && usable(id)) best = { id, length };
  }
  return best?.id;
}

function firstId(usable: (id: number) => boolean): number {
  let id = 0;
  while (!usable(id)) id += 1;
  return id;
}

/** tokenizer_config.json with that padding, behind the tokens: positions count from the first one. */
export function withPadToken(tokenizerConfig: Json, token: string): Json {
  return { ...tokenizerConfig, padding_side: "right", pad_token: token };
}
