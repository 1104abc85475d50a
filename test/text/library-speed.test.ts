import { expect } from "chai";
import { library } from "../../lib/text/library.js";
import { byteIds, tinyTokenizer, tinyTokenizerJson } from "./tiny-tokenizer.js";

describe("the quickened tokenizer", () => {
  it("gives the ids of the plain library, before and after its caches are full", function () {
    this.timeout(20_000);
    const plain = new library.Tokenizer(tinyTokenizerJson(), {});
    const quick = tinyTokenizer();
    // One piece for each number: more than the caches hold.
    const numbers = Array.from({ length: 20_500 }, (_, i) => i).join(" ");
    for (const text of ["hi é hi", numbers, "hi é hi 7 8", ""]) {
      const wanted = plain.encode(text, { add_special_tokens: false }).ids;
      expect([...quick.encode(text)].join()).to.equal(wanted.join());
    }
  });

  it("spells pieces too long for its cache", () => {
    const long = "z".repeat(5000);
    expect([...tinyTokenizer().encode(long)]).to.deep.equal(byteIds(long));
  });

  it("keeps a space in front of every text where the rule asks for one", () => {
    const rule = { type: "ByteLevel", add_prefix_space: true, use_regex: true };
    const plain = new library.Tokenizer({ ...tinyTokenizerJson(), pre_tokenizer: rule }, {});
    const quick = tinyTokenizer({ prefixSpace: true });
    expect([...quick.encode("hi")]).to.deep.equal([260]);
    expect([...quick.encode("a b")]).to.deep.equal(plain.encode("a b", { add_special_tokens: false }).ids);
  });
});
