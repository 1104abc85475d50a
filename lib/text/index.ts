// Public names of the text room: tokenizers and the header of GGUF files.
// Must not import engine or anything above it.

export type { GgufArray, GgufHeader, GgufTensor, GgufValue } from "./gguf-metadata.js";
export { readGguf } from "./gguf-metadata.js";
export { ggufSpecialIds, ggufTokenizerJson } from "./gguf-vocabulary.js";
export { loadTokenizer } from "./load-tokenizer.js";
export type { CreateTokenizerOptions, DecodeOptions, SpecialIds, Tokenizer } from "./tokenizer.js";
export { createTokenizer } from "./tokenizer.js";
export { type TokenizerFile, tokenizerFiles } from "./tokenizer-files.js";
