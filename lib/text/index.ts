// Public names of the text room: tokenizers, chat templates and the header of GGUF files.
// Must not import engine or anything above it.

export type { ChatMessage, ChatTemplate, RenderOptions, TemplateContext } from "./chat-template.js";
export { type CreateChatTemplateOptions, createChatTemplate } from "./chat-template.js";
export { type DifferingToken, differingToken } from "./differing-token.js";
export {
  type ChatCompletionOptions,
  type ChatPrompt,
  type ChatPromptOptions,
  encodeChatCompletion,
  encodeChatPrompt,
  endOfTurn,
} from "./encode-chat.js";
export type { GgufArray, GgufHeader, GgufTensor, GgufValue } from "./gguf-metadata.js";
export { readGguf } from "./gguf-metadata.js";
export { ggufSpecialIds, ggufTokenizerJson } from "./gguf-vocabulary.js";
export { loadTokenizer } from "./load-tokenizer.js";
export {
  type MaskConversationOptions,
  type MaskedConversation,
  maskConversation,
  type Span,
} from "./mask-conversation.js";
export type { SpecialIds } from "./special-ids.js";
export { startOnce } from "./start-once.js";
export type { CreateTokenizerOptions, DecodeOptions, LoadTokenizerOptions, Tokenizer } from "./tokenizer.js";
export { createTokenizer } from "./tokenizer.js";
export { type TokenizerFile, type TokenizerFilesOptions, tokenizerFiles } from "./tokenizer-files.js";
