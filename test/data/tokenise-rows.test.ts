import { expect } from "chai";
import { createRowCounts, readRows, type TokeniseRowsOptions, tokeniseRows } from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { byteIds, tinyIds, tinyTokenizer } from "../text/tiny-tokenizer.js";
import { collect } from "./temporary-files.js";

const { eos, bos } = tinyIds;

function tokenise(rows: readonly object[], options: Partial<TokeniseRowsOptions> = {}) {
  const rest = { tokenizer: tinyTokenizer(), task: "sft", ...options } as const;
  return collect(tokeniseRows({ rows: readRows({ data: rows }), ...rest }));
}

async function first(row: object, options: Partial<TokeniseRowsOptions> = {}) {
  const [only] = await tokenise([row], options);
  if (only === undefined) throw new Error("the row was dropped");
  return { ...only, prompt: [...only.prompt], completions: only.completions.map((ids) => [...ids]) };
}

describe("tokeniseRows", () => {
  it("tokenises prompt and completion apart, so that no token straddles the boundary", async () => {
    // "hi" is one token, but not across the border.
    const row = await first({ prompt: "h", completion: "i" });
    expect(row.prompt).to.deep.equal(byteIds("h"));
    expect(row.completions).to.deep.equal([[...byteIds("i"), eos]]);
  });

  it("moves white space at the prompt's end to the completion", async () => {
    const row = await first({ prompt: "a: \n ", completion: "hi" });
    expect(row.prompt).to.deep.equal(byteIds("a:"));
    // The space joins "hi" to the token " hi".
    expect(row.completions).to.deep.equal([[...byteIds(" \n"), 260, eos]]);
  });

  it("moves it to both answers of a pair", async () => {
    const row = await first({ prompt: "a ", chosen: "x", rejected: "y" }, { task: "preference" });
    expect(row.prompt).to.deep.equal(byteIds("a"));
    expect(row.completions).to.deep.equal([
      [...byteIds(" x"), eos],
      [...byteIds(" y"), eos],
    ]);
  });

  it("appends no second EOS to an answer that ends with one", async () => {
    const row = await first({ prompt: "a", completion: "b<eos>" });
    expect(row.completions).to.deep.equal([[...byteIds("b"), eos]]);
  });

  it("puts what the tokenizer starts with in front of the prompt, once", async () => {
    const tokenizer = tinyTokenizer({ startsWithBos: true });
    expect((await first({ prompt: "a", completion: "b" }, { tokenizer })).prompt).to.deep.equal([
      bos,
      ...byteIds("a"),
    ]);
    const spelt = await first({ prompt: "<bos>a", completion: "b" }, { tokenizer });
    expect(spelt.prompt).to.deep.equal([bos, ...byteIds("a")]);
    expect(spelt.completions).to.deep.equal([[...byteIds("b"), eos]]);
  });

  it("takes the first token of a text as prompt, the rest with EOS as targets", async () => {
    const row = await first({ text: "abc" });
    expect(row.prompt).to.deep.equal(byteIds("a"));
    expect(row.completions).to.deep.equal([[...byteIds("bc"), eos]]);
  });

  it("reads a preference row as prompt + chosen for SFT", async () => {
    const row = await first({ prompt: "a", chosen: "b", rejected: "c", label: 0.5 });
    expect(row.completions).to.deep.equal([[...byteIds("b"), eos]]);
    expect(row.label).to.equal(1);
  });

  it("carries weight, label, margin, number and place", async () => {
    const row = await first(
      { prompt: "a", chosen: "b", rejected: "c", weight: 3, label: 0.9, margin: 2 },
      { task: "preference" },
    );
    expect(row).to.include({ weight: 3, label: 0.9, margin: 2, index: 0, truncated: false });
    expect(row.place).to.deep.equal({ file: "rows", line: 1 });
  });

  it("gives rows of one prompt the same hash, whatever their answers", async () => {
    const pair = { task: "preference" } as const;
    const [one, same, other] = await tokenise(
      [
        { prompt: "a", chosen: "b", rejected: "c" },
        { prompt: "a ", chosen: "d", rejected: "e" },
        { prompt: "ab", chosen: "b", rejected: "c" },
      ],
      pair,
    );
    expect(one?.promptHash)
      .to.match(/^[0-9a-f]{64}$/)
      .and.equal(same?.promptHash);
    expect(other?.promptHash).to.not.equal(one?.promptHash);
  });

  it("gives texts that begin alike different hashes", async () => {
    const [one, other] = await tokenise([{ text: "ab" }, { text: "ac" }]);
    expect(one?.promptHash).to.not.equal(other?.promptHash);
  });

  describe("maxLength for demonstrations", () => {
    it("keeps rows of exactly that many tokens", async () => {
      expect(await first({ prompt: "ab", completion: "c" }, { maxLength: 4 })).to.include({
        truncated: false,
      });
    });

    it("keeps the start, and a cut completion gets no EOS", async () => {
      const counts = createRowCounts();
      const row = await first({ prompt: "ab", completion: "cde" }, { maxLength: 4, counts });
      expect(row.completions).to.deep.equal([byteIds("cd")]);
      expect(row.truncated).to.equal(true);
      expect(counts).to.include({ kept: 1, truncated: 1 });
    });

    it("drops and counts rows whose prompt leaves no target", async () => {
      const counts = createRowCounts();
      expect(await tokenise([{ prompt: "abcd", completion: "e" }], { maxLength: 4, counts })).to.have.length(
        0,
      );
      expect(counts.dropped).to.deep.equal({ prompt_too_long: 1 });
    });
  });

  describe("maxLength for pairs", () => {
    const long = { prompt: "abcd", chosen: "efg", rejected: "h" };

    it("drops and counts a pair with one side over it", async () => {
      const counts = createRowCounts();
      expect(await tokenise([long], { task: "preference", maxLength: 7, counts })).to.have.length(0);
      expect(counts.dropped).to.deep.equal({ too_long: 1 });
    });

    it("keeps a pair whose longer side just fits", async () => {
      expect(await first(long, { task: "preference", maxLength: 8 })).to.include({ truncated: false });
    });

    const cut = { task: "preference", overLength: "truncate" } as const;

    it("truncate keeps the prompt's end and the answers whole while the prompt has half the room", async () => {
      const row = await first(long, { ...cut, maxLength: 7 });
      expect(row.prompt).to.deep.equal(byteIds("bcd"));
      expect(row.completions).to.deep.equal([
        [...byteIds("efg"), eos],
        [...byteIds("h"), eos],
      ]);
      expect(row.truncated).to.equal(true);
    });

    it("truncate cuts answers to what the prompt's half leaves", async () => {
      const row = await first({ prompt: "abcd", chosen: "efghij", rejected: "k" }, { ...cut, maxLength: 4 });
      expect(row.prompt).to.deep.equal(byteIds("cd"));
      expect(row.completions).to.deep.equal([byteIds("ef"), [...byteIds("k"), eos]]);
    });

    it("truncate leaves a short prompt whole", async () => {
      const row = await first({ prompt: "a", chosen: "efghij", rejected: "k" }, { ...cut, maxLength: 4 });
      expect(row.prompt).to.deep.equal(byteIds("a"));
      expect(row.completions[0]).to.deep.equal(byteIds("efg"));
    });

    it("truncate keeps the BOS in front of the prompt's end", async () => {
      const tokenizer = tinyTokenizer({ startsWithBos: true });
      const row = await first(long, { ...cut, maxLength: 6, tokenizer });
      expect(row.prompt).to.deep.equal([bos, ...byteIds("cd")]);
    });

    it("drops and counts a pair whose sides become identical", async () => {
      const counts = createRowCounts();
      const row = { prompt: "ab", chosen: "cde", rejected: "cdf" };
      expect(await tokenise([row], { ...cut, maxLength: 4, counts })).to.have.length(0);
      expect(counts.dropped).to.deep.equal({ identical_when_cut: 1 });
    });
  });

  it("yields the event loop between long rows", async () => {
    let turns = 0;
    let running = true;
    const count = () => {
      turns += 1;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    await tokenise(
      Array.from({ length: 8 }, () => ({ text: "ab ".repeat(6000) })),
      { maxLength: 100_000 },
    );
    running = false;
    expect(turns).to.be.greaterThan(4);
  });

  describe("refuses", () => {
    it("ids that the model does not have", async () => {
      const error = await failureOf(() => tokenise([{ text: "hi" }], { vocabularySize: 259 }));
      expect(error.code).to.equal("ATTUNE_TOKENIZER");
      expect(error.message).to.contain(
        "below the model's vocabulary of 259 but the tokenizer made 259 (rows:1)",
      );
    });

    it("a tokenizer without an EOS", async () => {
      const tokenizer = tinyTokenizer({ withoutEos: true });
      const error = await failureOf(() => tokenise([{ text: "hi" }], { tokenizer }));
      expect(error.code).to.equal("ATTUNE_TOKENIZER");
      expect(error.message).to.contain("names none");
    });

    it("a maxLength of 1", async () => {
      expect((await failureOf(() => tokenise([{ text: "hi" }], { maxLength: 1 }))).code).to.equal(
        "ATTUNE_OPTION",
      );
    });

    it("rows that are no pairs where pairs are asked for", async () => {
      const error = await failureOf(() => tokenise([{ text: "hi" }], { task: "preference" }));
      expect(error.message).to.contain("rows:1: expected a preference row");
    });
  });
});
