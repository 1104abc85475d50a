// One training run of a reward model of the oracle, repeated by the public reward() on its rows and compared step by step.
// Must not know a case's name: rows, settings and model come from its file.

import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { FrozenModel } from "../../lib/engine/contract.js";
import { type RewardMetrics, reward } from "../../lib/train/index.js";
import { batchOfSequences } from "../support/oracle-batch.js";
import { at, Comparison, sumOf } from "../support/oracle-compare.js";
import { suiteEngine, type TestedIsa } from "../support/oracle-engines.js";
import { oraclePath } from "../support/oracle-folder.js";
import { RecordedModel } from "../support/recorded-model.js";
import { scoredRows } from "./packed-rows.js";
import {
  checkFirstGradients,
  checkParameters,
  metricsOf,
  type Outcome,
  parametersOf,
  stepsOf,
} from "./trainer-case.js";
import {
  type ExpectedRow,
  gradientTolerance,
  isMicroBatchMean,
  lossTolerance,
  metricTolerance,
  probeTolerances,
  type TrainedCase,
} from "./trainer-file.js";

/** Registers the tests of a case on one instruction set. */
export function rewardTrainerTests(one: TrainedCase, isa: TestedIsa): void {
  const engine = suiteEngine({ isa });
  const name = `${one.algorithm}/${one.case}`;
  const compare = new Comparison({ family: "trainer", isa: isa.name, dtype: "fp32", name });
  let folder: string;
  let outcome: Outcome;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "attune-oracle-"));
    const loaded = await engine().loadModel(modelWithTokenizer(one, join(folder, "start")), {
      dtype: "fp32",
    });
    outcome = await train(one, new RecordedModel(loaded), join(folder, "run"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("packs the rows to the ids of TRL, batch by batch", () => checkIds(one, outcome));
  it("sends what both sides share through the trunk once, and scores each answer once", () =>
    checkCounters(one, outcome));
  it("has the loss and gradient norm of every step", () => {
    for (const [step, expected] of one.float64.steps.entries()) {
      const { loss, grad_norm: norm } = metricsOf(outcome, step);
      const where = `step ${step + 1}`;
      const which = step === 0 ? "loss, first step" : "loss, later steps";
      compare.within(which, loss, expected.loss, lossTolerance(step), where);
      compare.within("gradient norm", norm, expected.grad_norm, gradientTolerance, where);
    }
  });
  it("has the metrics of every step", () => checkMetrics(one, outcome, compare));
  it("has every gradient's norm at the first step, after clipping", () =>
    checkFirstGradients({ one, outcome, compare }));
  it("has every parameter's norm and sum before and after training", () =>
    checkParameters({ one, outcome, compare }));
  it("has the scores of the probed rows before and after training", () => {
    for (const [row, { start, end }] of one.float64.probe.entries()) {
      for (const side of Object.keys(start)) {
        const where = `row ${row} ${side}`;
        const own = [outcome.probeStart, outcome.probeEnd].map((probe) => probe[row]?.[side] ?? Number.NaN);
        compare.within("probe, start", at(own, 0), start[side] ?? 0, probeTolerances.start, where);
        compare.within("probe, end", at(own, 1), end[side] ?? 0, probeTolerances.end, where);
      }
    }
  });
}

/** The starting model beside the tokenizer that all models share, which the folder of one of them holds. */
function modelWithTokenizer(one: TrainedCase, folder: string): string {
  mkdirSync(folder);
  const own = oraclePath("trainer", one.model);
  for (const name of readdirSync(own)) copyFileSync(join(own, name), join(folder, name));
  const models = oraclePath("trainer", "models");
  const holder = readdirSync(models).find((name) =>
    readdirSync(join(models, name)).includes("tokenizer.json"),
  );
  if (holder === undefined) throw new Error(`no model below ${models} has a tokenizer`);
  for (const name of ["tokenizer.json", "tokenizer_config.json"])
    copyFileSync(join(models, holder, name), join(folder, name));
  return folder;
}

async function train(one: TrainedCase, model: RecordedModel, output: string): Promise<Outcome> {
  const { settings } = one;
  const metrics: RewardMetrics[] = [];
  const start = await parametersOf(model);
  const probeStart = await probeScores(one, model);
  expect(settings.schedule).to.equal("constant");
  await reward({
    model,
    data: one.data,
    output,
    batchSize: settings.rows_per_micro_batch * settings.gradient_accumulation,
    microBatchTokens: microBatchTokens(one),
    epochs: settings.optimizer_steps,
    maxSteps: settings.optimizer_steps,
    learningRate: settings.learning_rate,
    schedule: "constant",
    weightDecay: settings.weight_decay,
    maxGradNorm: settings.max_grad_norm,
    shuffle: false,
    centring: settings.centring ?? Number.NaN,
    normalise: "none",
    onStep: (event) => metrics.push(event.metrics),
  }).result;
  const [final, probeEnd] = [await parametersOf(model), await probeScores(one, model)];
  return { model, metrics, start, final, probeStart, probeEnd };
}

/** Under accumulation small enough to cut every step; else all of a step at once. */
function microBatchTokens(one: TrainedCase): number {
  const { gradient_accumulation: parts } = one.settings;
  if (parts === 1) return 2048;
  return Math.max(1, Math.floor(Math.min(...stepsOf(one).map((rows) => tokensOf(rows) / 2)) / parts));
}

function sidesOf({ chosen = [], rejected = [] }: ExpectedRow): readonly (readonly number[])[] {
  return [chosen, rejected];
}

function tokensOf(rows: readonly ExpectedRow[]): number {
  return sumOf(rows.flatMap((row) => sidesOf(row).map(({ length }) => length)));
}

/** TRL's rows have no prompt: whole sequences. */
function checkIds(one: TrainedCase, { model }: Outcome): void {
  const steps = stepsOf(one);
  expect(model.updates).to.have.length(steps.length);
  for (const [step, rows] of steps.entries()) {
    const batches = (model.updates[step]?.steps ?? []).map(({ batch }) => batch);
    if (one.settings.gradient_accumulation > 1) expect(batches.length).to.be.greaterThan(1);
    const packed = batches.flatMap(scoredRows).sort((a, b) => a.row - b.row);
    const own = packed.map(({ prompt, completions }) => completions.map((side) => [...prompt, ...side]));
    expect(own, `step ${step + 1}`).to.deep.equal(rows.map(sidesOf));
  }
}

function checkCounters(one: TrainedCase, outcome: Outcome): void {
  for (const [step, rows] of stepsOf(one).entries()) {
    const own = outcome.model.updates[step]?.steps ?? [];
    const prompts = sumOf(own.flatMap(({ batch }) => scoredRows(batch).map(({ prompt }) => prompt.length)));
    expect(prompts, "shared").to.be.greaterThan(rows.length);
    const computed = metricsOf(outcome, step).tokens_computed;
    expect(computed, `tokens_computed, step ${step + 1}`).to.equal(tokensOf(rows) - prompts);
    expect(sumOf(own.map(({ result }) => result.headRows)), "scored").to.equal(2 * rows.length);
  }
}

/** Everything TRL logs, under its name. */
function checkMetrics(one: TrainedCase, outcome: Outcome, compare: Comparison): void {
  for (const [step, expected] of one.float64.steps.entries()) {
    const own = metricsOf(outcome, step) as unknown as Readonly<Record<string, number>>;
    for (const [metric, value] of Object.entries(expected)) {
      if (["loss", "grad_norm"].includes(metric)) continue;
      if (one.settings.gradient_accumulation > 1 && isMicroBatchMean(metric)) continue;
      const actual = own[metric] ?? Number.NaN;
      const where = `step ${step + 1}`;
      if (metric === "num_tokens") expect(actual, `${metric}, ${where}`).to.equal(value);
      // One flipped pair may be a tie within float32.
      else if (metric === "accuracy") {
        compare.absolute(metric, actual, value, 1 / (stepsOf(one)[step]?.length ?? 1), where);
      } else compare.within(metric, actual, value, metricTolerance, where);
    }
  }
}

/** Scores of the sides of the probed rows, without any normalisation. */
async function probeScores(
  one: TrainedCase,
  model: FrozenModel,
): Promise<Readonly<Record<string, number>>[]> {
  const probes: Readonly<Record<string, number>>[] = [];
  for (const row of one.float64.probe) {
    const sequences = sidesOf(row).map((tokens) => ({
      tokens,
      scored: [{ position: tokens.length - 1, token: 0 }],
    }));
    const [chosen = Number.NaN, rejected = Number.NaN] = await model.scores(batchOfSequences({ sequences }));
    probes.push({ chosen, rejected });
  }
  return probes;
}
