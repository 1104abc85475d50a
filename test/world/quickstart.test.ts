// The toy world: its rows and model are the same for the same seed, and the main job learns them.

import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadTokenizer } from "../../lib/text/index.js";
import { cornerShop, quickstart, writeTinyModel } from "../../lib/world/index.js";
import { failureOf } from "../errors/expect-failure.js";

describe("the toy world", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-world-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("makes the same rows from the same seed, and others from another", () => {
    const one = cornerShop({ seed: 1, count: 40 });
    expect(cornerShop({ seed: 1, count: 40 })).to.deep.equal(one);
    expect(cornerShop({ seed: 2, count: 40 })).to.not.deep.equal(one);
  });

  it("never offers the same answer twice in a pair", () => {
    for (const { chosen, rejected } of cornerShop({ seed: 1, count: 500 }).pairs) {
      expect(chosen).to.not.equal(rejected);
    }
  });

  it("fills in every name", () => {
    expect(JSON.stringify(cornerShop({ seed: 1, count: 500 }))).to.not.match(/\{[tc]\}/);
  });

  it("makes the same weights from the same seed", async () => {
    const hash = (name: string) =>
      createHash("sha256")
        .update(readFileSync(join(folder, name, "model.safetensors")))
        .digest("hex");
    await writeTinyModel({ folder: join(folder, "a"), seed: 1 });
    await writeTinyModel({ folder: join(folder, "b"), seed: 1 });
    await writeTinyModel({ folder: join(folder, "c"), seed: 2 });
    expect(hash("a")).to.equal(hash("b")).and.to.not.equal(hash("c"));
  });

  it("reads and writes every byte with its tokenizer", async () => {
    await writeTinyModel({ folder, seed: 1 });
    const tokenizer = await loadTokenizer({ path: folder });
    const text = "Ada: été?\n\t~ \u{1f642}";
    expect([...tokenizer.encode(text)]).to.deep.equal([...Buffer.from(text)]);
    expect(tokenizer.decode(tokenizer.encode(text))).to.equal(text);
  });
});

describe("the quickstart", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-quickstart-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("learns to talk and then to be friendly, in under a minute", async () => {
    const result = await quickstart({ output: join(folder, "world"), seed: 0 });
    expect(result.status).to.equal("done");
    expect(result.loss.before).to.be.above(4);
    expect(result.loss.after).to.be.below(1);
    expect(result.accuracy.after)
      .to.be.above(0.9)
      .and.to.be.above(result.accuracy.before + 0.2);
    expect(result.rewardAccuracy).to.be.above(0.9);
    expect(result.seconds).to.be.below(60);
    expect(existsSync(join(result.model, "model.safetensors"))).to.equal(true);
  });

  it("does not write over what it finds", async () => {
    const error = await failureOf(() => quickstart({ output: join(folder, "world"), seed: 0 }));
    expect(error.code).to.equal("ATTUNE_OUTPUT_EXISTS");
  });
});
