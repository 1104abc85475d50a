// AdamW, clipping and schedule cases of the oracle: native/optim through the ops, schedules through lib/train.
// Must not compute an update or a multiplier here.

import type { Checks } from "../../lib/engine/checks.js";
import { type ScheduleName, scheduleMultiplier } from "../../lib/train/index.js";
import { at, Comparison } from "../support/oracle-compare.js";
import { type LossCase, numbersOf, parameterOf, valueTolerance } from "./loss-file.js";

export interface OptimiserInputs {
  readonly params: readonly number[];
  /** [steps][parameters] */
  readonly grads: readonly (readonly number[])[];
  readonly lr: readonly number[];
}

interface ExpectedStep {
  readonly grad_norm: number;
  readonly params: readonly number[];
  readonly m: readonly number[];
  readonly v: readonly number[];
}

export interface AdamWCaseOptions {
  readonly one: LossCase;
  readonly inputs: OptimiserInputs;
  readonly checks: Checks;
}

/** Step by step: each starts from the state that the one before left. */
export async function checkAdamWCase({ one, inputs, checks }: AdamWCaseOptions): Promise<void> {
  const compare = new Comparison({
    family: "loss",
    isa: checks.isa,
    dtype: "fp32",
    name: `optim ${one.case}`,
  });
  const count = inputs.params.length;
  let state = {
    parameter: Float32Array.from(inputs.params),
    m: new Float32Array(count),
    v: new Float32Array(count),
  };
  for (const [step, expected] of (one.steps as readonly ExpectedStep[]).entries()) {
    const options = {
      learningRate: at(inputs.lr, step),
      beta1: parameterOf(one, "beta1"),
      beta2: parameterOf(one, "beta2"),
      epsilon: parameterOf(one, "eps"),
      weightDecay: parameterOf(one, "weight_decay"),
      // null in the file: no clipping.
      maxGradNorm: parameterOf(one, "max_grad_norm", 0),
    };
    const gradient = Float32Array.from(inputs.grads[step] ?? []);
    const { gradNorm, ...next } = await checks.adamw(state, gradient, options, step + 1);
    state = next as typeof state;
    compare.within("AdamW gradient norm", gradNorm, expected.grad_norm, valueTolerance);
    compare.within("AdamW parameters", state.parameter, expected.params, valueTolerance);
    // Moments are small: the tolerance of gradients, relative to their own size (1 - 0.999 in float32 is off by 1.3e-5).
    compare.within("AdamW m", state.m, expected.m, { relative: 2e-5, absolute: 1e-8 });
    compare.within("AdamW v", state.v, expected.v, { relative: 2e-5, absolute: 1e-10 });
  }
}

/** transformers' names of our schedules. */
const names: Readonly<Record<string, ScheduleName>> = {
  constant: "constant",
  constant_with_warmup: "constant",
  linear: "linear",
  cosine: "cosine",
};

export function isSchedule({ schedule }: LossCase["params"]): boolean {
  return names[String(schedule)] !== undefined;
}

export function checkScheduleCase(one: LossCase): void {
  const compare = new Comparison({ family: "loss", isa: "-", dtype: "double", name: `optim ${one.case}` });
  const schedule = names[String(one.params.schedule)];
  if (schedule === undefined) throw new Error(`${one.case}: unknown schedule ${one.params.schedule}`);
  const options = { schedule, warmup: parameterOf(one, "warmup"), total: parameterOf(one, "total") };
  const multipliers = numbersOf(one, "at").map((step) => scheduleMultiplier(step, options));
  compare.absolute("schedule", multipliers, numbersOf(one, "multiplier"), 1e-10);
}
