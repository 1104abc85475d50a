// Prompts of rows: every form, too long ones dropped or cut and counted, and which of them a rollout takes.

import { expect } from "chai";
import { createEngine, type Engine } from "../../lib/engine/index.js";
import { openPrompts, promptOrder } from "../../lib/rollout/index.js";
import type { Tokenizer } from "../../lib/text/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

describe("prompts of a rollout", () => {
  const at = suiteFolder();
  let engine: Engine;
  let tokenizer: Tokenizer;
  before(async () => {
    writeTinyModel({ folder: at("policy") });
    engine = await createEngine({ threads: 1 });
    tokenizer = await (await engine.loadModel(at("policy"))).tokenizer();
  });
  after(() => engine?.dispose());

  it("come from rows with and without answers, with their unknown columns", async () => {
    const { prompts, counts } = await openPrompts({
      data: [
        { prompt: "Hi there", chosen: " a", rejected: " b", difficulty: 3 },
        { prompt: "Bye ", chosen: " c", rejected: " d" },
      ],
      tokenizer,
    });
    expect(prompts.map(({ content }) => content)).to.deep.equal(["Hi there", "Bye "]);
    expect(prompts.map(({ ids }) => tokenizer.decode(ids))).to.deep.equal(["Hi there", "Bye"]);
    expect(prompts[0]?.metadata).to.deep.equal({ difficulty: 3 });
    expect(prompts.map(({ row }) => row)).to.deep.equal([0, 1]);
    expect(counts).to.include({ read: 2, kept: 2, truncated: 0 });
  });

  it("may be token ids", async () => {
    const { prompts } = await openPrompts({ data: [{ prompt: [72, 105] }], tokenizer });
    expect(Array.from(prompts[0]?.ids ?? [])).to.deep.equal([72, 105]);
    expect(prompts[0]?.content).to.be.instanceOf(Int32Array);
  });

  it("that are too long are dropped and counted, or lose lines at their front", async () => {
    const data = [
      { prompt: "first line\nsecond\nlast" },
      { prompt: "short" },
      { prompt: "far too long to keep" },
    ];
    const dropped = await openPrompts({ data, tokenizer, maxLength: 12 });
    expect(dropped.prompts.map(({ content }) => content)).to.deep.equal(["short"]);
    expect(dropped.counts.dropped).to.deep.equal({ prompt_too_long: 2 });
    const cut = await openPrompts({ data, tokenizer, maxLength: 12, overLength: "truncate" });
    expect(cut.prompts.map(({ content }) => content)).to.deep.equal(["second\nlast", "short"]);
    expect(cut.prompts.map(({ ids }) => tokenizer.decode(ids))).to.deep.equal(["second\nlast", "short"]);
    expect(cut.counts).to.include({ kept: 2, truncated: 1 });
    expect(cut.counts.dropped).to.deep.equal({ prompt_too_long: 1 });
    expect(cut.hash).to.not.equal(dropped.hash);
  });

  it("that are bad are an error, or counted as far as allowed", async () => {
    const data = [{ prompt: "good" }, { prompt: 7 }];
    await expectFailure(() => openPrompts({ data, tokenizer }), "ATTUNE_DATA_COLUMN", "prompt");
    const { counts } = await openPrompts({ data, tokenizer, skipBadRows: 1 });
    expect(counts).to.include({ read: 2, kept: 1, bad: 1 });
  });

  it("of which none is left are an error that counts the reasons", () =>
    expectFailure(
      () => openPrompts({ data: [{ prompt: "far too long to keep" }], tokenizer, maxLength: 5 }),
      "ATTUNE_NO_ROWS",
      "none is left of 1",
    ));

  describe("by the number of a rollout", () => {
    it("are as many as asked, pass after pass without a gap", () => {
      const order = promptOrder({ promptCount: 5, count: 3, seed: 1 });
      const taken = Array.from({ length: 5 }, (_, rollout) => [...order(rollout)]).flat();
      for (const pass of [taken.slice(0, 5), taken.slice(5, 10), taken.slice(10, 15)])
        expect([...pass].sort()).to.deep.equal([0, 1, 2, 3, 4]);
      expect(taken.slice(0, 5)).to.not.deep.equal(taken.slice(5, 10));
    });

    it("are found again by any one, in any order of asking", () => {
      const order = promptOrder({ promptCount: 7, count: 4, seed: 2 });
      const forward = [0, 1, 2, 3].map((rollout) => [...order(rollout)]);
      const fresh = promptOrder({ promptCount: 7, count: 4, seed: 2 });
      expect([3, 1, 2, 0].map((rollout) => [...fresh(rollout)])).to.deep.equal(
        [3, 1, 2, 0].map((rollout) => forward[rollout]),
      );
    });

    it("keep the order of rows without shuffling, and repeat where there are few", () => {
      const order = promptOrder({ promptCount: 2, count: 5, seed: 2, shuffle: false });
      expect([...order(0), ...order(1)]).to.deep.equal([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    });

    it("need a count", () =>
      expectFailure(() => promptOrder({ promptCount: 2, count: 0, seed: 0 }), "ATTUNE_OPTION", "count"));
  });
});
