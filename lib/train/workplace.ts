// Opens all that a run needs, in an order in which nothing is written before everything was checked, and closes it.
// Must not know an algorithm: the loops are in sft.ts and dpo.ts.

import { join } from "node:path";
import type { z } from "zod";
import { type RowCounts, type StepRows, stepRows, stepsPerEpoch, type TokenisedRows } from "../data/index.js";
import type { FrozenModel, JobOptions, TrainableModel } from "../engine/contract.js";
import { configText } from "../options/index.js";
import type { Tokenizer } from "../text/index.js";
import { type CheckpointRecord, stateName } from "./checkpoint-record.js";
import { clearLeftovers, removeCheckpoint } from "./checkpoints.js";
import { attuneVersion, machineLine, versions } from "./machine.js";
import type { SharedMetrics } from "./metrics.js";
import { type NewScoreHead, type OpenModel, openModel } from "./open-model.js";
import { effectiveLength, type OpenRows, type OpenRowsRequest, oddWeights, openRows } from "./open-rows.js";
import { type OtherReference, openReference } from "./other-reference.js";
import { checkOutput, checkWritable } from "./output-checks.js";
import { requireRoom } from "./plan-room.js";
import { type EarlierRun, findEarlierRun, requireSameRun } from "./resume.js";
import { cutLines } from "./run-files.js";
import { RunFolder } from "./run-folder.js";
import { type RunIdentity, runIdentity } from "./run-identity.js";
import { type RunInputs, systemClock, type TrainControl } from "./run-types.js";
import { type ScheduleOptions, warmupSteps } from "./schedule.js";
import type { SharedSettings } from "./settings.js";
import { isLogged } from "./step-log.js";

export interface OpenWorkplace<Metrics extends SharedMetrics> {
  readonly command: string;
  readonly schema: z.ZodObject;
  readonly settings: SharedSettings;
  readonly inputs: RunInputs<Metrics>;
  readonly rows: OpenRowsRequest<Metrics>["rows"];
  /** For a model that scores: the head of one that comes without. Undefined: the model predicts tokens. */
  readonly scoring?: NewScoreHead;
  /** Looks at all rows before anything is written, and says what the run works on. Default: the rows as they are. */
  readonly prepareRows?: (opened: OpenedRows) => Promise<PreparedRows>;
  /** Whether `maxLength` was asked for; the default gives way to the model's positions. */
  readonly lengthGiven: boolean;
  /** A folder outside the run's own that will be written as well. */
  readonly cacheFolder?: string | undefined;
  /** Frozen copies of the weights that the run will hold. */
  readonly snapshots: number;
  /** A model to compare with in place of such a copy. */
  readonly reference?: string | FrozenModel | undefined;
}

export interface OpenedRows {
  readonly rows: OpenRows;
  readonly model: TrainableModel;
  readonly warn: (text: string) => void;
}

export interface PreparedRows {
  readonly data: TokenisedRows;
  readonly evaluation: TokenisedRows | undefined;
  /** Hashes of what else decides the result, by the names that messages use. */
  readonly identity?: Readonly<Record<string, string>>;
}

/** Everything that a loop works with. */
export interface Workplace {
  readonly model: TrainableModel;
  readonly data: TokenisedRows;
  readonly counts: RowCounts;
  /** Rows that are measured only; undefined without evaluation. */
  readonly evaluation: TokenisedRows | undefined;
  readonly tokenizer: Tokenizer;
  readonly folder: RunFolder;
  /** Optimiser steps of this run. */
  readonly steps: number;
  readonly schedule: ScheduleOptions;
  readonly job: JobOptions;
  readonly identity: RunIdentity;
  /** Of the weights before the first step: what cached reference log-probs belong to. */
  readonly startHash: string;
  /** The model to compare with that was asked for; undefined: the start of the trained one. */
  readonly reference: OtherReference | undefined;
  /** The checkpoint that this run continues from. */
  readonly earlier:
    | { readonly folder: string; readonly state: string; readonly record: CheckpointRecord }
    | undefined;
  /** Tells what the run goes on with, but somebody should know. */
  warn(message: string): void;
  /** The rows of each step that is left. */
  plan(): Generator<StepRows>;
  close(): Promise<void>;
}

