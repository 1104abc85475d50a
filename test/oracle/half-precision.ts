// The bars of bf16: errors of outputs and gradients at most a small multiple of torch's own, and not far below them,
// which would mean that something else than bf16 computed. Must not know a model's kind.

import { expect } from "chai";
import type { Engine, Model } from "../../lib/engine/index.js";
import { at, type Comparison, l2, maxAbsolute, meanAbsolute, relativeL2 } from "../support/oracle-compare.js";
import type { AdamWRun, ExpectedModel, TorchErrors } from "./expected-model.js";

export interface HalfPrecisionOptions {
  readonly expected: ExpectedModel<{
    readonly loss: number;
    readonly grad_norm: number;
    readonly adamw: AdamWRun;
    readonly torch_bf16: TorchErrors;
  }>;
  readonly engine: () => Engine;
  readonly compare: Comparison;
  /** Gives the outputs of every position; leaves the gradients of the case's loss in the model. */
  readonly evaluate: (model: Model) => Promise<Float32Array>;
}

/** Registers the tests of a case in bf16. */
export function checkHalfPrecision({ expected, engine, compare, evaluate }: HalfPrecisionOptions): void {
  const torch = expected.figures.torch_bf16;
  const outputs = expected.tensors.has("logits") ? "logits" : "scores_all";
  const ofTorch = (figure: "max_abs" | "mean_abs" | "rel_l2") => torch[`${outputs}_${figure}`] ?? Number.NaN;
  let model: Model;
  let actual: Float32Array;

  before(async () => {
    model = await engine().loadModel(expected.folder, { dtype: "bf16" });
    actual = await evaluate(model);
  });
  after(() => model?.dispose());

  it(`has ${outputs} as near to the truth as twice torch's bf16`, () => {
    const truth = expected.tensors.values(outputs);
    expect(actual.length).to.equal(truth.length);
    compare.below(`${outputs}, mean`, meanAbsolute(actual, truth), 2 * ofTorch("mean_abs"));
    compare.below(`${outputs}, rel. L2`, relativeL2(actual, truth), 2 * ofTorch("rel_l2"));
    compare.below(`${outputs}, largest`, maxAbsolute(actual, truth), 3 * ofTorch("max_abs"));
  });

  it("computes in bf16: errors are at least a quarter of torch's", () => {
    const truth = expected.tensors.values(outputs);
    expect(meanAbsolute(actual, truth), "mean").to.be.at.least(ofTorch("mean_abs") / 4);
    expect(relativeL2(actual, truth), "relative L2").to.be.at.least(ofTorch("rel_l2") / 4);
  });

  it("keeps matrices in two bytes a number", () => {
    const sizes = model.tensors().filter(({ shape }) => shape.length > 1);
    const matrices = sizes.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    // Panels round rows and columns up: more than two bytes each on small shapes, never four.
    expect(model.memory().weightsBf16).to.be.at.least(2 * matrices);
    expect(model.memory().weightsBf16).to.be.lessThan(4 * matrices);
  });

  it("has gradients as near to the truth as twice torch's bf16, thrice for a single tensor", async () => {
    let difference = 0;
    let norm = 0;
    for (const [name, values] of expected.gradients) {
      const gradient = await model.gradient(name);
      const error = relativeL2(gradient, values);
      compare.below("gradient of a tensor", error, 3 * (torch.grad_rel_l2[name] ?? Number.NaN), name);
      difference += l2(values.map((value, i) => at(gradient, i) - value)) ** 2;
      norm += l2(values) ** 2;
    }
    compare.below("all gradients", Math.sqrt(difference / norm), 2 * torch.grad_rel_l2_all);
  });
}
