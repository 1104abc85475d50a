// For every loss of the native tables: gradients that do not depend on micro-batches, order or packing, and that are the
// derivatives of the loss through a whole tiny model. Must not compare with any other program.

import { expect } from "chai";
import type { LossSpec } from "../../lib/engine/contract.js";
import type { Engine, Model } from "../../lib/engine/index.js";
import {
  directionErrors,
  type MeasuredDirection,
  measureLosses,
} from "../support/directional-derivatives.js";
import {
  batchOf,
  everyLoss,
  referenceFor,
  repeatedPrompts,
  rowSums,
  rowTargets,
  specOf,
} from "../support/every-loss.js";
import {
  LOSS_VOCABULARY,
  type LossModel,
  type LossSubject,
  lossRows,
  type RowSums,
  type RowTargets,
} from "../support/loss-subject.js";
import { isaTitle, suiteEngine, testedIsas } from "../support/oracle-engines.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { normalNumbers, type TinyModel, writeTinyModel } from "../support/tiny-model.js";
import { type NamedTensors, relativeDistance } from "./same-bits.js";

const HEADS = 2;
const limit = 1e-6;
const derivativeLimit = 2e-3;
const shape = { vocabularySize: LOSS_VOCABULARY, width: 16, heads: 2, kvHeads: 1, layers: 1, mlpWidth: 24 };
const subjects = everyLoss();

const kinds = ["tokens", "scores", "values"] as const satisfies readonly LossModel[];

/** Small models: one that predicts tokens, one that scores by two heads, one that values by a single one. */
function writeModels(at: (name: string) => string): Readonly<Record<LossModel, TinyModel>> {
  const next = normalNumbers(9);
  const heads = { shape: [HEADS, 16], values: Float32Array.from({ length: 16 * HEADS }, () => 0.3 * next()) };
  return {
    tokens: writeTinyModel({ folder: at("tokens"), ...shape }),
    scores: writeTinyModel({
      folder: at("scores"),
      kind: "reward",
      ...shape,
      config: { id2label: { "0": "a", "1": "b" }, label2id: { a: 0, b: 1 } },
      edit: (tensors) => tensors.set("score.weight", heads),
    }),
    values: writeTinyModel({ folder: at("values"), kind: "reward", ...shape }),
  };
}

/** Log-probs or values of a subject's rows under one model, and a reference for their sums; of scores there are none. */
interface Update {
  readonly targets: RowTargets;
  readonly reference: RowSums;
}

async function updateOf(subject: LossSubject, model: Model): Promise<Update> {
  const targets = await rowTargets(model, subject);
  return { targets, reference: referenceFor(rowSums(targets)) };
}

async function gradientsOf(model: Model): Promise<NamedTensors> {
  const gradients = new Map<string, Float32Array>();
  for (const { name } of model.tensors()) gradients.set(name, await model.gradient(name));
  await model.clearGradients();
  return gradients;
}

describe("invariant: every loss", function () {
  this.timeout(120_000);
  const at = suiteFolder();
  let models: ReturnType<typeof writeModels>;
  before(() => {
    models = writeModels(at);
  });

  it("has a subject, and several of each family", () => {
    const families = subjects.map(({ title }) => title.split(" ")[0]);
    for (const family of ["pairwise", "listwise", "unpaired", "scores", "policy"])
      expect(families.filter((one) => one === family).length, family).to.be.above(2);
    expect(new Set(subjects.map(({ title }) => title)).size).to.equal(subjects.length);
  });

  for (const isa of testedIsas()) {
    describe(isaTitle(isa), () => {
      const engine = suiteEngine({ isa });
      const loaded = new Map<LossModel, Model>();
      before(async () => {
        for (const kind of kinds) loaded.set(kind, await engine().loadModel(models[kind].folder));
      });
      after(async () => {
        for (const model of loaded.values()) await model.dispose();
      });
      for (const subject of subjects) cutTests(subject, () => modelOf(loaded, subject));
    });
  }

  const [best] = testedIsas();
  if (best === undefined) throw new Error("there is no instruction set to test");
  describe("through a whole model", () => {
    const engine = suiteEngine({ isa: best });
    for (const kind of kinds) derivativeTests(kind, engine, () => models[kind]);
  });
});