/** Model, rows and folder of a run. Nothing is left behind when it throws. */
export async function openWorkplace<Metrics extends SharedMetrics>(
  request: OpenWorkplace<Metrics>,
  control: TrainControl<Metrics>,
): Promise<Workplace> {
  const { settings, inputs, command } = request;
  const { output, resume } = settings;
  const signal = loadingSignal(inputs.signal, control.stopSignal);
  signal.throwIfAborted();
  const earlier = resume ? await findEarlierRun({ output, command }) : undefined;
  let opened: OpenModel | undefined;
  let rows: OpenRows | undefined;
  let reference: OtherReference | undefined;
  const close = async () => {
    rows?.close();
    await reference?.close();
    await opened?.close();
  };
  try {
    if (earlier === undefined) await checkOutput(output);
    if (request.cacheFolder !== undefined) await checkWritable("cache", request.cacheFolder);
    opened = await openModel(settings, inputs, { signal }, request.scoring);
    const maxLength = effectiveLength(settings, request.lengthGiven, opened.model);
    const date = dayOf(earlier === undefined ? dateOf(inputs) : new Date(earlier.run.started));
    const warn = (message: string) => control.emit({ type: "warning", message });
    rows = await openRows({ ...request, model: opened.model, maxLength, date, signal, warn });
    const prepared = (await request.prepareRows?.({ rows, model: opened.model, warn })) ?? rows;
    const other = request.reference;
    if (other !== undefined) {
      const { tokenizer } = rows;
      const { model } = opened;
      reference = await openReference({ reference: other, model, tokenizer, settings, job: { signal } });
    }
    const place = await prepare({ request, control, earlier, opened, rows, prepared, reference, maxLength });
    return { ...place, close };
  } catch (error) {
    earlier?.lock.release();
    await close();
    // Loading was cancelled by `stop()`: whatever it says, that is why.
    if (inputs.signal?.aborted !== true) control.stopSignal.throwIfAborted();
    throw error;
  }
}

interface Prepare<Metrics extends SharedMetrics> {
  readonly request: OpenWorkplace<Metrics>;
  readonly control: TrainControl<Metrics>;
  readonly earlier: EarlierRun | undefined;
  readonly opened: OpenModel;
  readonly rows: OpenRows;
  readonly prepared: PreparedRows;
  readonly reference: OtherReference | undefined;
  readonly maxLength: number;
}

/** Compares with the earlier run, asks for room, and opens the folder: from here on something is written. */
async function prepare<Metrics extends SharedMetrics>(
  parts: Prepare<Metrics>,
): Promise<Omit<Workplace, "close">> {
  const { request, control, earlier, opened, rows, prepared, reference } = parts;
  const { settings, inputs, command } = request;
  const { model } = opened;
  const { counts } = rows;
  const { data, evaluation } = prepared;
  const steps = plannedSteps(settings, data.length);
  const startHash = await opened.startHash();
  const machine = { attune: attuneVersion, ...(opened.isa === undefined ? {} : { isa: opened.isa }) };
  const hashes = {
    ...rows.identity,
    ...prepared.identity,
    model: startHash,
    ...(reference === undefined ? {} : { reference: reference.hash ?? "a frozen copy" }),
  };
  const identity = runIdentity({ command, settings, steps, hashes, machine });
  const changes = earlier === undefined ? [] : requireSameRun(earlier, identity, settings.allowChanges);
  await requireRoom({ settings, model, data, evaluation, steps, snapshots: request.snapshots });
  loadingSignal(inputs.signal, control.stopSignal).throwIfAborted();
  const folder = await openFolder(parts, { steps, startHash, changes });
  for (const message of warnings(parts, changes)) control.emit({ type: "warning", message });
  const from = earlier?.record.step ?? 0;
  const order = { ...settings, rowCount: data.length, from };
  const { schedule, warmupRatio } = settings;
  return {
    model,
    data,
    counts,
    evaluation,
    tokenizer: rows.tokenizer,
    folder,
    steps,
    schedule: { schedule, warmup: warmupSteps(warmupRatio, steps), total: steps },
    job: inputs.signal === undefined ? {} : { signal: inputs.signal },
    identity,
    startHash,
    reference,
    earlier:
      earlier === undefined
        ? undefined
        : { folder: earlier.folder, state: join(earlier.folder, stateName), record: earlier.record },
    warn: (message) => control.emit({ type: "warning", message }),
    *plan() {
      for (const rowsOfStep of stepRows(order)) {
        if (rowsOfStep.step >= steps) return;
        inputs.signal?.throwIfAborted();
        yield rowsOfStep;
      }
    },
  };
}

