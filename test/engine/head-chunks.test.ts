// A vocabulary so large that the head takes 48 targets at a time: pairs and rows that do not fit one chunk of logits give
// the loss, log-probs and gradients of the same targets in steps of one chunk each.

import { expect } from "chai";
import { type PackedBatch, packRows } from "../../lib/data/index.js";
import {
  createEngine,
  type Engine,
  type LossSpec,
  type Model,
  type StepResult,
} from "../../lib/engine/index.js";
import { relativeL2 } from "../support/oracle-compare.js";
import { someIds } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const CHUNK = 48;
/** 120 MiB of logits would hold fewer than 48 rows of it. */
const VOCABULARY = 660_000;
const BETA = 0.1;

/** Targets by pair and side: larger than a chunk, two that share one, larger again. */
const counts = [
  [60, 62],
  [7, 9],
  [8, 10],
  [50, 3],
] as const;
const data = counts.map((sides, row) => ({
  prompt: someIds(4 + row, 3 * row + 1),
  completions: sides.map((count, side) => someIds(count, 5 * row + side + 2)),
}));
const batch = packRows({ data, rows: data.map((_, row) => row) });
/** Near the summed log-probs of an untrained model, so that no pair's slope vanishes. */
const reference = Float64Array.from(counts.flat(), (count, i) => -13.4 * count + (i % 3) - 1);
const dpo: LossSpec = {
  kind: "pairwise",
  terms: [{ name: "sigmoid", weight: 1 }],
  normaliser: 1,
  beta: BETA,
  labelSmoothing: 0,
  reference,
};

/** Targets [first, first + count) of the batch, as one group of one completion. */
function part(first: number, count: number): PackedBatch {
  const targets = batch.targets.slice(2 * first, 2 * (first + count));
  return { ...batch, targets, completions: Int32Array.of(0, count), groups: Int32Array.of(0, 1) };
}

/** Steps of at most one chunk each, with one weight per completion. Gives the completions' summed log-probs. */
async function stepInParts(model: Model, weights: readonly number[]): Promise<number[]> {
  const sums: number[] = [];
  let first = 0;
  for (const [completion, count] of counts.flat().entries()) {
    let sum = 0;
    for (let done = 0; done < count; done += CHUNK) {
      const size = Math.min(CHUNK, count - done);
      const weight = weights[completion] ?? Number.NaN;
      const loss = { kind: "nll", normaliser: 1, weights: Float64Array.of(weight) } as const;
      const { headRows, completions } = await model.step(part(first + done, size), loss);
      expect(headRows).to.equal(size);
      sum += completions[0]?.logprob ?? Number.NaN;
    }
    first += count;
    sums.push(sum);
  }
  return sums;
}

/** Derivatives of the pairs' losses with respect to the summed log-probs, times -1: what weighs a negative log-prob. */
function pairWeights(sums: readonly number[]): number[] {
  return sums.map((_, i) => {
    const ratio = (side: number) => (sums[side] ?? Number.NaN) - (reference[side] ?? Number.NaN);
    const chosen = i - (i % 2);
    const slope = BETA / (1 + Math.exp(BETA * (ratio(chosen) - ratio(chosen + 1))));
    return i === chosen ? slope : -slope;
  });
}

async function gradients(model: Model): Promise<Map<string, Float32Array>> {
  const all = new Map<string, Float32Array>();
  for (const { name } of model.tensors()) all.set(name, await model.gradient(name));
  await model.clearGradients();
  return all;
}

function expectSame(actual: Map<string, Float32Array>, expected: Map<string, Float32Array>): void {
  expect(actual.size).to.be.above(5);
  for (const [name, values] of expected)
    expect(relativeL2(actual.get(name) ?? [], values), name).to.be.at.most(2e-6);
}

