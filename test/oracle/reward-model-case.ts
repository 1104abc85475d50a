// One sequence-classification model of the oracle on one instruction set: scores, Bradley-Terry loss, gradients, AdamW.
// Must not know a case's name or sizes: both come from its files.

import { expect } from "chai";
import type { StepResult } from "../../lib/engine/contract.js";
import type { Engine, Model } from "../../lib/engine/index.js";
import { batchOfSequences, everyPosition, type WholeSequence } from "../support/oracle-batch.js";
import { at, Comparison } from "../support/oracle-compare.js";
import { suiteEngine, type TestedIsa } from "../support/oracle-engines.js";
import { checkAdamW } from "./adamw-steps.js";
import type { ExpectedModel, RewardFigures } from "./expected-model.js";
import { checkGradients } from "./gradient-bars.js";
import { checkHalfPrecision } from "./half-precision.js";

type Expected = ExpectedModel<RewardFigures>;

/** Registers the tests of a case on one instruction set. */
export function rewardModelCase(expected: Expected, isa: TestedIsa): void {
  const engine = suiteEngine({ isa });
  const { name } = expected;
  describe("fp32", () => {
    const compare = new Comparison({ family: "model", isa: isa.name, dtype: "fp32", name });
    singlePrecision(expected, engine, compare);
  });
  describe("bf16", () => {
    const compare = new Comparison({ family: "model", isa: isa.name, dtype: "bf16", name });
    const evaluate = async (model: Model) => {
      const scores = await model.scores(positionsBatch(expected));
      await takeStep(expected, model);
      return scores;
    };
    checkHalfPrecision({ expected, engine, compare, evaluate });
  });
}

function singlePrecision(expected: Expected, engine: () => Engine, compare: Comparison): void {
  const { figures, tensors } = expected;
  let model: Model;
  let scores: Float32Array;
  let step: StepResult;

  before(async () => {
    model = await engine().loadModel(expected.folder, { dtype: "fp32" });
    scores = await model.scores(positionsBatch(expected));
    step = await takeStep(expected, model);
  });
  after(() => model?.dispose());

  it("has the score at every position", () => {
    compare.relativeL2("scores_all", scores, tensors.values("scores_all"), 5e-6);
  });

  it("has each sequence's score at its last token", () => {
    const lasts = Array.from(expected.offsets.subarray(1), (offset) => at(scores, offset - 1));
    // The bar of scores_all for single values of this size.
    const tolerance = { relative: 5e-6, absolute: 2e-5 };
    compare.within("scores", lasts, tensors.values("scores"), tolerance);
    compare.within("scores", lasts, figures.scores, tolerance);
    const pair = [at(lasts, figures.chosen), at(lasts, figures.rejected)];
    compare.within("scores of the pair in its step", step.scores, pair, { relative: 1e-6, absolute: 1e-6 });
  });

  it("has the Bradley-Terry loss", () => {
    compare.absolute("loss", step.loss, figures.loss, 6e-6);
    expect(step.headRows).to.equal(2);
  });

  it("has every parameter's gradient and the norm of all", async () => {
    await checkGradients({ model, expected: expected.gradients, norm: figures.grad_norm, compare });
  });

  it("takes the AdamW steps", async () => {
    const takeOne = async () => (await takeStep(expected, model)).loss;
    await checkAdamW({ model, expected: figures.adamw, compare, step: takeOne, bar: 1e-4 });
  });
}

function positionsBatch(expected: Expected) {
  return batchOfSequences({ sequences: expected.sequences(everyPosition) });
}

/** The chosen and the rejected sequence as a pair; the others have no part in it. */
function takeStep(expected: Expected, model: Model): Promise<StepResult> {
  const all = expected.sequences((tokens) => [{ position: tokens.length - 1, token: 0 }]);
  const pair = [all[expected.figures.chosen], all[expected.figures.rejected]];
  const sequences = pair.filter((sequence): sequence is WholeSequence => sequence !== undefined);
  const batch = batchOfSequences({ sequences, perGroup: 2 });
  return model.step(batch, { kind: "scores", form: "bradley-terry", normaliser: 1 });
}
