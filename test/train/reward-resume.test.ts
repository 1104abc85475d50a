// A reward run that is stopped and resumed leaves no trace: heads, their rows' weights, and the parameter of ties.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type RewardOptions, reward } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { tastePairs, tastePairsWithTies, tasteRankings } from "./judgements.js";
import { expectSameRun } from "./same-run.js";
import { type Place, temporaryPlace } from "./training-rows.js";

describe("a reward run that is stopped and resumed", function () {
  this.timeout(60_000);
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const start = (options: Partial<RewardOptions>, stopAt?: number) => {
    const run = reward({
      model: place.model,
      data: tastePairs,
      output: place.output(),
      batchSize: 3,
      epochs: 4,
      learningRate: 3e-3,
      threads: 1,
      onStep: ({ step }) => {
        if (step === stopAt) void run.stop();
      },
      ...options,
    });
    return run.result;
  };
  const notes = (name: string) =>
    JSON.parse(readFileSync(join(place.output(name), "model", "attune.json"), "utf8")) as object;

  for (const [name, options] of [
    ["a head", {}],
    ["three heads, normalised", { heads: 3, normalise: "unit" }],
    ["three heads in bf16", { heads: 3, dtype: "bf16" }],
    ["an adapter", { adapterRank: 2 }],
    ["rao-kupper", { data: tastePairsWithTies, loss: "rao-kupper" }],
    [
      "davidson with evaluations",
      { data: tastePairsWithTies, loss: "davidson", evalData: tastePairsWithTies },
    ],
    ["rankings", { data: tasteRankings }],
  ] as const satisfies readonly (readonly [string, Partial<RewardOptions>])[])
    it(`leaves no trace: ${name}`, async () => {
      const given = options as Partial<RewardOptions>;
      const whole = await start({ ...given, output: place.output("whole") });
      await start(given, 4);
      await start({ ...given, resume: true }, 7);
      const resumed = await start({ ...given, resume: true });
      expect([resumed.status, resumed.steps]).to.deep.equal(["done", 12]);
      expectSameRun(place.output(), place.output("whole"));
      expect(resumed.details).to.deep.equal(whole.details);
      expect(notes("run")).to.deep.equal(notes("whole"));
    });

  it("sees a parameter of ties that was not restored", async () => {
    const given = { data: tastePairsWithTies, loss: "davidson" } as const;
    await start(given, 4);
    const file = join(place.output(), "checkpoints", "step-4", "checkpoint.json");
    const { own } = JSON.parse(readFileSync(file, "utf8")) as { own: Record<string, number> };
    expect(own).to.have.all.keys("position", "first", "second", "updates");
    expect(own.updates).to.equal(4);
  });

  it("takes the best step's parameter of ties with its weights", async () => {
    const given = { data: tastePairsWithTies, loss: "davidson", evalData: tastePairsWithTies } as const;
    // Rates that overshoot, so that the best evaluation is not the last.
    const rising = { ...given, learningRate: 0.3, schedule: "constant", evalEvery: 1, earlyStop: 3 } as const;
    const { bestStep, steps, details } = await start({ ...rising, epochs: 20 });
    expect(bestStep).to.be.below(steps);
    const evaluations = place.metrics().filter((line) => String(line.split) === "eval");
    const best = evaluations.find(({ step }) => step === bestStep);
    expect(details?.tieParameter).to.equal(best?.eval_tie_parameter);
  });

  it("is refused with another number of heads", async () => {
    await start({ heads: 2 }, 4);
    const failure = await failureOf(() => start({ heads: 3, resume: true }));
    expect(failure.code).to.equal("ATTUNE_RESUME");
    expect(failure.message).to.include("heads was 2 and is 3");
  });
});
