// A penalty on the exact KL to a reference: its sums, its gradient by differences of whole models, what must not change it.

import { expect } from "chai";
import { type PackableRow, packRows } from "../../lib/data/index.js";
import type { FrozenModel, KlPenalty } from "../../lib/engine/contract.js";
import type { Engine, Model } from "../../lib/engine/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { directionErrors, measureDirections } from "../support/directional-derivatives.js";
import { relativeL2 } from "../support/oracle-compare.js";
import { isaTitle, suiteEngine, testedIsas } from "../support/oracle-engines.js";
import { someIds } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { type TinyModel, writeTinyModel } from "../support/tiny-model.js";

const VOCABULARY = 64;
const shape = { vocabularySize: VOCABULARY, width: 16, heads: 2, kvHeads: 1, layers: 1, mlpWidth: 24 };
const data: PackableRow[] = Array.from({ length: 8 }, (_, i) => ({
  prompt: someIds(3 + (i % 3), 3 * i + 1, VOCABULARY),
  completions: [someIds(4 + (i % 4), 5 * i + 2, VOCABULARY), someIds(5, 5 * i + 3, VOCABULARY)],
}));
const all = data.map((_, row) => row);
const batch = packRows({ data, rows: all });
const weights = Float64Array.from(all, (row) => 0.25 * (row % 4));
const normaliser = batch.counts.targets;

type Gradients = Map<string, Float32Array>;

async function gradientsOf(model: Model): Promise<Gradients> {
  const gradients: Gradients = new Map();
  for (const { name } of model.tensors()) gradients.set(name, await model.gradient(name));
  await model.clearGradients();
  return gradients;
}

/** All gradients as one vector. */
function joined(gradients: Gradients): number[] {
  return [...gradients.values()].flatMap((values) => [...values]);
}

/** Weighted sum in double of what `kl` gives, by each target's group. */
async function penaltyOf(model: FrozenModel, penalty: KlPenalty): Promise<number> {
  const { kl, reverseKl } = await model.kl(batch, penalty.reference);
  const divergences = penalty.direction === "kl" ? kl : reverseKl;
  let [sum, target] = [0, 0];
  for (const [group, { completions }] of data.entries())
    for (const { length } of completions)
      for (let t = 0; t < length; t++, target++)
        sum += (penalty.weights?.[group] ?? 1) * (divergences[target] ?? Number.NaN);
  return sum / penalty.normaliser;
}

describe("a KL penalty", function () {
  this.timeout(60_000);
  const at = suiteFolder();
  let tiny: TinyModel;
  before(() => {
    tiny = writeTinyModel({ folder: at("policy"), seed: 1, ...shape });
    writeTinyModel({ folder: at("same"), seed: 1, ...shape });
    writeTinyModel({ folder: at("reference"), seed: 2, ...shape });
  });

  for (const isa of testedIsas()) {
    describe(isaTitle(isa), () => {
      const engine = suiteEngine({ isa });
      for (const direction of ["kl", "reverse"] as const) {
        describe(direction, () => {
          sumTests(engine, at, direction);
          precisionTests(engine, at, direction);
        });
      }
    });
  }

  const [best] = testedIsas();
  if (best === undefined) throw new Error("there is no instruction set to test");
  describe("by differences of whole models", () => {
    const engine = suiteEngine({ isa: best });
    for (const direction of ["kl", "reverse"] as const) differenceTests(engine, at, direction, () => tiny);
  });
  describe("in use", () => useTests(suiteEngine({ isa: best }), at));
});

type Direction = KlPenalty["direction"];

