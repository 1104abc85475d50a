// What losses of policies and values refuse: each by its name and, of a list, its entry.

import { expect } from "chai";
import { type Checks, groupedBatch, openChecks } from "../../lib/engine/checks.js";
import type { LossSpec, PolicyLoss, ValueLoss } from "../../lib/engine/contract.js";
import { failureOf } from "../errors/expect-failure.js";

const numbers = (...values: number[]) => Float64Array.from(values);
const NAN = Number.NaN;

/** Of two completions of one target each. */
function policyLoss(changes: Partial<Record<keyof PolicyLoss | "clipLow" | "clipHigh", unknown>> = {}) {
  return {
    kind: "policy",
    form: "clip",
    ratio: "token",
    normaliser: 2,
    clipLow: 0.2,
    clipHigh: 0.2,
    advantages: numbers(1, -1),
    oldLogprobs: numbers(-3, -4),
    ...changes,
  } as LossSpec;
}

function valueLoss(changes: Partial<Record<keyof ValueLoss, unknown>> = {}) {
  return { kind: "value", normaliser: 2, returns: numbers(1, 2), ...changes } as LossSpec;
}

type Misuse = readonly [what: string, loss: LossSpec, code: "OPTION" | "SHAPE", says: string];

const cispo = { form: "cispo", ratioCap: undefined };

const policyMisuses: readonly Misuse[] = [
  ["an unknown form", policyLoss({ form: "ppo" }), "OPTION", "one of clip, cispo"],
  ["an unknown ratio", policyLoss({ ratio: "row" }), "OPTION", "one of token, sequence, sequence-mean"],
  ["an unknown estimate", policyLoss({ klForm: "k4" }), "OPTION", "klForm to be one of k1, k2, k3"],
  ["a range below 0", policyLoss({ clipHigh: -0.1 }), "OPTION", "clipHigh to be a number >= 0"],
  ["a range that holds nothing", policyLoss({ clipLow: 1 }), "OPTION", "clipLow in [0, 1) but received 1"],
  ["no range", policyLoss({ clipLow: undefined }), "OPTION", "loss.clipLow to be a number"],
  ["a cap of 0", policyLoss({ ratioCap: 0 }), "OPTION", "ratioCap above 0"],
  ["no cap where one is needed", policyLoss(cispo), "OPTION", "ratioCap, the largest ratio that counts"],
  [
    "no advantages",
    policyLoss({ advantages: undefined }),
    "SHAPE",
    "advantages: expected 2 values (one per target)",
  ],
  [
    "advantages of another length",
    policyLoss({ advantages: numbers(1), ratio: "sequence" }),
    "SHAPE",
    "advantages: expected 2 values (one per completion) but got 1",
  ],
  ["an advantage that is no number", policyLoss({ advantages: numbers(0, NAN) }), "OPTION", "advantages[1]"],
  ["an infinite log-prob", policyLoss({ oldLogprobs: numbers(-1 / 0, 0) }), "OPTION", "oldLogprobs[0]"],
  [
    "old log-probs of another length",
    policyLoss({ oldLogprobs: numbers(-1) }),
    "SHAPE",
    "oldLogprobs: expected 2",
  ],
  [
    "a start of another length",
    policyLoss({ startLogprobs: numbers(-1) }),
    "SHAPE",
    "startLogprobs: expected 2",
  ],
  [
    "a start that is no number",
    policyLoss({ startLogprobs: numbers(-1, NAN) }),
    "OPTION",
    "startLogprobs[1]",
  ],
  [
    "a reference that is no number",
    policyLoss({ referenceLogprobs: numbers(NAN, -1) }),
    "OPTION",
    "referenceLogprobs[0]",
  ],
  ["a penalty without a reference", policyLoss({ klWeight: 0.1 }), "SHAPE", "referenceLogprobs: expected 2"],
  ["a penalty below 0", policyLoss({ klWeight: -1 }), "OPTION", "klWeight to be a weight >= 0"],
  ["a bonus that is no number", policyLoss({ entropyWeight: NAN }), "OPTION", "entropyWeight"],
  ["a temperature of 0", policyLoss({ temperature: 0 }), "OPTION", "temperature above 0 but received 0"],
  [
    "a completion's weight below 0",
    policyLoss({ completionWeights: numbers(1, -1) }),
    "OPTION",
    "completionWeights[1]: expected a weight >= 0",
  ],
  [
    "weights of another length",
    policyLoss({ completionWeights: numbers(1) }),
    "SHAPE",
    "completionWeights: expected 2 values (one per completion)",
  ],
  ["a normaliser of 0", policyLoss({ normaliser: 0 }), "OPTION", "normaliser above 0"],
];

const valueMisuses: readonly Misuse[] = [
  ["no returns", valueLoss({ returns: undefined }), "SHAPE", "returns: expected 2 values (one per target)"],
  ["a return that is no number", valueLoss({ returns: numbers(NAN, 0) }), "OPTION", "returns[0]"],
  ["a range without old values", valueLoss({ clip: 0.2 }), "SHAPE", "oldValues: expected 2"],
  ["an old value that is no number", valueLoss({ oldValues: numbers(0, NAN) }), "OPTION", "oldValues[1]"],
  ["a range of 0", valueLoss({ clip: 0, oldValues: numbers(0, 0) }), "OPTION", "clip above 0"],
  ["a bias that is no number", valueLoss({ bias: NAN }), "OPTION", "bias to be a finite number"],
  ["a weight below 0", valueLoss({ completionWeights: numbers(-1, 0) }), "OPTION", "completionWeights[0]"],
];

describe("losses of policies and values refuse", () => {
  let checks: Checks;
  before(() => {
    checks = openChecks({ threads: 1 });
  });
  after(() => checks.dispose());

  for (const [what, loss, code, says] of policyMisuses) {
    it(what, async () => {
      const failure = await failureOf(() =>
        checks.logprobLoss(loss, groupedBatch([2]), Float32Array.of(-3, -4)),
      );
      expect(failure.message).to.include(says);
      expect(failure.code).to.equal(`ATTUNE_${code}`);
    });
  }

  for (const [what, loss, code, says] of valueMisuses) {
    it(`${what} (values)`, async () => {
      const failure = await failureOf(() => checks.scoreLoss(loss, groupedBatch([2]), numbers(0, 0), 1));
      expect(failure.message).to.include(says);
      expect(failure.code).to.equal(`ATTUNE_${code}`);
    });
  }

  it("values of several heads", async () => {
    const failure = await failureOf(() =>
      checks.scoreLoss(valueLoss(), groupedBatch([2]), numbers(0, 0, 0, 0), 2),
    );
    expect(failure.message).to.include("one score head but this one has 2");
  });
});

describe("the weight of a completion in a policy's loss", () => {
  it("of 0 leaves exactly zero, whatever the log-probs are", async () => {
    const checks = openChecks({ threads: 1 });
    try {
      const completionWeights = numbers(1, 0);
      for (const ratio of ["token", "sequence", "sequence-mean"]) {
        const loss = policyLoss({ ratio, completionWeights, entropyWeight: 0.1 });
        const logprobs = Float32Array.of(-3, NAN);
        const entropies = Float32Array.of(1, NAN);
        const found = await checks.logprobLoss(loss, groupedBatch([1, 1]), logprobs, entropies);
        expect(Math.abs(found.gradient[1] ?? NAN), ratio).to.equal(0);
        expect(Math.abs(found.entropyGradient[1] ?? NAN), ratio).to.equal(0);
        expect([...found.groupLosses], ratio).to.deep.equal([-1.1, 0]);
      }
    } finally {
      await checks.dispose();
    }
  });
});
