// Turns the tokenizer metadata of a GGUF file into the contents of a tokenizer.json.
// Must not guess: a pre-tokenizer it does not know is an error, since the ids would be silently wrong.

import { fail } from "../errors/index.js";
import type { GgufValue } from "./gguf-metadata.js";
import { mergesFromScores } from "./score-merges.js";
import type { SpecialIds } from "./special-ids.js";

type Metadata = ReadonlyMap<string, GgufValue>;
type Json = Readonly<Record<string, unknown>>;

const LLAMA3_RULE =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const QWEN2_RULE = LLAMA3_RULE.replace("\\p{N}{1,3}", "\\p{N}");

const byteLevel = (useRegex: boolean): Json => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const split = (rule: string): Json => ({
  type: "Split",
  pattern: { Regex: rule },
  behavior: "Isolated",
  invert: false,
});
const sequence = (...pretokenizers: Json[]): Json => ({ type: "Sequence", pretokenizers });

interface Rules {
  readonly preTokenizer: Json;
  readonly normalizer?: Json;
  /** A piece that is an entry is taken whole. */
  readonly ignoreMerges?: boolean;
  /** Whether a text begins with BOS where the file does not say. */
  readonly addBos?: boolean;
}

const gpt2Rules: Rules = { preTokenizer: byteLevel(true) };
const llama3Rules: Rules = {
  preTokenizer: sequence(split(LLAMA3_RULE), byteLevel(false)),
  ignoreMerges: true,
  addBos: true,
};

/** Splitting rules by the name in `tokenizer.ggml.pre`. */
const preTokenizers: ReadonlyMap<string, Rules> = new Map<string, Rules>([
  ["smollm", { preTokenizer: sequence({ type: "Digits", individual_digits: true }, byteLevel(true)) }],
  ["gpt-2", gpt2Rules],
  ["default", gpt2Rules],
  ["llama-bpe", llama3Rules],
  ["llama3", llama3Rules],
  ["qwen2", { preTokenizer: sequence(split(QWEN2_RULE), byteLevel(false)), normalizer: { type: "NFC" } }],
]);

const CONTROL = 3;
const USER_DEFINED = 4;

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly addedTokens: readonly Json[];
  readonly startToken: string | undefined;
}

export interface GgufTokenizerOptions {
  readonly metadata: Metadata;
  /** For messages. */
  readonly path: string;
}

/**
 * The contents of a tokenizer.json with the same ids. Kinds: `gpt2` (byte-level BPE with the pre-tokenizers above) and
 * `llama` (SentencePiece BPE with byte fallback). Throws ATTUNE_TOKENIZER for any other.
 */
export function ggufTokenizerJson(options: GgufTokenizerOptions): Json {
  const { metadata, path } = options;
  const kind = metadata.get("tokenizer.ggml.model");
  if (kind === "gpt2") return byteLevelJson(options, rulesOf(metadata, path));
  if (kind === "llama") return sentencePieceJson(options);
  const found = kind === undefined ? "no tokenizer" : `"${String(kind)}"`;
  throw unusable(path, 'tokenizer.ggml.model to be "gpt2" or "llama"', found);
}

/** BOS and the ids that end an answer, as the file names them. */
export function ggufSpecialIds(metadata: Metadata): SpecialIds {
  const id = (key: string) => {
    const value = metadata.get(`tokenizer.ggml.${key}`);
    return typeof value === "number" ? [value] : [];
  };
  const eosIds = [...id("eos_token_id"), ...id("eot_token_id"), ...id("eom_token_id")];
  return { eosIds: [...new Set(eosIds)], bosId: id("bos_token_id")[0] };
}

function unusable(path: string, expected: string, found: string) {
  const advice = "Put the model's tokenizer.json beside the file: it is used instead.";
  return fail("ATTUNE_TOKENIZER", `${path}: expected ${expected} but found ${found}. ${advice}`, {
    details: { path },
  });
}

function rulesOf(metadata: Metadata, path: string): Rules {
  const name = metadata.get("tokenizer.ggml.pre");
  const rules = preTokenizers.get(String(name));
  if (rules !== undefined) return rules;
  const known = [...preTokenizers.keys()].join(", ");
  throw unusable(
    path,
    `tokenizer.ggml.pre to be one of ${known}`,
    name === undefined ? "none" : `"${String(name)}"`,
  );
}

