// The toy world: its rows and model are the same for the same seed. The quickstart: how it stops and what it refuses; its whole
// run is in test/long/quickstart.test.ts.

import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadTokenizer } from "../../lib/text/index.js";
import { cornerShop, quickstart, sizes, writeTinyModel } from "../../lib/world/index.js";
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
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-quickstart-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("does not write into a folder that holds something, and leaves it as it was", async () => {
    writeFileSync(join(folder, "mine.txt"), "mine");
    const error = await failureOf(() => quickstart({ output: folder, seed: 0 }));
    expect(error.code).to.equal("ATTUNE_OUTPUT_EXISTS");
    expect(error.message).to.include("mine.txt");
    expect(readdirSync(folder)).to.deep.equal(["mine.txt"]);
  });

  it("says that it cannot write", async () => {
    writeFileSync(join(folder, "file"), "");
    const output = join(folder, "file", "world");
    const error = await failureOf(() => quickstart({ output, seed: 0 }));
    expect(error.code).to.equal("ATTUNE_OUTPUT");
    expect(error.message).to.include(output);
  });

  it("stops when asked to, after a step that is saved, and says what there is", async () => {
    const controls: { stop(): Promise<unknown> }[] = [];
    const stages: string[] = [];
    const result = await quickstart({
      output: join(folder, "world"),
      seed: 0,
      onStart: (control) => controls.push(control),
      onStage: ({ number, count, text }) => stages.push(`${number} of ${count}: ${text}`),
      onEvent: (event) => {
        if (event.type === "step" && event.step === 2) void controls[0]?.stop();
      },
    });
    expect(result.status).to.equal("interrupted");
    expect(result.table).to.deep.equal([]);
    expect(stages).to.deep.equal(["1 of 9: pre-training a random model on texts of the shop"]);
    expect(existsSync(join(result.files.model("pretrain"), "model.safetensors"))).to.equal(true);
    expect(readFileSync(result.files.prompts, "utf8").trimEnd().split("\n")).to.have.lengthOf(sizes.prompts);
  });
});
