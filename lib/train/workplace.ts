// Opens all that a run needs, in an order in which nothing is written before everything was checked, and closes it.
// Must not know an algorithm: the loops are in sft.ts and dpo.ts.

import { join } from "node:path";
import type { z } from "zod";
import type { RowCounts, StepRows } from "../data/index.js";
import type { FrozenModel, JobOptions, TrainableModel } from "../engine/contract.js";
import { configText } from "../options/index.js";
import type { Tokenizer } from "../text/index.js";
import { type CheckpointRecord, stateName } from "./checkpoint-record.js";
import { clearLeftovers, removeCheckpoint } from "./checkpoints.js";
import type { JudgedRows } from "./judged-rows.js";
import { attuneVersion, machineLine, versions } from "./machine.js";
import type { Material, OpenMaterial } from "./material.js";
import type { SharedMetrics } from "./metrics.js";
import { type NewScoreHead, type OpenModel, openModel } from "./open-model.js";
import { effectiveLength } from "./open-rows.js";
import { type OtherReference, openReference } from "./other-reference.js";
import { checkWritable } from "./output-checks.js";
import { requireRoom } from "./plan-room.js";
import { type EarlierRun, findEarlierRun, requireSameRun } from "./resume.js";
import { cutLines } from "./run-files.js";
import { RunFolder } from "./run-folder.js";
import { type RunIdentity, runIdentity } from "./run-identity.js";
import { type RunInputs, systemClock, type TrainControl } from "./run-types.js";
import { type ScheduleOptions, warmupSteps } from "./schedule.js";
import type { SharedSettings } from "./settings.js";
import { isLogged } from "./step-log.js";
import { checkOutput } from "./taken-output.js";

export interface OpenWorkplace<Metrics extends SharedMetrics, Own> {
  readonly command: string;
  readonly schema: z.ZodObject;
  readonly settings: SharedSettings;
  readonly inputs: RunInputs<Metrics>;
  /** For a model that scores: the head of one that comes without. Undefined: the model predicts tokens. */
  readonly scoring?: NewScoreHead;
  /** Opens what the run learns from, once the model is there; before anything is written. */
  readonly material: OpenMaterial<Own>;
  /** Whether `maxLength` was asked for; the default gives way to the model's positions. */
  readonly lengthGiven: boolean;
  /** A folder outside the run's own that will be written as well. */
  readonly cacheFolder?: string | undefined;
  /** Frozen copies of the weights that the run will hold. */
  readonly snapshots: number;
  /** A model to compare with in place of such a copy. */
  readonly reference?: string | FrozenModel | undefined;
  /** Whether the host is to keep the weights of either. */
  readonly referenceOffload?: boolean;
}

/** What every loop works with. */
export interface Place {
  readonly model: TrainableModel;
  readonly counts: RowCounts;
  /** Rows of a pass. */
  readonly rowCount: number;
  /** Rows that are measured; undefined without evaluation. */
  readonly evaluationCount: number | undefined;
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
  /** The first prompts, each once, that leave room for an answer. */
  readonly samplePrompts: (count: number) => readonly Int32Array[];
  /** Tells what the run goes on with, but somebody should know. */
  warn(message: string): void;
  /** The rows of each step that is left. */
  plan(): Generator<StepRows>;
  close(): Promise<void>;
}

/** Of a run that learns from rows. */
export type Workplace = Place & JudgedRows;

/** Model, rows and folder of a run. Nothing is left behind when it throws. */
export async function openWorkplace<Metrics extends SharedMetrics, Own>(
  request: OpenWorkplace<Metrics, Own>,
  control: TrainControl<Metrics>,
): Promise<Place & Own> {
  const { settings, inputs, command } = request;
  const { output, resume } = settings;
  const signal = loadingSignal(inputs.signal, control.stopSignal);
  signal.throwIfAborted();
  const earlier = resume ? await findEarlierRun({ output, command }) : undefined;
  let opened: OpenModel | undefined;
  let material: Material<Own> | undefined;
  let reference: OtherReference | undefined;
  const close = async () => {
    await material?.close();
    await reference?.close();
    await opened?.close();
  };
  try {
    if (earlier === undefined) await checkOutput(output);
    if (request.cacheFolder !== undefined) await checkWritable("cache", request.cacheFolder);
    const warn = (message: string) => control.emit({ type: "warning", message });
    opened = await openModel({ settings, inputs, job: { signal }, warn, scoring: request.scoring });
    const maxLength = effectiveLength(settings, request.lengthGiven, opened.model);
    const date = dayOf(earlier === undefined ? dateOf(inputs) : new Date(earlier.run.started));
    const { model } = opened;
    material = await request.material({ model, maxLength, date, signal, warn });
    if (request.reference !== undefined) {
      const { tokenizer } = material;
      const { reference: other, referenceOffload: offload = false } = request;
      const job = { signal };
      reference = await openReference({ reference: other, model, tokenizer, settings, offload, warn, job });
    }
    const place = await prepare({ request, control, earlier, opened, material, reference, maxLength });
    return { ...place, close };
  } catch (error) {
    earlier?.lock.release();
    await close();
    // Loading was cancelled by `stop()`: whatever it says, that is why.
    if (inputs.signal?.aborted !== true) control.stopSignal.throwIfAborted();
    throw error;
  }
}

