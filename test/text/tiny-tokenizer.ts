// A byte-level tokenizer small enough to compute by hand: ids 0 to 2 special, 3 + n the byte n, then a few merges.
// Must not read files.

import { createChatTemplate, createTokenizer, type Tokenizer } from "../../lib/text/index.js";

export const tinyIds = { eos: 0, bos: 1, pad: 2, firstByte: 3 } as const;

/** Merged pairs in order; their ids follow the bytes: 259, 260 … */
const merges: readonly (readonly [string, string])[] = [
  ["h", "i"],
  ["Ġ", "hi"],
];

/** The printable stand-in of each byte, as GPT-2's alphabet has it. */
export function byteAlphabet(): string[] {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

export interface TinyOptions {
  /** Put BOS in front. Default false. */
  readonly startsWithBos?: boolean;
  /** Put a space in front of every text. Default false. */
  readonly prefixSpace?: boolean;
  /** Leave the EOS unnamed. Default false. */
  readonly withoutEos?: boolean;
  /** A chat template, with <bos> and <eos> as its tokens. Default none. */
  readonly chat?: string;
}

/** `U:` and a line for others, `A:` and <eos> for the assistant. */
export const tinyChat =
  "{% for m in messages %}{% if m.role == 'assistant' %}{{ 'A:' + m.content + eos_token + '\n' }}" +
  "{% else %}{{ m.role[0] | upper + ':' + m.content + '\n' }}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}{{ 'A:' }}{% endif %}";

export function tinyTokenizerJson({ startsWithBos = false, prefixSpace = false }: TinyOptions = {}) {
  const tokens = ["<eos>", "<bos>", "<pad>", ...byteAlphabet(), ...merges.map((merge) => merge.join(""))];
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const bos = { SpecialToken: { id: "<bos>", type_id: 0 } };
  const single = [bos, { Sequence: { id: "A", type_id: 0 } }];
  return {
    version: "1.0",
    added_tokens: [0, 1, 2].map((id) => ({ id, content: tokens[id], ...flags })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: prefixSpace, use_regex: true },
    post_processor: startsWithBos
      ? {
          type: "TemplateProcessing",
          single,
          pair: [...single, { Sequence: { id: "B", type_id: 1 } }],
          special_tokens: { "<bos>": { id: "<bos>", ids: [1], tokens: ["<bos>"] } },
        }
      : null,
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
  };
}

export function tinyTokenizer(options: TinyOptions = {}): Tokenizer {
  const eosIds = options.withoutEos === true ? [] : [tinyIds.eos];
  const specialIds = () => ({ eosIds, bosId: tinyIds.bos });
  const specialTokens = { bos_token: "<bos>", eos_token: "<eos>" };
  const chat =
    options.chat === undefined
      ? undefined
      : createChatTemplate({ templates: { default: options.chat }, specialTokens, source: "tiny" });
  return createTokenizer({ json: tinyTokenizerJson(options), specialIds, source: "tiny", chat });
}

/** Ids of ASCII text that no merge touches. */
export function byteIds(text: string): number[] {
  return [...Buffer.from(text)].map((byte) => tinyIds.firstByte + byte);
}