describe("a head that cuts its targets into chunks", function () {
  this.timeout(120_000);
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  before(async () => {
    const shape = { vocabularySize: VOCABULARY, width: 8, heads: 2, kvHeads: 1, layers: 1, mlpWidth: 8 };
    writeTinyModel({ folder: at("large"), tied: true, ...shape });
    engine = await createEngine({ threads: 2 });
    model = await engine.loadModel(at("large"));
  });
  after(() => engine?.dispose());

  describe("for pairs, some larger than a chunk", () => {
    let result: StepResult;
    let whole: Map<string, Float32Array>;
    let sums: readonly number[];
    before(async () => {
      result = await model.step(batch, dpo);
      sums = result.completions.map(({ logprob }) => logprob);
      whole = await gradients(model);
    });

    it("computes the rows of the large ones twice, and says so", () => {
      expect(result.headRows).to.equal(2 * (60 + 62 + 50 + 3) + 7 + 9 + 8 + 10);
    });

    it("gives the gradients and log-probs of the same targets in single chunks", async () => {
      const alone = await stepInParts(model, pairWeights(sums));
      expectSame(whole, await gradients(model));
      for (const [i, sum] of sums.entries())
        expect(sum).to.be.closeTo(alone[i] ?? Number.NaN, 1e-9 * Math.abs(sum));
    });

    it("sees a wrong weight of the smallest completion", async () => {
      const wrong = pairWeights(sums).map((weight, i) => (i === 7 ? 1.01 * weight : weight));
      await stepInParts(model, wrong);
      const other = await gradients(model);
      expect(() => expectSame(whole, other)).to.throw(/expected/);
    });
  });

  it("cuts targets that stand alone anywhere, each row once", async () => {
    const weights = Float64Array.of(1, 0.5, 2, 0.25);
    const { headRows, groupLosses } = await model.step(batch, { kind: "nll", normaliser: 1, weights });
    expect(headRows).to.equal(batch.counts.targets);
    const whole = await gradients(model);
    const sums = await stepInParts(
      model,
      counts.flatMap((_, row) => [weights[row] ?? Number.NaN, weights[row] ?? Number.NaN]),
    );
    expectSame(whole, await gradients(model));
    for (const [row, loss] of groupLosses.entries())
      expect(loss).to.be.closeTo(-(sums[2 * row] ?? 0) - (sums[2 * row + 1] ?? 0), 1e-6);
  });

  /** On samples of the model itself, of which the ratios are 1, or another one for all targets of a completion. */
  const policyLoss = async (ratio: "token" | "sequence", ratios: readonly number[]) => {
    const { logprobs } = await model.forward(batch);
    const all = counts.flat();
    const owners = all.flatMap((count, completion) => new Array<number>(count).fill(completion));
    const share = (completion: number) =>
      Math.log(ratios[completion] ?? Number.NaN) / (ratio === "token" ? 1 : (all[completion] ?? 1));
    const loss = {
      kind: "policy",
      form: "clip",
      ratio,
      clipLow: 0.9,
      clipHigh: 9,
      normaliser: 1,
      advantages: Float64Array.from(ratio === "token" ? owners : all, (one, i) =>
        advantageOf(ratio === "token" ? one : i),
      ),
      oldLogprobs: Float64Array.from(logprobs, (logprob, i) => logprob - share(owners[i] ?? 0)),
    } as const;
    return loss;
  };
  const advantageOf = (completion: number) => 0.5 + (completion % 3);
  const eightRatios = [1.5, 0.5, 2, 1, 0.7, 3, 1.1, 0.4];

  it("cuts the tokens of a policy anywhere, each row once", async () => {
    const { headRows, policy } = await model.step(batch, await policyLoss("token", eightRatios));
    expect(headRows).to.equal(batch.counts.targets);
    expect(policy?.ratios).to.equal(batch.counts.targets);
    const whole = await gradients(model);
    await stepInParts(
      model,
      eightRatios.map((ratio, completion) => ratio * advantageOf(completion)),
    );
    expectSame(whole, await gradients(model));
  });

  it("knows the ratio of a whole completion before any of its gradients", async () => {
    const { headRows, policy } = await model.step(batch, await policyLoss("sequence", eightRatios));
    expect(headRows).to.equal(2 * (60 + 62 + 50 + 3) + 7 + 9 + 8 + 10);
    expect(policy?.ratios).to.equal(8);
    expect(policy?.ratio).to.be.closeTo(10.2, 1e-4);
    const whole = await gradients(model);
    await stepInParts(
      model,
      eightRatios.map((ratio, completion) => ratio * advantageOf(completion)),
    );
    expectSame(whole, await gradients(model));
  });

  it("evaluates more targets than a chunk holds, to the log-probs of a step", async () => {
    const { logprobs } = await model.forward(batch);
    const { completions } = await model.step(batch, dpo);
    await model.clearGradients();
    const chosen = logprobs.subarray(0, counts[0][0]).reduce((sum, logprob) => sum + logprob, 0);
    expect(chosen).to.be.closeTo(completions[0]?.logprob ?? Number.NaN, 1e-9 * Math.abs(chosen));
  });
});
