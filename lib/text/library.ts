// The parts of @huggingface/tokenizers we use, with their types: the package's own declarations do not resolve under
// "nodenext" (their imports lack file endings). Must not change behaviour: library-fixes.ts does.

import * as untyped from "@huggingface/tokenizers";

export interface LibraryPreTokenizer {
  pattern?: RegExp;
}

export interface LibraryByteLevel {
  pattern: RegExp;
  readonly add_prefix_space: boolean;
  readonly use_regex: boolean;
  /** Printable stand-in of each byte. */
  readonly byte_encoder: Readonly<Record<number, string>>;
  pre_tokenize_text(text: string): string[];
}

export interface LibraryDecoder {
  decode_chain(tokens: readonly string[]): string[];
}

export interface LibraryModel {
  readonly vocab: readonly (string | undefined)[];
  merges?: unknown;
  config: Readonly<Record<string, unknown>>;
  /** Of byte-pair models: merged pieces by their text. */
  cache?: unknown;
}

export interface LibraryTokenizer {
  /** The parsed tokenizer.json. */
  tokenizer: unknown;
  readonly pre_tokenizer: LibraryPreTokenizer | null;
  readonly decoder: LibraryDecoder | null;
  readonly model: LibraryModel;
  encode(
    text: string,
    options: { readonly add_special_tokens: boolean },
  ): { readonly ids: readonly number[] };
  decode(
    ids: readonly number[],
    options: { readonly skip_special_tokens: boolean; readonly clean_up_tokenization_spaces: boolean },
  ): string;
  token_to_id(token: string): number | undefined;
}

type Class<T> = new (...args: never[]) => T;

interface Library {
  readonly Tokenizer: new (json: object, config: object) => LibraryTokenizer;
  readonly SequencePreTokenizer: Class<{ readonly tokenizers: readonly (LibraryPreTokenizer | null)[] }>;
  readonly DigitsPreTokenizer: Class<{
    pattern: RegExp;
    readonly config: { readonly individual_digits?: boolean };
  }>;
  readonly ByteLevelPreTokenizer: Class<LibraryByteLevel>;
  readonly SequenceDecoder: Class<LibraryDecoder & { readonly decoders: readonly LibraryDecoder[] }>;
  readonly ByteFallbackDecoder: Class<LibraryDecoder & { readonly text_decoder: object }>;
  readonly ByteLevelDecoder: Class<
    LibraryDecoder & { readonly byte_decoder: Readonly<Record<string, unknown>> }
  >;
}

export const library: Library = untyped as unknown as Library;