function sumTests(engine: () => Engine, at: (name: string) => string, direction: Direction): void {
  let model: Model;
  let penalty: KlPenalty;
  before(async () => {
    model = await engine().loadModel(at("policy"));
    const reference = await engine().loadModel(at("reference"));
    penalty = { reference, normaliser, direction, weights };
  });
  after(async () => {
    await model?.dispose();
    await penalty?.reference.dispose();
  });

  it("is the weighted sum of the divergences over the normaliser", async () => {
    const { loss, groupLosses } = await model.klStep(batch, penalty);
    await model.clearGradients();
    expect(groupLosses).to.have.lengthOf(data.length);
    expect(loss).to.be.closeTo(await penaltyOf(model, penalty), 1e-12);
    const summed = groupLosses.reduce((sum, value, group) => sum + value * (weights[group] ?? 0), 0);
    expect(loss).to.be.closeTo(summed / normaliser, 1e-12);
  });

  it("reports what a step on log-probs reports of completions and rows", async () => {
    const own = await model.klStep(batch, penalty);
    const other = await model.step(batch, { kind: "nll", normaliser });
    await model.clearGradients();
    expect(own.completions).to.deep.equal(other.completions);
    expect(own).to.include({ trunkRows: other.trunkRows, headRows: other.headRows, tieGradient: 0 });
  });

  it("has the same gradient in eight micro-batches as in one", async () => {
    await model.klStep(batch, penalty);
    const whole = joined(await gradientsOf(model));
    for (const row of all) {
      const own = weights.slice(row, row + 1);
      await model.klStep(packRows({ data, rows: [row] }), { ...penalty, weights: own });
    }
    expect(relativeL2(joined(await gradientsOf(model)), whole)).to.be.at.most(1e-6);
  });

  it("sees means of micro-batch means", async () => {
    await model.klStep(batch, penalty);
    const whole = joined(await gradientsOf(model));
    for (const row of all) {
      const part = packRows({ data, rows: [row] });
      const mean = { ...penalty, weights: weights.slice(row, row + 1), normaliser: 8 * part.counts.targets };
      await model.klStep(part, mean);
    }
    expect(relativeL2(joined(await gradientsOf(model)), whole)).to.be.above(1e-2);
  });

  it("adds to the gradients that are there", async () => {
    await model.step(batch, { kind: "nll", normaliser });
    const nll = joined(await gradientsOf(model));
    await model.klStep(batch, penalty);
    const kl = joined(await gradientsOf(model));
    await model.step(batch, { kind: "nll", normaliser });
    await model.klStep(batch, penalty);
    const both = joined(await gradientsOf(model));
    expect(
      relativeL2(
        both,
        nll.map((value, i) => value + (kl[i] ?? 0)),
      ),
    ).to.be.at.most(1e-6);
  });

  it("has no gradient where the reference is the model", async () => {
    await using same = await engine().loadModel(at("same"));
    const { loss } = await model.klStep(batch, { ...penalty, reference: same });
    const own = joined(await gradientsOf(model));
    await model.klStep(batch, penalty);
    const usual = joined(await gradientsOf(model));
    expect(loss).to.equal(0);
    expect(Math.hypot(...own)).to.be.at.most(1e-6 * Math.hypot(...usual));
  });
}

function precisionTests(engine: () => Engine, at: (name: string) => string, direction: Direction): void {
  it("in bf16 has the gradient of fp32 within its own rounding", async () => {
    const all: number[][] = [];
    for (const dtype of ["fp32", "bf16"] as const) {
      await using model = await engine().loadModel(at("policy"), { dtype });
      await using reference = await engine().loadModel(at("reference"), { dtype });
      await model.klStep(batch, { reference, normaliser, direction });
      all.push(joined(await gradientsOf(model)));
    }
    const [fp32 = [], bf16 = []] = all;
    // Eight significant bits in weights and states of both models: 8 eps; and never by chance fp32's own.
    expect(relativeL2(bf16, fp32)).to.be.within(1e-4, 8 * 2 ** -8);
  });
}