function stringsOf({ metadata, path }: GgufTokenizerOptions, key: string): readonly string[] {
  const value = metadata.get(key);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw unusable(path, `a list of strings in ${key}`, value === undefined ? "none" : "another type");
}

function vocabularyOf(options: GgufTokenizerOptions, addBosDefault: boolean): Vocabulary {
  const { metadata, path } = options;
  const tokens = stringsOf(options, "tokenizer.ggml.tokens");
  if (new Set(tokens).size !== tokens.length) throw unusable(path, "each token once", "a token twice");
  const types = metadata.get("tokenizer.ggml.token_type");
  if (types !== undefined && (!(types instanceof Int32Array) || types.length !== tokens.length)) {
    throw unusable(path, `${tokens.length} int32 values in tokenizer.ggml.token_type`, "something else");
  }
  const addedTokens = tokens.flatMap((content, id) => {
    const type = types?.[id];
    if (type !== CONTROL && type !== USER_DEFINED) return [];
    const rules = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    return [{ id, content, ...rules, special: type === CONTROL }];
  });
  const addBos = metadata.get("tokenizer.ggml.add_bos_token") ?? addBosDefault;
  const { bosId } = ggufSpecialIds(metadata);
  return {
    tokens,
    addedTokens,
    startToken: addBos === true && bosId !== undefined ? tokens[bosId] : undefined,
  };
}

function byteLevelJson(options: GgufTokenizerOptions, rules: Rules): Json {
  const vocabulary = vocabularyOf(options, rules.addBos ?? false);
  const merges = stringsOf(options, "tokenizer.ggml.merges").map((line) => {
    const pair = line.split(" ");
    if (pair.length === 2) return pair;
    throw unusable(options.path, "two tokens in each entry of tokenizer.ggml.merges", JSON.stringify(line));
  });
  return {
    ...frame(vocabulary),
    normalizer: rules.normalizer ?? null,
    pre_tokenizer: rules.preTokenizer,
    decoder: byteLevel(true),
    model: {
      type: "BPE",
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: rules.ignoreMerges ?? false,
      vocab: indexed(vocabulary.tokens),
      merges,
    },
  };
}

function sentencePieceJson(options: GgufTokenizerOptions): Json {
  const { metadata, path } = options;
  const vocabulary = vocabularyOf(options, true);
  const { tokens } = vocabulary;
  const scores = metadata.get("tokenizer.ggml.scores");
  if (!(scores instanceof Float32Array) || scores.length !== tokens.length) {
    throw unusable(path, `${tokens.length} float32 values in tokenizer.ggml.scores`, "something else");
  }
  const unknownId = metadata.get("tokenizer.ggml.unknown_token_id") ?? 0;
  const replaceSpaces = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const prefix = metadata.get("tokenizer.ggml.add_space_prefix") !== false;
  const strip = { type: "Strip", content: " ", start: 1, stop: 0 };
  return {
    ...frame(vocabulary),
    normalizer: {
      type: "Sequence",
      normalizers: [...(prefix ? [{ type: "Prepend", prepend: "▁" }] : []), replaceSpaces],
    },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefix ? [strip] : []),
      ],
    },
    model: {
      type: "BPE",
      unk_token: tokens[Number(unknownId)] ?? null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: indexed(tokens),
      merges: mergesFromScores({
        tokens,
        scores,
        whole: new Set(vocabulary.addedTokens.map((t) => t.content)),
      }),
    },
  };
}

function frame({ addedTokens, startToken, tokens }: Vocabulary): Json {
  if (startToken === undefined) return { version: "1.0", added_tokens: addedTokens, post_processor: null };
  const start = { SpecialToken: { id: startToken, type_id: 0 } };
  const ids = [tokens.indexOf(startToken)];
  return {
    version: "1.0",
    added_tokens: addedTokens,
    post_processor: {
      type: "TemplateProcessing",
      single: [start, { Sequence: { id: "A", type_id: 0 } }],
      pair: [start, { Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { [startToken]: { id: startToken, ids, tokens: [startToken] } },
    },
  };
}

function indexed(tokens: readonly string[]): Record<string, number> {
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}
