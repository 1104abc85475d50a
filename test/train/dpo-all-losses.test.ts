// Every loss of dpo on the real engine through the public function: it learns, and what must not matter does not matter.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { createEngine } from "../../lib/engine/index.js";
import { type DpoLossName, dpoLosses, dpoLossNames } from "../../lib/options/index.js";
import { type DpoMetrics, type DpoOptions, dpo } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { RecordedModel } from "../support/recorded-model.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { TINY_EOS } from "../support/tiny-tokenizer.js";
import { expectSameRun } from "./same-run.js";
import { type Place, pairs, temporaryPlace } from "./training-rows.js";

const rankings = [
  { prompt: "a?", completions: [" yes", " no no", " perhaps"], ranks: [1, 3, 2] },
  { prompt: "bb?", completions: [" never", " yes please", " so so", " hm"], ranks: [3, 1, 2, 4] },
  { prompt: "ccc?", completions: [" y", " nothing"], ranks: [1, 2] },
  { prompt: "d?", completions: [" no", " yes sir", " nay", " well"], ranks: [3, 1, 3, 2] },
  { prompt: "ee?", completions: [" not now", " yes yes", " later"], ranks: [2, 1, null] },
];
const isRanking = (loss: DpoLossName) => dpoLosses[loss].rows === "rankings";
const rowsOf = (loss: DpoLossName) => (isRanking(loss) ? rankings : pairs);
/** All answers have to have a place where every pair counts. */
const ofLoss = (loss: DpoLossName): Partial<DpoOptions> => (loss === "all-pairs" ? { ties: "drop" } : {});

/** Summed log-probs of a pair's sides under two models. */
type PairSums = Readonly<Record<"chosen" | "rejected", readonly [number, number]>>;

async function logprobsOf(folders: readonly [string, string]): Promise<readonly PairSums[]> {
  await using engine = await createEngine({ device: "cpu", threads: 1 });
  const models = await Promise.all(folders.map((folder) => engine.loadModel(folder)));
  const sum = async (prompt: string, answer: string) => {
    const row = { prompt: [...Buffer.from(prompt)], completion: [...Buffer.from(answer), TINY_EOS] };
    const [first = 0, second = 0] = await Promise.all(
      models.map(async (model) => (await model.logprobs([row]))[0]?.reduce((a, b) => a + b, 0)),
    );
    return [first, second] as const;
  };
  return await Promise.all(
    pairs.map(async ({ prompt, chosen, rejected }) => ({
      chosen: await sum(prompt, chosen),
      rejected: await sum(prompt, rejected),
    })),
  );
}

/** Notes the most targets that memory was planned for. */
class PlannedModel extends RecordedModel {
  planned = 0;

  override plan(options: Parameters<RecordedModel["plan"]>[0]) {
    this.planned = Math.max(this.planned, options.targets);
    return super.plan(options);
  }
}

