// The doors to single pieces of compiled code, against plain double-precision formulas.

import { expect } from "chai";
import { type Checks, groupedBatch, openChecks } from "../../lib/engine/checks.js";
import { loadAddon } from "../../lib/engine/load-addon.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { normalNumbers, writeTinyModel } from "../support/tiny-model.js";

function softmaxOf(row: readonly number[], temperature: number): number[] {
  const scaled = row.map((value) => value / temperature);
  const top = Math.max(...scaled);
  const powers = scaled.map((value) => Math.exp(value - top));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

describe("native checks", () => {
  const at = suiteFolder();
  let checks: Checks;
  before(() => {
    checks = openChecks({ threads: 2 });
  });
  after(() => checks.dispose());

  const next = normalNumbers(3);
  const rows = Array.from({ length: 3 }, () => Array.from({ length: 41 }, () => 3 * next()));
  const logits = Float32Array.from(rows.flat());
  const targets = Int32Array.of(0, 40, 17);

  it("gives log-probs and entropies of logits at a temperature", async () => {
    const stats = await checks.headStats(logits, targets, 0.7);
    rows.forEach((row, i) => {
      const p = softmaxOf(row, 0.7);
      expect(stats.logprobs[i]).to.be.closeTo(Math.log(p[targets[i] ?? 0] ?? 0), 1e-5);
      expect(stats.entropies[i]).to.be.closeTo(-p.reduce((sum, q) => sum + q * Math.log(q), 0), 1e-5);
    });
  });

  it("gives the gradient of a weighted log-prob", async () => {
    const none = new Float32Array(0);
    const weights = { logprob: Float32Array.of(2, 0, -1), entropy: none, kl: none, reverseKl: none };
    const gradient = await checks.headGradient(logits, none, targets, weights, 1);
    rows.forEach((row, i) => {
      softmaxOf(row, 1).forEach((p, v) => {
        const expected = (weights.logprob[i] ?? 0) * ((v === targets[i] ? 1 : 0) - p);
        expect(gradient[i * row.length + v]).to.be.closeTo(expected, 2e-6);
      });
    });
  });

  it("gives a group without completions the loss 0, also as the last one", async () => {
    const loss = { kind: "nll", normaliser: 1 } as const;
    const { groupLosses } = await checks.logprobLoss(loss, groupedBatch([0]), new Float32Array(0));
    expect([...groupLosses]).to.deep.equal([0]);
  });

  it("gives no divergence of a distribution from itself", async () => {
    const { kl, reverseKl } = await checks.headKl(logits, logits, 3, 1);
    for (const value of [...kl, ...reverseKl]) expect(value).to.be.closeTo(0, 1e-6);
  });

  it("gives the sigmoid DPO loss of summed log-probs, and its gradient", async () => {
    const loss = {
      kind: "pairwise",
      terms: [{ name: "sigmoid", weight: 1 }],
      normaliser: 1,
      beta: 0.1,
      labelSmoothing: 0,
      reference: Float64Array.of(-10, -12),
    } as const;
    const { groupLosses, gradient } = await checks.logprobLoss(
      loss,
      groupedBatch([2]),
      Float32Array.of(-9, -14),
    );
    const margin = 0.1 * (-9 + 10 - (-14 + 12));
    expect(groupLosses[0]).to.be.closeTo(Math.log(1 + Math.exp(-margin)), 1e-9);
    expect(gradient[0]).to.be.closeTo(-0.1 / (1 + Math.exp(margin)), 1e-7);
    expect(gradient[1]).to.be.closeTo(0.1 / (1 + Math.exp(margin)), 1e-7);
  });

  it("gives the Bradley-Terry loss of scores", async () => {
    const loss = { kind: "scores", form: "bradley-terry", normaliser: 2 } as const;
    const scores = Float64Array.of(1, -0.5, 0.25, 2);
    const { groupLosses } = await checks.scoreLoss(loss, groupedBatch([2, 2]), scores, 1);
    expect(groupLosses[0]).to.be.closeTo(Math.log(1 + Math.exp(-1.5)), 1e-12);
    expect(groupLosses[1]).to.be.closeTo(Math.log(1 + Math.exp(1.75)), 1e-12);
  });

  it("moves a parameter by the learning rate in AdamW's first step", async () => {
    const state = {
      parameter: Float32Array.of(1, -2),
      m: new Float32Array(2),
      v: new Float32Array(2),
    };
    const options = { learningRate: 0.01, maxGradNorm: 0 };
    const after = await checks.adamw(state, Float32Array.of(0.5, -3), options, 1);
    expect(after.parameter[0]).to.be.closeTo(0.99, 1e-6);
    expect(after.parameter[1]).to.be.closeTo(-1.99, 1e-6);
    expect(after.gradNorm).to.be.closeTo(Math.hypot(0.5, 3), 1e-9);
  });

  it("brings fp32 weights back as they were from the kernels' layout", async () => {
    const values = Float32Array.from({ length: 33 * 7 }, next);
    expect(await checks.weightRoundTrip(values, 33, 7, "fp32")).to.deep.equal(values);
  });

  it("rounds bf16 weights to 8 bits of precision", async () => {
    const values = Float32Array.from({ length: 5 * 9 }, next);
    const back = await checks.weightRoundTrip(values, 5, 9, "bf16");
    back.forEach((value, i) => {
      expect(Math.abs(value - (values[i] ?? 0))).to.be.at.most(2 ** -8 * Math.abs(value));
    });
    expect(back).to.not.deep.equal(values);
  });

  it("reads one tensor of a model file", async () => {
    const model = writeTinyModel({ folder: at("tiny") });
    const { shape, values } = await checks.readTensor(model.folder, "model.norm.weight");
    expect(shape).to.deep.equal([32]);
    expect(values).to.deep.equal(model.tensors.get("model.norm.weight")?.values);
  });

  it("refuses logits that do not fit the targets", async () => {
    const failure = await checks.headStats(logits.subarray(1), targets, 1).catch((error: unknown) => error);
    expect(failure).to.have.property("code", "ATTUNE_SHAPE");
  });

  it("are not part of the package's exports", async () => {
    const names = Object.keys(await import("../../lib/engine/index.js"));
    expect(names.length).to.be.greaterThan(0);
    for (const name of Object.keys(loadAddon().checks)) expect(names).to.not.include(name);
  });
});
