import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { expect } from "chai";
import { findFiles } from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";

describe("findFiles", () => {
  const folder = suiteFolder();
  const names = [
    "data/b.jsonl",
    "data/a.jsonl.gz",
    "data/notes.txt",
    "data/info.json",
    "data/.hidden.jsonl",
    "data/parts/train-1.parquet",
    "data/parts/train-2.parquet",
    "data/parts/test-1.parquet",
    "data/parts/deep/c.ndjson",
    "data/.cache/d.jsonl",
    "other/readme.md",
    "odd/[a].jsonl",
  ];

  before(() => {
    for (const name of names) {
      mkdirSync(dirname(folder(name)), { recursive: true });
      writeFileSync(folder(name), "x");
    }
    mkdirSync(folder("empty"));
    mkdirSync(folder("linked"));
    symlinkSync(folder("data/b.jsonl"), folder("linked/l.jsonl"));
    symlinkSync(folder("nowhere"), folder("linked/gone.jsonl"));
  });

  const find = async (...paths: readonly string[]) => {
    const found = await findFiles({ paths: paths.map((path) => folder(path)) });
    return found.map((path) => relative(folder(), path));
  };
  const refusal = (path: string) => failureOf(() => findFiles({ paths: [folder(path)] }));

  it("takes a file as it is, whatever its name", async () => {
    expect(await find("data/notes.txt")).to.deep.equal(["data/notes.txt"]);
  });

  it("gives the row files below a folder, sorted, without hidden ones", async () => {
    expect(await find("data")).to.deep.equal([
      "data/a.jsonl.gz",
      "data/b.jsonl",
      "data/parts/deep/c.ndjson",
      "data/parts/test-1.parquet",
      "data/parts/train-1.parquet",
      "data/parts/train-2.parquet",
    ]);
  });

  it("follows links to files, and leaves dead ones out", async () => {
    expect(await find("linked")).to.deep.equal(["linked/l.jsonl"]);
  });

  it("keeps the order of several paths", async () => {
    expect(await find("data/parts/deep", "data/b.jsonl")).to.deep.equal([
      "data/parts/deep/c.ndjson",
      "data/b.jsonl",
    ]);
  });

  const patterns: readonly (readonly [string, readonly string[]])[] = [
    ["data/*.jsonl", ["data/b.jsonl"]],
    ["data/parts/train-?.parquet", ["data/parts/train-1.parquet", "data/parts/train-2.parquet"]],
    ["data/parts/t*-1.parquet", ["data/parts/test-1.parquet", "data/parts/train-1.parquet"]],
    ["data/**/*.ndjson", ["data/parts/deep/c.ndjson"]],
    ["**/b.jsonl", ["data/b.jsonl"]],
    ["data/parts/d**", ["data/parts/deep/c.ndjson"]],
    ["data/parts/d*", []],
    ["data/parts/train-[9-1].parquet", []],
    ["data/parts/train-[2-9].parquet", ["data/parts/train-2.parquet"]],
    ["data/parts/train-[!2].parquet", ["data/parts/train-1.parquet"]],
    ["data/{b.jsonl,parts/test-*}", ["data/b.jsonl", "data/parts/test-1.parquet"]],
    ["data/*", ["data/a.jsonl.gz", "data/b.jsonl", "data/info.json", "data/notes.txt"]],
  ];
  for (const [pattern, files] of patterns) {
    it(`finds ${files.length === 0 ? "nothing" : "what it matches"} for ${pattern}`, async () => {
      const found = files.length === 0 ? await refusal(pattern).then(() => []) : await find(pattern);
      expect(found).to.deep.equal(files);
    });
  }

  it("takes a name with signs of a pattern literally when there is such a file", async () => {
    expect(await find("odd/[a].jsonl")).to.deep.equal(["odd/[a].jsonl"]);
  });

  it("refuses an empty folder", async () => {
    const error = await refusal("empty");
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_FILE", 2]);
    expect(error.message).to.contain(`in the folder ${folder("empty")} but found no file at all`);
  });

  it("refuses a folder without row files, naming what it holds", async () => {
    expect((await refusal("other")).message).to.contain("found only others, such as readme.md");
  });

  it("refuses a pattern without a match", async () => {
    const error = await refusal("data/*.csv");
    expect(error.code).to.equal("ATTUNE_FILE");
    expect(error.message).to.contain("data/*.csv but found none");
  });

  it("refuses a pattern in a folder that is not there", async () => {
    expect((await refusal("none/*.jsonl")).message).to.contain("but found none");
  });

  it("refuses a path that is not there", async () => {
    expect((await refusal("none.jsonl")).message).to.contain("cannot be read");
  });
});