describe("every loss of dpo", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const run = (options: Partial<DpoOptions>, name = "run") =>
    dpo({
      model: place.model,
      data: pairs,
      output: place.output(name),
      batchSize: 5,
      epochs: 3,
      shuffle: false,
      learningRate: 1e-3,
      schedule: "constant",
      threads: 1,
      ...options,
    });

  const expectClose = (one: readonly Record<string, number>[], other: readonly Record<string, number>[]) => {
    expect(one.length).to.equal(other.length).and.to.be.above(0);
    for (const [step, metrics] of one.entries())
      for (const key of ["loss", "grad_norm", "rewards/margins", "logps/chosen"]) {
        const expected = other[step]?.[key] ?? Number.NaN;
        // Margins begin at 0; what is left is the rounding of log-probs near -100.
        expect(metrics[key], `${key} of step ${step + 1}`).to.be.closeTo(
          expected,
          Math.max(1e-5 * Math.abs(expected), 2e-5),
        );
      }
  };

  for (const loss of dpoLossNames) {
    const data = rowsOf(loss);
    const own = ofLoss(loss);

    it(`${loss} falls on a few rows, and the better answers gain`, async () => {
      // At its default temperature discopop starts uphill (docs/losses.md).
      const smooth = loss === "discopop" ? { discopopTemperature: 1 } : {};
      const { first, last } = await run({ loss, data, ...own, ...smooth, epochs: 15 }).result;
      expect(last.loss).to.be.below(first.loss);
      expect(last["rewards/margins"]).to.be.above(first["rewards/margins"]);
    });

    it(`${loss} gives the same in micro-batches of one row as in one of all`, async () => {
      await run({ loss, data, ...own, microBatchTokens: 1 }, "small").result;
      await run({ loss, data, ...own, microBatchTokens: 4096 }, "large").result;
      expectClose(place.metrics("small"), place.metrics("large"));
    });

    it(`${loss} does not see the order of the rows of a step`, async () => {
      await run({ loss, data, ...own }, "forward").result;
      await run({ loss, data: data.toReversed(), ...own }, "backward").result;
      expectClose(place.metrics("backward"), place.metrics("forward"));
    });

    it(`${loss} is measured on evaluation rows as it is trained`, async () => {
      const { first, evaluation } = await run({ loss, data, ...own, evalData: data, maxSteps: 1 }).result;
      const measured = evaluation?.first ?? {};
      const keys = Object.keys(first).filter((key) => `eval_${key}` in measured);
      expect(keys).to.include.members(["loss", "rewards/margins", "rewards/accuracies", "logps/chosen"]);
      for (const key of keys) {
        const expected = first[key as keyof DpoMetrics] as number;
        expect(measured[`eval_${key}` as keyof typeof measured], key).to.be.closeTo(expected, 1e-9);
      }
    });
  }

  for (const loss of ["simpo", "cpo", "orpo", "sft"] as const) {
    it(`${loss} has no reference, so none is kept`, async () => {
      await run({ loss, maxSteps: 1 }).result;
      expect(existsSync(join(place.output(), "reference"))).to.equal(false);
    });
  }

  for (const loss of ["sft", "orpo", "cpo"] as const) {
    it(`${loss} reports the likelihood of the chosen sides`, async () => {
      const { first } = await run({ loss, maxSteps: 1 }).result;
      const tokens = pairs.reduce((sum, { chosen }) => sum + chosen.length + 1, 0);
      expect(first.nll_loss).to.be.closeTo((-first["logps/chosen"] * pairs.length) / tokens, 1e-6);
    });
  }

  it("sft alone is the likelihood of the chosen sides", async () => {
    const { first } = await run({ loss: "sft", maxSteps: 1 }).result;
    expect(first.loss).to.be.closeTo(first.nll_loss ?? Number.NaN, 1e-6);
  });

  it("several losses add up, each times its weight", async () => {
    const firstLoss = async (options: Partial<DpoOptions>, name: string) =>
      (await run({ ...options, maxSteps: 1 }, name).result).first.loss;
    const dpoLoss = await firstLoss({ loss: "sigmoid" }, "dpo");
    const sft = await firstLoss({ loss: "sft" }, "sft");
    const both = await firstLoss({ loss: ["sigmoid", "sft"], lossWeights: [2, 0.1] }, "both");
    expect(both).to.be.closeTo(2 * dpoLoss + 0.1 * sft, 1e-6);
  });

  for (const loss of ["plackett-luce", "all-pairs", "best-of-k"] as const) {
    it(`${loss} of two answers is DPO`, async () => {
      const two = pairs.map(({ prompt, chosen, rejected }) => ({
        prompt,
        completions: [rejected, chosen],
        ranks: [2, 1],
      }));
      await run({}, "pairs").result;
      await run({ loss, data: two }, "rankings").result;
      expectClose(place.metrics("rankings"), place.metrics("pairs"));
    });
  }

  it("plackett-luce learns from the best alone where only that is known", async () => {
    const best = [{ prompt: "a?", completions: [" no", " yes", " hm"], best: 1 }];
    await run({ loss: "plackett-luce", data: best }, "whole").result;
    await run({ loss: "best-of-k", data: best }, "best").result;
    expectClose(place.metrics("whole"), place.metrics("best"));
  });

  it("ties of rankings count as asked", async () => {
    const data = [{ prompt: "a?", completions: [" yes", " no", " hm"], ranks: [1, 1, 2] }];
    const losses = new Set<number>();
    for (const ties of ["breslow", "average", "marginal"] as const)
      losses.add((await run({ loss: "plackett-luce", data, ties, maxSteps: 1 }, ties).result).first.loss);
    expect(losses.size).to.equal(3);
  });

  it("losses that sort compare over the whole update, alone in it a pair with itself", async () => {
    await run({ loss: "aot", batchSize: 1, epochs: 1 }, "apart").result;
    await run({ loss: "sigmoid", batchSize: 1, epochs: 1 }, "pairs").result;
    expectClose(place.metrics("apart"), place.metrics("pairs"));
  });

  for (const loss of ["aot", "aot_unpaired"] as const) {
    it(`${loss} is the loss of the sorted values of all pairs`, async () => {
      const reference = join(place.folder, "other");
      writeTinyModel({ folder: reference, seed: 2 });
      const sums = await logprobsOf([place.model, reference]);
      const sorted = (value: (pair: PairSums) => number) => sums.map(value).toSorted((a, b) => a - b);
      const [upper, lower] =
        loss === "aot"
          ? [
              sorted(({ chosen, rejected }) => chosen[0] - rejected[0]),
              sorted(({ chosen, rejected }) => chosen[1] - rejected[1]),
            ]
          : [
              sorted(({ chosen }) => chosen[0] - chosen[1]),
              sorted(({ rejected }) => rejected[0] - rejected[1]),
            ];
      const losses = upper.map((value, i) => Math.log1p(Math.exp(-0.1 * (value - (lower[i] ?? Number.NaN)))));
      const expected = losses.reduce((sum, value) => sum + value, 0) / losses.length;
      const { first } = await run({ loss, reference, maxSteps: 1, microBatchTokens: 1 }, "sorted").result;
      expect(first.loss).to.be.closeTo(expected, 1e-5);
      const { first: paired } = await run({ reference, maxSteps: 1 }, "paired").result;
      expect(Math.abs(paired.loss - expected)).to.be.above(1e-3);
    });
  }

  it("the pass that sorts is counted in tokens_computed", async () => {
    const { first: plain } = await run({ maxSteps: 1 }, "plain").result;
    const { first: sorted } = await run({ loss: "aot", maxSteps: 1 }, "sorted").result;
    expect(sorted.tokens_computed).to.equal(2 * plain.tokens_computed);
  });

  for (const loss of ["plackett-luce", "aot", "simpo"] as const) {
    it(`${loss} leaves no trace of having been stopped and resumed`, async () => {
      const options = { loss, data: rowsOf(loss), batchSize: 2, shuffle: true };
      await run(options, "whole").result;
      const stopped = run({ ...options, onStep: ({ step }) => void (step === 4 && stopped.stop()) });
      expect((await stopped.result).status).to.equal("interrupted");
      expect((await run({ ...options, resume: true }).result).status).to.equal("done");
      expectSameRun(place.output(), place.output("whole"));
    });
  }

  it("memory is planned for all first tokens that the end of a ranking's prompt predicts", async () => {
    await using engine = await createEngine({ device: "cpu", threads: 1 });
    const model = new PlannedModel(await engine.loadModel(place.model));
    const completions = ["b", "c", "d", "e", "f", "g", "h", "i"];
    const data = [{ prompt: "a", completions, ranks: completions.map((_, i) => i + 1) }];
    await dpo({ model, data, loss: "plackett-luce", output: place.output() }).result;
    const used = model.updates[0]?.steps[0]?.batch.counts.targets ?? Number.NaN;
    expect(used).to.equal(16);
    expect(model.planned).to.be.at.least(used);
  });

  it("pairs for a ranking's loss are refused, with the place", async () => {
    const error = await failureOf(() => run({ loss: "plackett-luce" }).result);
    expect(error.code).to.equal("ATTUNE_DATA_COLUMN");
    expect(error.message).to.match(/rows:1.*expected ranking rows.*preference rows/);
  });

  it("rankings for a pair's loss are refused, with the place", async () => {
    const error = await failureOf(() => run({ data: rankings }).result);
    expect(error.code).to.equal("ATTUNE_DATA_COLUMN");
    expect(error.message).to.match(/rows:1.*expected preference rows.*ranking rows/);
  });

  it("a row that a loss has no place for is refused before anything is written", async () => {
    const data = [...pairs, { ...pairs[0], prompt: "f?", label: 0.3 }];
    const error = await failureOf(() => run({ loss: "hinge", data }).result);
    expect(error.code).to.equal("ATTUNE_DATA");
    expect(error.message).to.match(/^rows:6: expected label 1/);
    expect(existsSync(place.output())).to.equal(false);
  });
});