function differenceTests(
  engine: () => Engine,
  at: (name: string) => string,
  direction: Direction,
  tiny: () => TinyModel,
): void {
  it(`${direction}: every tensor's gradient is that of 8 random directions, and 1.01 times it is not`, async () => {
    await using reference = await engine().loadModel(at("reference"));
    const penalty = { reference, normaliser: 1, direction, weights };
    let gradients: Gradients;
    {
      await using model = await engine().loadModel(tiny().folder);
      await model.klStep(batch, penalty);
      gradients = await gradientsOf(model);
    }
    const loss = (model: Model) => penaltyOf(model, penalty);
    const measured = await measureDirections({ engine: engine(), tiny: tiny(), loss });
    const errors = directionErrors(measured, gradients);
    expect(errors.size).to.equal(gradients.size);
    for (const [name, error] of errors) expect(error, name).to.be.at.most(2e-3);
    const scaled = new Map([...gradients].map(([name, values]) => [name, values.map((x) => 1.01 * x)]));
    for (const [name, error] of directionErrors(measured, scaled)) expect(error, name).to.be.above(2e-3);
  });
}

function useTests(engine: () => Engine, at: (name: string) => string): void {
  it("draws an adapter back to its base, both ways, and leaves the base as it is", async () => {
    for (const direction of ["kl", "reverse"] as const) {
      await using base = await engine().loadModel(at("policy"));
      const before = Array.from((await base.forward(batch)).logprobs);
      await using policy = await base.addAdapter({ rank: 4 });
      for (let i = 0; i < 5; i++) {
        await policy.step(batch, { kind: "nll", normaliser });
        await policy.update({ learningRate: 0.02 });
      }
      const losses: number[] = [];
      for (let i = 0; i < 80; i++) {
        losses.push((await policy.klStep(batch, { reference: base, normaliser, direction })).loss);
        await policy.update({ learningRate: 5e-3 });
      }
      expect(losses[0]).to.be.above(0.01);
      expect(losses.at(-1)).to.be.below(0.1 * (losses[0] ?? 0));
      expect(Array.from((await base.forward(batch)).logprobs)).to.deep.equal(before);
    }
  });

  it("of a batch without targets is 0 and has a sum for every completion", async () => {
    await using model = await engine().loadModel(at("policy"));
    const none = packRows({
      data: [{ prompt: someIds(3, 1, 64), completions: [new Int32Array(0)] }],
      rows: [0],
    });
    const result = await model.klStep(none, { reference: model, normaliser: 1, direction: "kl" });
    expect(result.loss).to.equal(0);
    expect(result.completions).to.have.lengthOf(1);
  });

  it("clears all gathered gradients when it is cancelled before it begins", async () => {
    await using model = await engine().loadModel(at("policy"));
    await model.step(batch, { kind: "nll", normaliser });
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    const { signal } = controller;
    const reason = await model
      .klStep(batch, { reference: model, normaliser, direction: "kl" }, { signal })
      .catch((error) => error);
    expect(reason).to.have.property("message", "enough");
    expect(joined(await gradientsOf(model)).every((value) => value === 0)).to.equal(true);
  });

  it("is refused by a base that adapters stand on", async () => {
    await using base = await engine().loadModel(at("policy"));
    await using policy = await base.addAdapter({ rank: 2 });
    const penalty = { reference: policy, normaliser, direction: "kl" } as const;
    await expectFailure(() => base.klStep(batch, penalty), "ATTUNE_OPTION", "adapters");
  });

  const wrong: readonly [string, Partial<KlPenalty>, "ATTUNE_OPTION" | "ATTUNE_SHAPE", string][] = [
    ["a normaliser of 0", { normaliser: 0 }, "ATTUNE_OPTION", "above 0"],
    ["weights of another number than groups", { weights: Float64Array.of(1) }, "ATTUNE_SHAPE", "expected 8"],
    ["a weight below 0", { weights: weights.map(() => -1) }, "ATTUNE_OPTION", "weights[0]"],
    ["another direction", { direction: "forward" as "kl" }, "ATTUNE_OPTION", '"forward"'],
  ];
  for (const [what, part, code, text] of wrong) {
    it(`refuses ${what}`, async () => {
      await using model = await engine().loadModel(at("policy"));
      const penalty = { reference: model, normaliser, direction: "kl" as const, ...part };
      await expectFailure(() => model.klStep(batch, penalty), code, text);
    });
  }
}
