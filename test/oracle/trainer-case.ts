// One training run of the oracle on one instruction set, through the public sft() or dpo() on the row file.
// The ids in the case are only compared; must not pack or train by itself.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { PackedBatch } from "../../lib/data/index.js";
import type { FrozenModel } from "../../lib/engine/contract.js";
import type { Engine } from "../../lib/engine/index.js";
import type { DpoLossName } from "../../lib/options/index.js";
import { dpo, type SharedMetrics, type StepEvent, sft } from "../../lib/train/index.js";
import { batchOfSequences, everyPosition } from "../support/oracle-batch.js";
import { at, Comparison, l2, sumOf } from "../support/oracle-compare.js";
import { suiteEngine, type TestedIsa } from "../support/oracle-engines.js";
import { oraclePath } from "../support/oracle-folder.js";
import { RecordedModel } from "../support/recorded-model.js";
import { checkMismatches, mismatchedTrunkRows, trainKto } from "./kto-trainer-case.js";
import { packedRows } from "./packed-rows.js";
import {
  type ExpectedRow,
  finalTolerance,
  gradientTolerance,
  isMicroBatchMean,
  lossTolerance,
  metricTolerance,
  probeTolerances,
  startingModel,
  sumBar,
  type TrainedCase,
} from "./trainer-file.js";

type Metrics = SharedMetrics;
type Sides = Readonly<Record<string, number>>;

export interface Outcome {
  readonly model: RecordedModel;
  /** Batches of the run's passes without a gradient. */
  readonly forwards?: readonly PackedBatch[];
  readonly metrics: readonly Metrics[];
  readonly start: ReadonlyMap<string, Float32Array>;
  readonly final: ReadonlyMap<string, Float32Array>;
  readonly probeStart: readonly Sides[];
  readonly probeEnd: readonly Sides[];
}

/** Registers the tests of a case on one instruction set. */
export function trainerCaseTests(one: TrainedCase, isa: TestedIsa): void {
  const engine = suiteEngine({ isa });
  const name = `${one.algorithm}/${one.case}`;
  const compare = new Comparison({ family: "trainer", isa: isa.name, dtype: "fp32", name });
  let folder: string;
  let outcome: Outcome;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "attune-oracle-"));
    const loaded = await engine().loadModel(oraclePath("trainer", one.model), { dtype: "fp32" });
    outcome = await train(
      one,
      new RecordedModel(loaded),
      join(folder, "run"),
      await referenceOf(one, engine()),
    );
  });
  after(() => rmSync(folder, { recursive: true }));

  it("packs the rows to the ids of TRL, batch by batch", () => checkIds(one, outcome));
  it("sends each prompt through the trunk once, and only targets through the head", () =>
    checkCounters(one, outcome));
  if (one.algorithm === "kto")
    it("measures the KL term on the answers that TRL does", () =>
      checkMismatches(stepsOf(one), outcome.forwards ?? []));
  it("has the loss and gradient norm of every step", () => {
    for (const [step, expected] of one.float64.steps.entries()) {
      const { loss, grad_norm: norm } = metricsOf(outcome, step);
      const where = `step ${step + 1}`;
      const which = step === 0 ? "loss, first step" : "loss, later steps";
      compare.within(which, loss, expected.loss, lossTolerance(step), where);
      compare.within("gradient norm", norm, expected.grad_norm, gradientTolerance, where);
    }
  });
  it("has the metrics of every step", () => {
    for (const step of one.float64.steps.keys()) checkMetrics({ one, outcome, compare, step });
  });
  it("has every gradient's norm at the first step, after clipping", () =>
    checkFirstGradients({ one, outcome, compare }));
  it("has every parameter's norm and sum before and after training", () =>
    checkParameters({ one, outcome, compare }));
  it("has the summed log-probs of the probed rows before and after training", () => {
    for (const [row, { start, end }] of one.float64.probe.entries()) {
      for (const [side, sum] of Object.entries(start)) {
        const own = outcome.probeStart[row]?.[side] ?? Number.NaN;
        compare.within("probe, start", own, sum, probeTolerances.start, `row ${row} ${side}`);
      }
      for (const [side, sum] of Object.entries(end)) {
        const own = outcome.probeEnd[row]?.[side] ?? Number.NaN;
        compare.within("probe, end", own, sum, probeTolerances.end, `row ${row} ${side}`);
      }
    }
  });
}

/** The model that dpo compares with; undefined: the start. */
async function referenceOf(one: TrainedCase, engine: Engine): Promise<FrozenModel | undefined> {
  const { reference_model: path } = one;
  if (path === null || path === startingModel) return undefined;
  return engine.loadModel(oraclePath("trainer", path), { dtype: "fp32" });
}