interface Prepare<Metrics extends SharedMetrics, Own> {
  readonly request: OpenWorkplace<Metrics, Own>;
  readonly control: TrainControl<Metrics>;
  readonly earlier: EarlierRun | undefined;
  readonly opened: OpenModel;
  readonly material: Material<Own>;
  readonly reference: OtherReference | undefined;
  readonly maxLength: number;
}

/** Compares with the earlier run, asks for room, and opens the folder: from here on something is written. */
async function prepare<Metrics extends SharedMetrics, Own>(
  parts: Prepare<Metrics, Own>,
): Promise<Omit<Place, "close"> & Own> {
  const { request, control, earlier, opened, material, reference } = parts;
  const { settings, inputs, snapshots, referenceOffload: offload = false } = request;
  const { model } = opened;
  const steps = Math.min(material.steps, settings.maxSteps ?? Number.POSITIVE_INFINITY);
  const startHash = await opened.startHash();
  const identity = identityOf(parts, { steps, startHash });
  const changes = earlier === undefined ? [] : requireSameRun(earlier, identity, settings.allowChanges);
  await requireRoom({ settings, model, material, steps, snapshots, offload });
  loadingSignal(inputs.signal, control.stopSignal).throwIfAborted();
  const folder = await openFolder(parts, { steps, startHash, changes });
  const warn = (message: string) => control.emit({ type: "warning", message });
  for (const message of [...resumeWarnings(earlier, changes), ...material.warnings]) warn(message);
  const { schedule, warmupRatio } = settings;
  return {
    ...material.own,
    model,
    counts: material.counts,
    rowCount: material.rowCount,
    evaluationCount: material.evaluationCount,
    tokenizer: material.tokenizer,
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
    samplePrompts: material.samplePrompts,
    warn,
    *plan() {
      for (const rowsOfStep of material.plan(earlier?.record.step ?? 0)) {
        if (rowsOfStep.step >= steps) return;
        inputs.signal?.throwIfAborted();
        yield rowsOfStep;
      }
    },
  };
}

/** What a run that goes on must have in common with the one before. */
function identityOf<Metrics extends SharedMetrics, Own>(
  { request, opened, material, reference }: Prepare<Metrics, Own>,
  { steps, startHash }: Pick<FolderFacts, "steps" | "startHash">,
): RunIdentity {
  const { settings, command } = request;
  const machine = { attune: attuneVersion, ...(opened.isa === undefined ? {} : { isa: opened.isa }) };
  const hashes = {
    ...material.identity,
    model: startHash,
    ...(reference === undefined ? {} : { reference: reference.hash ?? "a frozen copy" }),
  };
  return runIdentity({ command, settings, steps, hashes, machine });
}

interface FolderFacts {
  readonly steps: number;
  readonly startHash: string;
  readonly changes: readonly string[];
}

async function openFolder<Metrics extends SharedMetrics, Own>(
  { request, earlier, material, maxLength }: Prepare<Metrics, Own>,
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
    hashes: { ...material.files, model: startHash },
    rows: material.counts,
    stepsPlanned: steps,
    ...(material.evaluationCounts === undefined ? {} : { evaluationRows: material.evaluationCounts }),
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
  for (const name of ["samples.jsonl", "alarms.jsonl"])
    cutLines(join(output, name), (line) => Number(line.step) <= step);
  await clearLeftovers(output);
  // What could not be used must not count as the newest.
  for (const one of broken) await removeCheckpoint(join(output, "checkpoints"), one.step);
  return folder;
}

/** What somebody should know who goes on with a run. */
function resumeWarnings(earlier: EarlierRun | undefined, changes: readonly string[]): readonly string[] {
  return [
    ...(earlier?.broken ?? []).map(
      ({ problem }) => `Not complete, passed over: ${problem}. Going on from ${earlier?.folder}.`,
    ),
    ...changes.map((change) => `Not as in the checkpoint: ${change}.`),
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
