// A tokenizer.json of 259 entries for tests: one token per byte and three special tokens. Knows nothing of models.

/** Ids: byte b is token b; then <|endoftext|>, <|im_start|>, <|im_end|>. */
export const TINY_VOCABULARY = 259;
export const TINY_EOS = 256;

const SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] as const;

/** GPT-2's printable stand-in for each byte. */
function byteLetters(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

/** The tokenizer as the object of a tokenizer.json. */
export function tinyTokenizer(): object {
  const letters = byteLetters();
  const vocab = Object.fromEntries([...letters, ...SPECIAL].map((token, id) => [token, id]));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, index) => ({
      id: 256 + index,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges: [],
    },
  };
}

export function tinyTokenizerConfig(): object {
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    eos_token: SPECIAL[0],
    bos_token: null,
    pad_token: null,
  };
}