async function train(
  one: TrainedCase,
  model: RecordedModel,
  output: string,
  reference: FrozenModel | undefined,
): Promise<Outcome> {
  const { settings } = one;
  const metrics: Metrics[] = [];
  const start = await parametersOf(model);
  const probeStart = await probeSums(one, model);
  if (settings.schedule !== "constant") throw new Error(`${one.case}: schedule ${settings.schedule}`);
  const options = {
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
    onStep: (event: StepEvent<Metrics>) => metrics.push(event.metrics),
  } as const;
  const before = model.forwards.length;
  if (one.algorithm === "sft") {
    await sft(options).result;
  } else if (one.algorithm === "kto") {
    await trainKto(one, options, reference);
  } else {
    const { beta = Number.NaN, label_smoothing: labelSmoothing = 0, ipo } = settings;
    // Whatever the file names: a loss that does not exist is refused by dpo.
    const loss = settings.loss as DpoLossName;
    if (ipo !== undefined) expect(ipo).to.equal("per-token means");
    const ipoReduce = loss === "ipo" ? ({ ipoReduce: "mean" } as const) : {};
    await dpo({ ...options, beta, loss, labelSmoothing, reference, ...ipoReduce }).result;
  }
  const forwards = model.forwards.slice(before);
  const [final, probeEnd] = [await parametersOf(model), await probeSums(one, model)];
  return { model, forwards, metrics, start, final, probeStart, probeEnd };
}

/** Under accumulation small enough to cut every step; else all of a step at once. */
function microBatchTokens(one: TrainedCase): number {
  const { gradient_accumulation: parts } = one.settings;
  if (parts === 1) return 2048;
  return Math.max(1, Math.floor(Math.min(...stepsOf(one).map(trunkRows)) / parts));
}

/** The rows of each optimiser step. */
export function stepsOf({ batches, settings }: TrainedCase): readonly (readonly ExpectedRow[])[] {
  const { gradient_accumulation: parts, optimizer_steps: steps } = settings;
  return Array.from({ length: steps }, (_, step) => batches.slice(step * parts, (step + 1) * parts).flat());
}

function sidesOf({ completion, chosen, rejected }: ExpectedRow): readonly (readonly number[])[] {
  return [completion, chosen, rejected].filter((side) => side !== undefined);
}

/** Each prompt once, and of every side all but its last token. */
function trunkRows(rows: readonly ExpectedRow[]): number {
  return rows.reduce(
    (sum, row) => sum + row.prompt.length + sidesOf(row).reduce((n, side) => n + side.length - 1, 0),
    0,
  );
}

/** Tokens of every side; without a prompt the first token is none. */
function targets(rows: readonly ExpectedRow[]): number {
  const own = (row: ExpectedRow) => (row.prompt.length === 0 ? 1 : 0);
  return rows.reduce((sum, row) => sum + sidesOf(row).reduce((n, side) => n + side.length - own(row), 0), 0);
}

function checkIds(one: TrainedCase, { model }: Outcome): void {
  const steps = stepsOf(one);
  expect(model.updates).to.have.length(steps.length);
  for (const [step, rows] of steps.entries()) {
    const packed = (model.updates[step]?.steps ?? []).flatMap(({ batch }) => packedRows(batch));
    expect(packed, `rows of step ${step + 1}`).to.have.length(rows.length);
    const ordered = packed.sort((a, b) => a.row - b.row);
    for (const [i, expected] of rows.entries()) {
      const own = ordered[i];
      const sequences = own?.completions.map((completion) => [...own.prompt, ...completion]);
      const wanted = sidesOf(expected).map((side) => [...expected.prompt, ...side]);
      expect(sequences, `step ${step + 1}, row ${i}`).to.deep.equal(wanted);
      if (expected.prompt.length > 0) expect(own?.prompt, `prompt ${i}`).to.deep.equal(expected.prompt);
    }
  }
}

function checkCounters(one: TrainedCase, outcome: Outcome): void {
  const { model } = outcome;
  for (const [step, rows] of stepsOf(one).entries()) {
    const own = (model.updates[step]?.steps ?? []).map(({ result }) => result);
    if (one.settings.gradient_accumulation > 1) expect(own.length, "micro-batches").to.be.greaterThan(1);
    expect(sumOf(own.map((result) => result.trunkRows)), `trunk, step ${step + 1}`).to.equal(trunkRows(rows));
    expect(sumOf(own.map((result) => result.headRows)), `head, step ${step + 1}`).to.equal(targets(rows));
    const measured = one.algorithm === "kto" ? mismatchedTrunkRows(rows) : 0;
    expect(metricsOf(outcome, step).tokens_computed, `tokens_computed, step ${step + 1}`).to.equal(
      trunkRows(rows) + measured,
    );
  }
}

