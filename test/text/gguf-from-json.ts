// Writes a tokenizer.json as the metadata a GGUF file would hold, for tests of the way back.
// Must not use the code it helps to test.

import type { GgufValue } from "../../lib/text/index.js";

export interface TokenizerJson {
  readonly pre_tokenizer: object | null;
  readonly normalizer: object | null;
  readonly added_tokens: readonly {
    readonly id: number;
    readonly content: string;
    readonly special: boolean;
  }[];
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (readonly [string, string])[];
    readonly byte_fallback?: boolean;
  };
}

/** What llama.cpp calls the splitting rule; undefined when it has no name for it. */
function preTokenizerName({ pre_tokenizer: rule }: TokenizerJson): string | undefined {
  const text = JSON.stringify(rule);
  if (text.includes('"Digits"')) return "smollm";
  if (text.includes("\\\\p{N}{1,3}")) return "llama-bpe";
  if (text.includes('"Split"')) return "qwen2";
  return text.includes('"ByteLevel"') ? "gpt-2" : undefined;
}

/** Undefined for rules that a GGUF file cannot state. */
export function ggufMetadataOf(json: TokenizerJson): ReadonlyMap<string, GgufValue> | undefined {
  const { model, added_tokens: added } = json;
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token;
  for (const { id, content } of added) tokens[id] = content;
  const special = new Map(added.map((token) => [token.id, token.special]));
  const types = Int32Array.from(tokens, (token, id) => {
    const isSpecial = special.get(id);
    if (isSpecial !== undefined) return isSpecial ? 3 : 4;
    return /^<0x..>$/.test(token) ? 6 : 1;
  });
  const shared: [string, GgufValue][] = [
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.token_type", types],
    ["tokenizer.ggml.bos_token_id", added[added.length > 1 ? 1 : 0]?.id ?? 0],
    ["tokenizer.ggml.eos_token_id", added[0]?.id ?? 0],
    ["tokenizer.ggml.unknown_token_id", 0],
  ];
  if (model.byte_fallback === true) {
    if (json.pre_tokenizer !== null) return undefined;
    // SentencePiece scores: an entry merges the earlier, the higher its score.
    const ranks = new Map<string, number>();
    for (const [rank, merge] of model.merges.entries())
      if (!ranks.has(merge.join(""))) ranks.set(merge.join(""), rank);
    const scores = Float32Array.from(tokens, (token) => -(ranks.get(token) ?? 1e6));
    return new Map<string, GgufValue>([
      ...shared,
      ["tokenizer.ggml.model", "llama"],
      ["tokenizer.ggml.scores", scores],
    ]);
  }
  const name = preTokenizerName(json);
  if (name === undefined) return undefined;
  return new Map<string, GgufValue>([
    ...shared,
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", name],
    ["tokenizer.ggml.merges", model.merges.map((merge) => merge.join(" "))],
  ]);
}
