// The tokenizers of the toy world as contents of a tokenizer.json: one of bytes, for any text, and one of its words.
// Must not read or write files.

import { tokenPattern, vocabulary } from "./grammar.js";

/** Ends an answer; the last id of both. */
export const endToken = "<|end|>";
const unknownToken = "<|unknown|>";

export interface TokenizerContents {
  readonly json: unknown;
  /** Ids. */
  readonly vocabulary: number;
}

const bytesAsLetters = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };

/** A byte-pair tokenizer without pairs: every byte is a token, spelled as GPT-2 spells bytes. */
export function byteTokenizer(): TokenizerContents {
  const tokens = [...byteSpellings(), endToken];
  return contents({ tokens, splitting: bytesAsLetters, model: { type: "BPE", merges: [] } });
}

/**
 * Every word of the toy world with the space before it is a token, and so is every sign and the line break; any other word is
 * `<|unknown|>`. A WordPiece model without continuations takes words whole.
 */
export function wordTokenizer(): TokenizerContents {
  const letters = byteSpellings();
  const spelled = (token: string) => [...Buffer.from(token)].map((byte) => letters[byte] ?? "").join("");
  const tokens = [unknownToken, ...vocabulary().map(spelled), endToken];
  const split = { type: "Split", pattern: { Regex: tokenPattern }, behavior: "Isolated", invert: false };
  return contents({
    tokens,
    splitting: { type: "Sequence", pretokenizers: [split, bytesAsLetters] },
    model: {
      type: "WordPiece",
      unk_token: unknownToken,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
    },
    special: [unknownToken],
  });
}

interface Parts {
  readonly tokens: readonly string[];
  readonly splitting: unknown;
  readonly model: Readonly<Record<string, unknown>>;
  /** Beside the end. */
  readonly special?: readonly string[];
}

function contents({ tokens, splitting, model, special = [] }: Parts): TokenizerContents {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const flags = { special: true, single_word: false, lstrip: false, rstrip: false, normalized: false };
  const json = {
    version: "1.0",
    added_tokens: [...special, endToken].map((content) => ({ id: ids.get(content), content, ...flags })),
    normalizer: null,
    pre_tokenizer: splitting,
    post_processor: null,
    decoder: bytesAsLetters,
    model: { ...model, vocab: Object.fromEntries(ids) },
  };
  return { json, vocabulary: tokens.length };
}

/** [256] Printable bytes stand for themselves; the others follow from U+0100 on. */
function byteSpellings(): readonly string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}
