// The known differences between @huggingface/tokenizers and the Rust tokenizers: each is asserted to be there in the
// library and gone in ours, so that an update of the library which mends one is noticed.

import { expect } from "chai";
import { createTokenizer } from "../../lib/text/index.js";
import { library } from "../../lib/text/library.js";
import { failureOf } from "../errors/expect-failure.js";
import { byteAlphabet, byteIds, tinyTokenizer, tinyTokenizerJson } from "./tiny-tokenizer.js";

const bare = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] };

function ours(json: object) {
  return createTokenizer({ json, specialIds: () => ({ eosIds: [], bosId: undefined }), source: "test" });
}

function theirs(json: object) {
  const tokenizer = new library.Tokenizer(json, {});
  return {
    encode: (text: string) => [...tokenizer.encode(text, { add_special_tokens: false }).ids],
    tokenizer,
  };
}

function vocabularyOf(tokens: readonly string[]) {
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

describe("corrections of the tokenizer library", () => {
  const rules = { skip_special_tokens: false, clean_up_tokenization_spaces: false };

  describe("Digits", () => {
    // "½½" could be merged into one token; splitting each numeric character forbids it.
    const half = [...Buffer.from("½")].map((byte) => byteAlphabet()[byte]).join("");
    const json = {
      ...bare,
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Digits", individual_digits: true },
          { type: "ByteLevel", add_prefix_space: false, use_regex: false },
        ],
      },
      decoder: { type: "ByteLevel" },
      model: {
        type: "BPE",
        vocab: vocabularyOf([...byteAlphabet(), half, half + half]),
        merges: [[...half], [half, half]],
      },
    };

    it("splits numeric characters other than 0 to 9", () => {
      expect([...ours(json).encode("½½")]).to.deep.equal([256, 256]);
    });

    it("is still wrong in the library", () => {
      expect(theirs(json).encode("½½")).to.deep.equal([257]);
    });
  });

  describe("the GPT-2 rule", () => {
    // U+FEFF is white space for JavaScript only; the merge joins it with the letter behind it.
    const mark = [...Buffer.from("\ufeff")].map((byte) => byteAlphabet()[byte]).join("");
    const json = {
      ...bare,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
      decoder: { type: "ByteLevel" },
      model: {
        type: "BPE",
        vocab: vocabularyOf([...byteAlphabet(), mark.slice(0, 2), mark, `${mark}!`]),
        merges: [
          [mark[0], mark[1]],
          [mark.slice(0, 2), mark[2]],
          [mark, "!"],
        ],
      },
    };

    it("takes U+FEFF for a sign, not for white space", () => {
      expect([...ours(json).encode("\ufeff!")]).to.deep.equal([258]);
    });

    it("is still wrong in the library", () => {
      expect(theirs(json).encode("\ufeff!")).to.deep.equal([257, 33]);
    });
  });

  describe("byte tokens", () => {
    const hex = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    const bytes = Array.from({ length: 256 }, (_, byte) => hex(byte));
    const json = {
      ...bare,
      decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] },
      model: { type: "BPE", vocab: vocabularyOf([...bytes, "a"]), merges: [], byte_fallback: true },
    };
    const broken = [0xf0, 0x9f, 0x98];
    const byteOrderMark = [0xef, 0xbb, 0xbf];

    it("give one U+FFFD for each byte of a broken run", () => {
      expect(ours(json).decode([...broken, 256])).to.equal("\ufffd\ufffd\ufffda");
    });

    it("keep a leading U+FEFF", () => {
      expect(ours(json).decode(byteOrderMark)).to.equal("\ufeff");
    });

    it("are still wrong in the library", () => {
      const { tokenizer } = theirs(json);
      expect(tokenizer.decode([...broken, 256], rules)).to.equal("\ufffda");
      expect(tokenizer.decode(byteOrderMark, rules)).to.equal("");
    });
  });

  describe("a byte-level token outside the byte alphabet", () => {
    const json = {
      ...bare,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
      decoder: { type: "ByteLevel" },
      model: { type: "BPE", vocab: vocabularyOf([...byteAlphabet(), "語"]), merges: [] },
    };

    it("decodes to its own characters", () => {
      expect(ours(json).decode([256, 33])).to.equal("語!");
    });

    it("is still wrong in the library", () => {
      expect(theirs(json).tokenizer.decode([256, 33], rules)).to.equal("\u0000!");
    });
  });

  describe("Metaspace with split", () => {
    const json = {
      ...bare,
      pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
      model: { type: "BPE", vocab: vocabularyOf(["▁", "a", "b", "a▁", "▁b"]), merges: [["a", "▁"]] },
    };

    it("ends a piece before each mark", () => {
      expect([...ours(json).encode("a b")]).to.deep.equal([0, 1, 0, 2]);
    });

    it("is still wrong in the library", () => {
      expect(theirs(json).encode("a b")).to.deep.equal([0, 3, 2]);
    });
  });

  it("decodes an empty list to an empty text, which the library refuses", () => {
    expect(tinyTokenizer().decode([])).to.equal("");
    expect(() => theirs(tinyTokenizerJson()).tokenizer.decode([], rules)).to.throw("non-empty");
  });

  it("keeps other rules as they are", () => {
    expect([...tinyTokenizer().encode("say hi 12")]).to.deep.equal([
      ...byteIds("say"),
      260,
      ...byteIds(" 12"),
    ]);
  });

  it("refuses split rules the library would follow wrongly", async () => {
    const split = { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious" };
    const error = await failureOf(() => ours({ ...tinyTokenizerJson(), pre_tokenizer: split }));
    expect(error.code).to.equal("ATTUNE_TOKENIZER");
    expect(error.message).to.contain('found "MergedWithPrevious"');
  });
});
