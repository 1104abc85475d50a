// The oracle's ten AdamW steps on one batch, and the comparison of losses, norms and final parameters.
// Must not know a model's kind: how to take a step is passed in.

import type { TrainableModel } from "../../lib/engine/contract.js";
import { type Comparison, l2, sumOf } from "../support/oracle-compare.js";
import type { AdamWRun } from "./expected-model.js";

export interface AdamWCheckOptions {
  readonly model: TrainableModel;
  readonly expected: AdamWRun;
  readonly compare: Comparison;
  /** Adds the batch's gradient and gives its loss. */
  readonly step: () => Promise<number>;
  /** Relative bar of losses and norms. */
  readonly bar: number;
}

/** Starts from cleared gradients; leaves the model trained. */
export async function checkAdamW({ model, expected, compare, step, bar }: AdamWCheckOptions): Promise<void> {
  const losses: number[] = [];
  const norms: number[] = [];
  await model.clearGradients();
  for (let t = 0; t < expected.steps; t++) {
    losses.push(await step());
    const { gradNorm } = await model.update({
      learningRate: expected.lr,
      beta1: expected.beta1,
      beta2: expected.beta2,
      epsilon: expected.eps,
      weightDecay: expected.weight_decay,
      maxGradNorm: expected.max_grad_norm,
    });
    norms.push(gradNorm);
  }
  const lossAfter = await step();
  await model.clearGradients();
  compare.relative("AdamW losses", losses, expected.losses, bar);
  compare.relative("AdamW gradient norms", norms, expected.grad_norms, bar);
  compare.relative("AdamW loss after", lossAfter, expected.loss_after, bar);
  await checkFinal(model, expected, compare);
}

async function checkFinal(model: TrainableModel, expected: AdamWRun, compare: Comparison): Promise<void> {
  for (const [name, { l2: norm, sum, first4 }] of Object.entries(expected.final)) {
    const values = await model.parameter(name);
    const { title, normBar, sumBar, firstBar } = finalBars(name);
    compare.relative(`AdamW final l2${title}`, l2(values), norm, normBar, name);
    compare.absolute(`AdamW final sum${title}`, sumOf(values), sum, sumBar, name);
    compare.absolute(
      `AdamW final first values${title}`,
      values.subarray(0, first4.length),
      first4,
      firstBar,
      name,
    );
  }
}

interface FinalBars {
  readonly title: string;
  readonly normBar: number;
  readonly sumBar: number;
  readonly firstBar: number;
}

/**
 * Key biases have a gradient of zero, or nearly: Adam then makes steps out of rounding noise. The first values of
 * c_attn.bias belong to queries; those of k_proj.bias may be as far off as its norm.
 */
function finalBars(name: string): FinalBars {
  const usual = { title: "", normBar: 3e-6, sumBar: 1e-3, firstBar: 1e-5 };
  if (name.endsWith("c_attn.bias"))
    return { ...usual, title: " of c_attn.bias", normBar: 2e-3, sumBar: 2e-2 };
  if (name.endsWith("k_proj.bias"))
    return { ...usual, title: " of k_proj.bias", normBar: 5e-5, firstBar: 5e-5 };
  return usual;
}