interface FolderFacts {
  readonly steps: number;
  readonly startHash: string;
  readonly changes: readonly string[];
}

async function openFolder<Metrics extends SharedMetrics>(
  { request, earlier, rows, maxLength }: Prepare<Metrics>,
  { steps, startHash, changes }: FolderFacts,
): Promise<RunFolder> {
  const { settings, inputs, command, schema } = request;
  const { output, logEvery } = settings;
  const heading = `attune ${attuneVersion} ${command}: every option of this run`;
  const { resume: _, allowChanges: __, ...kept } = settings;
  const config = configText(schema, { ...kept, maxLength }, heading);
  const options = { folder: output, clock: inputs.clock?.date ?? systemClock.date };
  const start = {
    command,
    versions: versions(),
    machine: machineLine(),
    seed: settings.seed,
    hashes: { ...rows.files, model: startHash },
    rows: rows.counts,
    stepsPlanned: steps,
    ...(rows.evaluationCounts === undefined ? {} : { evaluationRows: rows.evaluationCounts }),
  };
  if (earlier === undefined) return RunFolder.create(options, start, config);
  const { run: record, lock, record: checkpoint, broken } = earlier;
  const { step } = checkpoint;
  const keepLine = (line: Readonly<Record<string, unknown>>) => {
    const number = Number(line.step);
    // A stopped run logs its last step whatever `logEvery` says; an undisturbed one does not.
    return number <= step && (line.split !== "train" || isLogged(number, { logEvery, steps }));
  };
  const folder = RunFolder.reopen(options, start, config, { record, lock, step, changes, keepLine });
  cutLines(join(output, "samples.jsonl"), (line) => Number(line.step) <= step);
  await clearLeftovers(output);
  // What could not be used must not count as the newest.
  for (const one of broken) await removeCheckpoint(join(output, "checkpoints"), one.step);
  return folder;
}

/** What somebody should know before the first step. */
function warnings(
  { earlier, prepared }: Pick<Prepare<SharedMetrics>, "earlier" | "prepared">,
  changes: readonly string[],
) {
  const odd = oddWeights(prepared.data);
  return [
    ...(earlier?.broken ?? []).map(
      ({ problem }) => `Not complete, passed over: ${problem}. Going on from ${earlier?.folder}.`,
    ),
    ...changes.map((change) => `Not as in the checkpoint: ${change}.`),
    ...(odd === undefined ? [] : [odd]),
  ];
}

/** Aborted by the caller's signal or by `stop()`. */
function loadingSignal(signal: AbortSignal | undefined, stop: AbortSignal): AbortSignal {
  return signal === undefined ? stop : AbortSignal.any([signal, stop]);
}

function dateOf<Metrics extends SharedMetrics>({ clock = systemClock }: RunInputs<Metrics>): Date {
  return clock.date();
}

/** The start of a day, universal time: what templates are told must not change when a run goes on. */
function dayOf(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 86_400_000) * 86_400_000);
}

/** All epochs, or `maxSteps` if that is less. */
function plannedSteps({ epochs, maxSteps, batchSize }: SharedSettings, rowCount: number): number {
  return Math.min(epochs * stepsPerEpoch({ rowCount, batchSize }), maxSteps ?? Number.POSITIVE_INFINITY);
}
