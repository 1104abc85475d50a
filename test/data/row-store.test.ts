import { existsSync, readdirSync } from "node:fs";
import { expect } from "chai";
import { loadRows, sizeOfRow, type TokenisedRow } from "../../lib/data/index.js";
import { decodeRecord, encodeRecord } from "../../lib/data/row-record.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { tinyTokenizer } from "../text/tiny-tokenizer.js";

describe("encodeRecord", () => {
  const plain: TokenisedRow = {
    prompt: Int32Array.of(1, 2, 3),
    completions: [Int32Array.of(4), Int32Array.of(5, 6)],
    weight: 1,
    label: 1,
    margin: 0,
    index: 41,
    place: { file: "b.jsonl", line: 7 },
    truncated: false,
    promptHash: "0123456789abcdef".repeat(4),
  };
  const again = (row: TokenisedRow) => decodeRecord(encodeRecord(row, 1), ["a.jsonl", "b.jsonl"]);

  const rows: readonly (readonly [string, Partial<TokenisedRow>])[] = [
    ["a pair", {}],
    ["weight, label and margin to the last bit", { weight: 0.1, label: 1 / 3, margin: 1e-300 }],
    ["a row that was cut", { truncated: true }],
    ["a prompt alone", { completions: [] }],
    ["masks of odd lengths", { masks: [Uint8Array.of(1), Uint8Array.of(0, 1)] }],
    ["masks of some completions", { masks: [undefined, Uint8Array.of(1, 0)] }],
    ["a mismatched completion", { klCompletion: Int32Array.of(9, 8, 7) }],
    ["a hash that is none", { promptHash: "gruppe ü" }],
    [
      "every other field",
      {
        ranks: [1, 2],
        rating: 0.1,
        axis: "Güte",
        stepLabels: [true, false],
        referenceLogps: [-1.1, -2.2],
        source: ["j1"],
      },
    ],
    [
      "all of it together",
      { weight: 2, truncated: true, masks: [Uint8Array.of(1), undefined], ranks: [2, 1] },
    ],
  ];
  for (const [what, fields] of rows) {
    it(`gives back ${what}`, () => {
      const row = { ...plain, ...fields };
      expect(again(row)).to.deep.equal(row);
    });
  }
});

describe("the rows of loadRows", function () {
  // More rows than a block of the index holds.
  this.timeout(20_000);
  const folder = suiteFolder();
  const tokenizer = tinyTokenizer();
  const data = Array.from({ length: 5000 }, (_, i) => ({
    prompt: `question ${i % 50}`,
    chosen: `yes ${i}`,
    rejected: `no, ${i}`,
  }));
  const load = (memoryBytes?: number) =>
    loadRows({ data, tokenizer, task: "preference", ...(memoryBytes === undefined ? {} : { memoryBytes }) });

  it("are the same from memory and from a file", async () => {
    const memory = await load();
    const file = await load(1000);
    expect(file.hash).to.equal(memory.hash);
    expect([...file.rows]).to.deep.equal([...memory.rows]);
    file.rows.close();
  });

  it("leave no file with a name behind", async () => {
    const before = process.env.TMPDIR;
    process.env.TMPDIR = folder();
    try {
      const { rows } = await load(1000);
      expect(readdirSync(folder())).to.deep.equal([]);
      expect(rows.at(4999)?.index).to.equal(4999);
      rows.close();
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
    expect(existsSync(folder())).to.equal(true);
  });

  it("tell their sizes without being read", async () => {
    const { rows } = await load(1000);
    const sizes = [0, 77, 4999].map((position) => rows.sizeAt(position));
    const read = [0, 77, 4999].map((position) => sizeOfRow([...rows], position));
    expect(sizes).to.deep.equal(read);
    rows.close();
    // Reading is no longer possible, sizes are.
    expect(rows.sizeAt(77)).to.deep.equal(read[1]);
  });

  it("share a group where they share a prompt", async () => {
    const { rows } = await load();
    expect(rows.groupAt(3)).to.deep.equal(rows.groupAt(53));
    expect(rows.groupAt(3)).to.not.deep.equal(rows.groupAt(4));
  });

  it("count positions like an array", async () => {
    const { rows } = await load();
    expect(rows.at(-1)?.index).to.equal(4999);
    expect([rows.at(5000), rows.at(-5001), rows.at(0.5), rows.sizeAt(5000)]).to.deep.equal(
      Array(4).fill(undefined),
    );
  });

  it("say so when they are read after their file was closed", async () => {
    const { rows } = await load(1000);
    rows.close();
    expect((await failureOf(async () => rows.at(0))).code).to.equal("ATTUNE_DISPOSED");
  });

  it("say so when their file cannot be written", async () => {
    const before = process.env.TMPDIR;
    process.env.TMPDIR = folder("not/there");
    try {
      const error = await failureOf(() => load(1000));
      expect(error.code).to.equal("ATTUNE_OUTPUT");
      expect(error.message).to.contain("Cannot write tokenised rows");
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
  });
});
