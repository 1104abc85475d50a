// Puts right where @huggingface/tokenizers 0.2 differs from the Rust tokenizers, and refuses what it would get wrong.
// Must not grow into a tokenizer: each entry is one known difference, shown by a test that asserts it.
//
// 1. "Digits" splits ASCII digits only; the original splits every numeric character (½, Ⅳ, ٣).
// 2. The GPT-2 rule takes JavaScript's \s, which holds U+FEFF and lacks U+0085; the original takes White_Space.
// 3. Byte tokens (<0xNN>) that are not UTF-8 give one U+FFFD per byte, and a leading U+FEFF stays.
// 4. A byte-level token with a character outside the byte alphabet stands for its own UTF-8 bytes.
// 5. "Metaspace" with `split` ends a piece before each ▁.
// (The sixth, decoding an empty list, is in tokenizer.ts.)

import { fail } from "../errors/index.js";
import { type LibraryDecoder, type LibraryPreTokenizer, type LibraryTokenizer, library } from "./library.js";

const GPT2_RULE =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A copy of tokenizer.json's top level with keys the library insists on and the Metaspace split written out.
 * Throws ATTUNE_TOKENIZER for rules that the library would silently follow wrongly.
 */
export function correctJson(json: unknown, source: string): Json {
  if (!isObject(json) || !isObject(json.model)) {
    const found = isObject(json) ? `keys ${Object.keys(json).slice(0, 8).join(", ")}` : typeof json;
    const text = `Expected the object of a tokenizer.json with a "model" in ${source} but found ${found}.`;
    throw fail("ATTUNE_TOKENIZER", text);
  }
  const { model } = json;
  const kinds = ["BPE", "Unigram", "WordPiece"];
  if (typeof model.type === "string" && !kinds.includes(model.type)) {
    const text = `Expected a model of type ${kinds.join(", ")} in ${source} but found ${model.type}.`;
    throw fail("ATTUNE_TOKENIZER", text);
  }
  return {
    ...json,
    model: { ...model, merges: model.merges ?? [] },
    normalizer: json.normalizer ?? null,
    pre_tokenizer: correctPreTokenizer(json.pre_tokenizer ?? null, source),
    post_processor: json.post_processor ?? null,
    decoder: json.decoder ?? null,
    added_tokens: Array.isArray(json.added_tokens) ? json.added_tokens : [],
  };
}

function correctPreTokenizer(rule: unknown, source: string): unknown {
  if (!isObject(rule)) return rule;
  if (rule.type === "Sequence" && Array.isArray(rule.pretokenizers)) {
    return { ...rule, pretokenizers: rule.pretokenizers.map((inner) => correctPreTokenizer(inner, source)) };
  }
  if (rule.type === "Split" && !["isolated", "removed"].includes(String(rule.behavior).toLowerCase())) {
    const text = `Expected a split rule "Isolated" or "Removed" in ${source} but found "${String(rule.behavior)}".`;
    throw fail("ATTUNE_TOKENIZER", `${text} This tokenizer is not supported.`);
  }
  if (rule.type === "Metaspace" && rule.split !== false) {
    const mark = typeof rule.replacement === "string" ? rule.replacement : "▁";
    const pattern = { Regex: `${mark}[^${mark}]*|[^${mark}]+` };
    const split = { type: "Split", pattern, behavior: "Isolated", invert: false };
    return { type: "Sequence", pretokenizers: [rule, split] };
  }
  return rule;
}

/** Changes the parts of a freshly built tokenizer, and lets go of what only its constructor needed. */
export function correctInstance(tokenizer: LibraryTokenizer): void {
  const { model } = tokenizer;
  if (tokenizer.pre_tokenizer !== null) correctSplitting(tokenizer.pre_tokenizer);
  if (tokenizer.decoder !== null) correctDecoder(tokenizer.decoder);
  // The parsed file stays reachable in three places, and none is read again: tens of megabytes.
  const { vocab: _vocab, merges: _merges, ...rest } = model.config;
  tokenizer.tokenizer = {};
  model.merges = [];
  model.config = rest;
}

function correctSplitting(rule: LibraryPreTokenizer): void {
  if (rule instanceof library.SequencePreTokenizer) {
    for (const inner of rule.tokenizers) if (inner !== null) correctSplitting(inner);
  } else if (rule instanceof library.DigitsPreTokenizer) {
    rule.pattern = rule.config.individual_digits ? /\P{N}+|\p{N}/gu : /\P{N}+|\p{N}+/gu;
  } else if (rule instanceof library.ByteLevelPreTokenizer) {
    rule.pattern = GPT2_RULE;
  }
}

function correctDecoder(decoder: LibraryDecoder): void {
  if (decoder instanceof library.SequenceDecoder) {
    for (const inner of decoder.decoders) correctDecoder(inner);
  } else if (decoder instanceof library.ByteFallbackDecoder) {
    decoder.decode_chain = decodeByteTokens;
  } else if (decoder instanceof library.ByteLevelDecoder) {
    const alphabet = new Map(
      Object.entries(decoder.byte_decoder).map(([char, byte]) => [char, Number(byte)]),
    );
    decoder.decode_chain = (tokens) => [decodeByteLevel(tokens, alphabet)];
  }
}

const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const encoder = new TextEncoder();

function decodeByteLevel(tokens: readonly string[], alphabet: ReadonlyMap<string, number>): string {
  const bytes: number[] = [];
  for (const token of tokens) {
    const start = bytes.length;
    for (const char of token) {
      const byte = alphabet.get(char);
      if (byte === undefined) {
        bytes.length = start;
        for (const own of encoder.encode(token)) bytes.push(own);
        break;
      }
      bytes.push(byte);
    }
  }
  return lenient.decode(Uint8Array.from(bytes));
}

function decodeByteTokens(tokens: readonly string[]): string[] {
  const texts: string[] = [];
  let run: number[] = [];
  const endRun = () => {
    if (run.length === 0) return;
    try {
      texts.push(strict.decode(Uint8Array.from(run)));
    } catch {
      texts.push("\ufffd".repeat(run.length));
    }
    run = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) {
      run.push(Number.parseInt(byte, 16));
    } else {
      endRun();
      texts.push(token);
    }
  }
  endRun();
  return texts;
}
