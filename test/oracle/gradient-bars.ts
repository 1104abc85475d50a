// Holds the gradients gathered in a model against expected ones. Must not take a step.

import { expect } from "chai";
import type { TrainableModel } from "../../lib/engine/contract.js";
import { type Comparison, l2 } from "../support/oracle-compare.js";

export interface GradientCheckOptions {
  readonly model: TrainableModel;
  /** By the parameters' names. */
  readonly expected: ReadonlyMap<string, Float64Array>;
  /** L2 norm of all gradients together. */
  readonly norm: number;
  readonly compare: Comparison;
}

/**
 * Every tensor: relative L2 within 1e-5, and single entries within half of that, so that one wrong entry of a large
 * tensor is seen too. Leaves the gradients as they are.
 */
export async function checkGradients({
  model,
  expected,
  norm,
  compare,
}: GradientCheckOptions): Promise<void> {
  const names = model.tensors().map(({ name }) => name);
  expect([...expected.keys()].sort(), "names of parameters").to.deep.equal(names.sort());
  let squares = 0;
  for (const [name, values] of expected) {
    const gradient = await model.gradient(name);
    compare.relativeL2("gradients", gradient, values, 1e-5, name);
    const tolerance = { relative: 1e-3, absolute: 5e-6 * l2(values) };
    compare.within("single gradients", gradient, values, tolerance, name);
    squares += l2(gradient) ** 2;
  }
  compare.relative("gradient norm", Math.sqrt(squares), norm, 5e-6);
}