function modelOf(loaded: ReadonlyMap<LossModel, Model>, subject: LossSubject): Model {
  const model = loaded.get(subject.model);
  if (model === undefined) throw new Error("the model was not loaded");
  return model;
}

function cutTests(subject: LossSubject, current: () => Model): void {
  it(`${subject.title}: micro-batches, order and repeated prompts change nothing`, async () => {
    const model = current();
    const update = await updateOf(subject, model);
    const spec = (rows: readonly number[]) => specOf({ subject, rows, ...update, heads: headsOf(subject) });
    const run = async (parts: readonly (readonly number[])[], pack = batchOf) => {
      let [loss, tie] = [0, 0];
      for (const rows of parts) {
        const result = await model.step(pack(subject, rows), spec(rows));
        loss += result.loss;
        tie += result.tieGradient;
      }
      return { loss, tie, gradients: await gradientsOf(model) };
    };
    const whole = await run([lossRows]);
    for (const [name, other] of [
      ["eight micro-batches", await run(lossRows.map((row) => [row]))],
      ["another order and cut", await run([[6, 1, 4], [0], [7, 5, 3, 2]])],
      ["repeated prompts", await run([lossRows], repeatedPrompts)],
    ] as const) {
      expect(relativeDistance(other.gradients, whole.gradients), name).to.be.at.most(limit);
      expect(other.loss, name).to.be.closeTo(whole.loss, limit * Math.abs(whole.loss));
      expect(other.tie, name).to.be.closeTo(whole.tie, limit);
    }
    const part = await run([[0, 1, 2, 3, 5, 6, 7]]);
    expect(relativeDistance(part.gradients, whole.gradients), "a row left out").to.be.above(10 * limit);
  });
}

function headsOf({ model }: LossSubject): number {
  return model === "scores" ? HEADS : 1;
}

function derivativeTests(kind: LossModel, engine: () => Engine, tiny: () => TinyModel): void {
  const own = subjects.filter(({ model }) => model === kind);
  let updates: readonly Update[];
  let measured: readonly (readonly MeasuredDirection[])[];

  before(async () => {
    await using model = await engine().loadModel(tiny().folder);
    updates = await Promise.all(own.map((subject) => updateOf(subject, model)));
    measured = await measureLosses({
      engine: engine(),
      tiny: tiny(),
      losses: (moved) => lossesOf(moved, own, updates),
    });
  });

  for (const [i, subject] of own.entries()) {
    it(`${subject.title}: every tensor's gradient is that of 8 random directions, and 1.01 times it is not`, async () => {
      await using model = await engine().loadModel(tiny().folder);
      await model.step(batchOf(subject, lossRows), wholeSpec(subject, updates[i]));
      const gradients = await gradientsOf(model);
      const errors = directionErrors(measured[i] ?? [], gradients);
      expect(errors.size).to.equal(gradients.size);
      for (const [name, error] of errors) expect(error, name).to.be.at.most(derivativeLimit);
      const scaled = new Map([...gradients].map(([name, values]) => [name, values.map((x) => 1.01 * x)]));
      for (const [name, error] of directionErrors(measured[i] ?? [], scaled))
        expect(error, `${name} scaled`).to.be.above(derivativeLimit);
    });
  }
}

function wholeSpec(subject: LossSubject, update: Update | undefined): LossSpec {
  return specOf({ subject, rows: lossRows, ...update, heads: headsOf(subject) });
}

/** The loss of every subject, in double, of a model whose weights were moved; references stay. */
function lossesOf(
  model: Model,
  own: readonly LossSubject[],
  updates: readonly Update[],
): Promise<readonly number[]> {
  return Promise.all(
    own.map(async (subject, i) => {
      const { targets = [], reference = [] } = updates[i] ?? {};
      const follows = subject.follows === true || subject.sorts !== undefined;
      const movedTargets = follows ? await rowTargets(model, subject) : targets;
      const spec = specOf({
        subject,
        rows: lossRows,
        targets,
        movedTargets,
        reference,
        heads: headsOf(subject),
      });
      return (await model.evaluate(batchOf(subject, lossRows), spec)).loss;
    }),
  );
}
