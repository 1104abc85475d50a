// What the other rooms know of a tokenizer, and how one is made from the contents of a tokenizer.json.
// Must not read files: load-tokenizer.ts finds them and resolves the special tokens.

import { createHash } from "node:crypto";
import { fail, reasonOf } from "../errors/index.js";
import type { ChatTemplate } from "./chat-template.js";
import { type LibraryTokenizer, library } from "./library.js";
import { correctInstance, correctJson } from "./library-fixes.js";
import { quicken } from "./library-speed.js";
import type { SpecialIds } from "./special-ids.js";

/** Where a tokenizer comes from. */
export interface LoadTokenizerOptions {
  /** A model folder, a file in one, a tokenizer.json or a GGUF file. */
  readonly path: string;
  /** A Jinja file that replaces the model's own chat template. */
  readonly chatTemplate?: string | undefined;
  /** What a template that asks for the date is told. Default: the start of today, universal time. */
  readonly date?: Date | undefined;
}

export interface DecodeOptions {
  /** Leave special tokens out of the text. Default false. */
  readonly skipSpecial?: boolean;
}

export interface Tokenizer {
  /**
   * Ids of a text, [number of tokens]. Nothing is put in front or behind; the text of a special token inside `text`
   * becomes that token.
   */
  encode(text: string): Int32Array;
  /** Text of ids; broken UTF-8 becomes U+FFFD. Throws ATTUNE_TOKENIZER for an id outside the vocabulary. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** Largest id + 1. */
  readonly vocabSize: number;
  /** Id of a token by its exact spelling in the vocabulary. */
  idOf(token: string): number | undefined;
  /** Spelling of an id in the vocabulary. */
  tokenOf(id: number): string | undefined;
  /** The id that ends a plain-text answer; undefined when the files name none. */
  readonly eosId: number | undefined;
  /** Every id that ends an answer (`eosId` first). */
  readonly eosIds: readonly number[];
  readonly bosId: number | undefined;
  /** What the tokenizer itself puts in front of every sequence: the BOS id or nothing. [0 or more] */
  readonly startIds: Int32Array;
  /** How conversations become text; undefined when the model's files hold no template. */
  readonly chat: ChatTemplate | undefined;
  /** SHA-256 of the vocabulary and rules with the special ids, hexadecimal; with `chat.hash` the key of caches. */
  readonly hash: string;
  /** What loads the same tokenizer again, on another thread; absent for one that was not loaded from files. */
  readonly origin?: LoadTokenizerOptions;
}

export interface CreateTokenizerOptions {
  /** Parsed contents of a tokenizer.json. */
  readonly json: unknown;
  /** Finds the special ids once token names can be looked up. */
  readonly specialIds: (idOf: (token: string) => number | undefined) => SpecialIds;
  /** Where the contents came from, for messages. */
  readonly source: string;
  /** SHA-256 of the contents, hexadecimal; computed from `json` when left out. */
  readonly contentHash?: string;
  readonly chat?: ChatTemplate | undefined;
}

/** Builds a tokenizer. Throws ATTUNE_TOKENIZER when the contents are not a tokenizer.json this version can follow. */
export function createTokenizer(options: CreateTokenizerOptions): Tokenizer {
  const { source } = options;
  const contentHash = options.contentHash ?? sha256(JSON.stringify(options.json));
  const built = build(options.json, source);
  const vocabulary = vocabularyOf(built, source);
  const idOf = (token: string) => built.token_to_id(token);
  const { eosIds, bosId } = options.specialIds(idOf);
  return {
    encode: (text) => Int32Array.from(built.encode(text, { add_special_tokens: false }).ids),
    decode: (ids, { skipSpecial = false } = {}) => {
      const list = Array.from(ids);
      const wrong = list.find((id) => vocabulary[id] === undefined);
      if (wrong !== undefined) {
        const range = `Expected token ids of the vocabulary (0 to ${vocabulary.length - 1})`;
        throw fail("ATTUNE_TOKENIZER", `${range} but received ${wrong}.`);
      }
      // The library refuses an empty list.
      if (list.length === 0) return "";
      const rules = { skip_special_tokens: skipSpecial, clean_up_tokenization_spaces: false };
      return built.decode(list, rules);
    },
    vocabSize: vocabulary.length,
    idOf,
    tokenOf: (id) => vocabulary[id],
    eosId: eosIds[0],
    eosIds,
    bosId,
    startIds: startIdsOf(built),
    chat: options.chat,
    hash: sha256(`${contentHash}/${eosIds.join(",")}/${bosId ?? ""}`),
  };
}

function build(json: unknown, source: string): LibraryTokenizer {
  const corrected = correctJson(json, source);
  try {
    const tokenizer = new library.Tokenizer(corrected, {});
    correctInstance(tokenizer);
    quicken(tokenizer);
    return tokenizer;
  } catch (error) {
    const what = `Expected the rules and vocabulary of a tokenizer.json in ${source}, but it cannot be used`;
    throw fail("ATTUNE_TOKENIZER", `${what}: ${reasonOf(error)}`, { cause: error });
  }
}

/** The library's own list, indexed by id: a second copy would cost memory. */
function vocabularyOf(tokenizer: LibraryTokenizer, source: string): readonly (string | undefined)[] {
  const { vocab: vocabulary } = tokenizer.model;
  if (vocabulary.length > 0) return vocabulary;
  throw fail("ATTUNE_TOKENIZER", `Expected a vocabulary in ${source} but found no entries.`);
}

/** What the post-processor puts in front, found by encoding a letter with and without it. */
function startIdsOf(tokenizer: LibraryTokenizer): Int32Array {
  const bare = tokenizer.encode("a", { add_special_tokens: false }).ids;
  const full = tokenizer.encode("a", { add_special_tokens: true }).ids;
  for (let start = 0; start + bare.length <= full.length; start++) {
    if (bare.every((id, i) => full[start + i] === id)) return Int32Array.from(full.slice(0, start));
  }
  return new Int32Array(0);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
