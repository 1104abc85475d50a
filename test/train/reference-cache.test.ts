// The file of reference log-probs: what one run writes another reads, and what must never be believed.

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { ReferenceCache } from "../../lib/train/reference-cache.js";
import { failureOf } from "../errors/expect-failure.js";

describe("the cache of reference log-probs", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-cache-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = (key = "k") => ReferenceCache.open({ folder, key });

  it("gives another run the same numbers, to the last bit", () => {
    const values = Float64Array.of(-1 / 3, -123.45678901234568);
    const first = open();
    first.set("row", values);
    first.close();
    const second = open();
    expect(second.get("row")).to.deep.equal(values);
    second.close();
  });

  it("knows nothing of another key", () => {
    const first = open("one");
    first.set("row", Float64Array.of(-1));
    first.close();
    const second = open("two");
    expect(second.get("row")).to.equal(undefined);
    second.close();
  });

  it("passes over a line that a killed run left unfinished, and writes the next one apart from it", () => {
    const first = open();
    first.set("whole", Float64Array.of(-1));
    first.close();
    appendFileSync(first.file, '{"row":"torn","logpr');
    const second = open();
    expect([second.size, second.get("torn")]).to.deep.equal([1, undefined]);
    second.set("next", Float64Array.of(-2));
    second.close();
    const third = open();
    expect(third.get("next")).to.deep.equal(Float64Array.of(-2));
    third.close();
  });

  it("does not believe a line without finite numbers", () => {
    const first = open();
    first.close();
    appendFileSync(first.file, '{"row":"a","logprobs":[null]}\n{"row":3,"logprobs":[1]}\n[]\n');
    const second = open();
    expect(second.size).to.equal(0);
    second.close();
    expect(readFileSync(first.file, "utf8").split("\n")).to.have.length(4);
  });

  it("refuses a folder that cannot be made", async () => {
    writeFileSync(join(folder, "file"), "");
    const error = await failureOf(() =>
      ReferenceCache.open({ folder: join(folder, "file", "inside"), key: "k" }),
    );
    expect(error.code).to.equal("ATTUNE_OUTPUT");
    expect(error.message).to.include("Cannot use the cache folder");
  });
});