export interface Checked {
  readonly one: TrainedCase;
  readonly outcome: Outcome;
  readonly compare: Comparison;
}

export function checkFirstGradients({ one, outcome, compare }: Checked): void {
  const [update] = outcome.model.updates;
  const scale = Math.min(1, one.settings.max_grad_norm / ((update?.result.gradNorm ?? Number.NaN) + 1e-6));
  const expected = Object.entries(one.float64.first_step_grad_l2_after_clipping);
  expect(expected.map(([parameter]) => parameter).sort()).to.deep.equal(
    [...outcome.model.firstGradients.keys()].sort(),
  );
  for (const [parameter, norm] of expected) {
    const gradient = outcome.model.firstGradients.get(parameter) ?? [];
    compare.within("norm of a first gradient", scale * l2(gradient), norm, gradientTolerance, parameter);
  }
}

export function checkParameters({ one, outcome, compare }: Checked): void {
  for (const [expected, values] of [
    [one.float64.start, outcome.start],
    [one.float64.final, outcome.final],
  ] as const) {
    for (const [parameter, { l2: norm, sum }] of Object.entries(expected)) {
      const own = values.get(parameter) ?? [];
      compare.within("norm of a parameter", l2(own), norm, finalTolerance, parameter);
      compare.absolute("sum of a parameter", sumOf(own), sum, sumBar, parameter);
    }
  }
}

interface MetricsOptions extends Checked {
  readonly step: number;
}

/** Everything TRL logs, under its name. */
function checkMetrics({ one, outcome, compare, step }: MetricsOptions): void {
  const own = metricsOf(outcome, step) as unknown as Sides;
  const rows = stepsOf(one)[step] ?? [];
  for (const [metric, value] of Object.entries(one.float64.steps[step] ?? {})) {
    if (["loss", "grad_norm"].includes(metric)) continue;
    if (one.settings.gradient_accumulation > 1 && isMicroBatchMean(metric)) continue;
    const actual = own[metric] ?? Number.NaN;
    const where = `step ${step + 1}`;
    if (metric === "num_tokens") expect(actual, `${metric}, ${where}`).to.equal(value);
    // One flipped token or pair may be a tie within float32.
    else if (metric === "mean_token_accuracy")
      compare.absolute(metric, actual, value, 1 / firstSideTokens(rows), where);
    else if (metric === "rewards/accuracies") compare.absolute(metric, actual, value, 1 / rows.length, where);
    else compare.within(metric, actual, value, metricTolerance, where);
  }
}

/** Tokens whose accuracy is reported: of the completion, or of the chosen side. */
function firstSideTokens(rows: readonly ExpectedRow[]): number {
  return rows.reduce((sum, row) => sum + (sidesOf(row)[0]?.length ?? 0), 0);
}

export function metricsOf({ metrics }: Outcome, step: number): Metrics {
  const found = metrics[step];
  if (found === undefined) throw new Error(`no metrics of step ${step + 1}`);
  return found;
}

export async function parametersOf(model: RecordedModel): Promise<ReadonlyMap<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const { name } of model.tensors()) values.set(name, await model.parameter(name));
  return values;
}

/** Summed log-probs of every side of the probed rows, under the names of the sides. */
async function probeSums(one: TrainedCase, model: FrozenModel): Promise<readonly Sides[]> {
  const sums: Sides[] = [];
  for (const { prompt, start } of one.float64.probe) {
    const row = one.float64.probe[sums.length] as unknown as Readonly<Record<string, readonly number[]>>;
    const sides = Object.keys(start);
    const sequences = sides.map((side) => {
      const tokens = [...prompt, ...(row[side] ?? [])];
      return { tokens, scored: everyPosition(tokens).slice(Math.max(0, prompt.length - 1), -1) };
    });
    const batch = batchOfSequences({ sequences });
    const { logprobs } = await model.forward(batch);
    const sumOfSide = (side: number) => {
      const first = at(batch.completions, 2 * side);
      return sumOf(logprobs.subarray(first, first + at(batch.completions, 2 * side + 1)));
    };
    sums.push(Object.fromEntries(sides.map((side, i) => [side, sumOfSide(i)])));
  }
  return sums;
}
