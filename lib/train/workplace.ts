// Opens all that a run needs, in an order in which nothing is written before everything was checked, and closes it.
// Must not know an algorithm: the loops are in sft.ts and dpo.ts.

import type { z } from "zod";
import {
  type LoadRowsOptions,
  loadRows,
  type RowCounts,
  type StepRows,
  stepRows,
  stepsPerEpoch,
  type TokenisedRow,
  trunkRowsOf,
} from "../data/index.js";
import type { JobOptions, TrainableModel } from "../engine/contract.js";
import { createEngine, type MemoryNeed, requireMemory } from "../engine/index.js";
import { fail } from "../errors/index.js";
import { configText } from "../options/index.js";
import { loadTokenizer } from "../text/index.js";
import { fileHash, modelFilesHash, weightsHash } from "./fingerprint.js";
import { attuneVersion, machineLine, versions } from "./machine.js";
import type { SharedMetrics } from "./metrics.js";
import { checkFreeSpace, checkOutput, checkWritable, RunFolder } from "./run-folder.js";
import { dataPaths, type RunInputs, systemClock } from "./run-types.js";
import type { ScheduleName, ScheduleOptions } from "./schedule.js";
import { warmupSteps } from "./schedule.js";

/** Settings that every trainer has. */
export interface SharedSettings {
  readonly output: string;
  readonly epochs: number;
  readonly maxSteps?: number | undefined;
  readonly batchSize: number;
  readonly microBatchTokens: number;
  readonly schedule: ScheduleName;
  readonly warmupRatio: number;
  readonly seed: number;
  readonly shuffle: boolean;
  readonly maxLength: number;
  readonly skipBadRows: number;
  readonly dtype: "fp32" | "bf16";
  readonly threads?: number | undefined;
  readonly device: "auto" | "cpu" | "cuda";
  readonly logEvery: number;
}

export interface OpenWorkplace<Metrics extends SharedMetrics> {
  readonly command: string;
  readonly schema: z.ZodObject;
  readonly settings: SharedSettings;
  readonly inputs: RunInputs<Metrics>;
  /** How rows become tokens, beside length and bad rows. */
  readonly rows: Pick<LoadRowsOptions, "task" | "overLength" | "format">;
  /** Whether `maxLength` was asked for; the default gives way to the model's positions. */
  readonly lengthGiven: boolean;
  /** A folder outside the run's own that will be written as well. */
  readonly cacheFolder?: string | undefined;
  /** Frozen copies of the weights that the run will hold. */
  readonly snapshots: number;
}

/** Everything that a loop works with. */
export interface Workplace {
  readonly model: TrainableModel;
  readonly data: readonly TokenisedRow[];
  readonly counts: RowCounts;
  readonly folder: RunFolder;
  /** Optimiser steps of this run. */
  readonly steps: number;
  readonly schedule: ScheduleOptions;
  readonly job: JobOptions;
  /** The rows of each step, `steps` of them. */
  plan(): Generator<StepRows>;
  /**
   * Of the weights at the start: what cached reference log-probs belong to. A model in memory may have been trained, so
   * its weights themselves are read, but only when other runs may see the cache (`shared`).
   */
  startHash(options: { readonly shared: boolean }): Promise<string>;
  close(): Promise<void>;
}

/** Model, rows and folder of a run. Nothing is left behind when it throws. */
export async function openWorkplace<Metrics extends SharedMetrics>(
  request: OpenWorkplace<Metrics>,
): Promise<Workplace> {
  const { settings, inputs } = request;
  const job: JobOptions = inputs.signal === undefined ? {} : { signal: inputs.signal };
  inputs.signal?.throwIfAborted();
  await checkOutput(settings.output);
  if (request.cacheFolder !== undefined) await checkWritable("cache", request.cacheFolder);
  const { model, close } = await openModel(settings, inputs, job);
  try {
    const maxLength = effectiveLength(request, model);
    const { rows: data, counts } = await readRows(request, model, maxLength);
    const steps = plannedSteps(settings, data.length);
    const order = { rowCount: data.length, ...settings };
    await requireRoom(request, model, data);
    const { command, schema } = request;
    const folder = await RunFolder.create(
      { folder: settings.output, clock: inputs.clock?.date ?? systemClock.date },
      {
        command,
        versions: versions(),
        machine: machineLine(),
        seed: settings.seed,
        hashes: await dataHashes(inputs),
        rows: counts,
        stepsPlanned: steps,
      },
      configText(
        schema,
        { ...settings, maxLength },
        `attune ${attuneVersion} ${command}: every option of this run`,
      ),
    );
    return {
      model,
      data,
      counts,
      folder,
      steps,
      schedule: {
        schedule: settings.schedule,
        warmup: warmupSteps(settings.warmupRatio, steps),
        total: steps,
      },
      job,
      *plan() {
        for (const rows of stepRows(order)) {
          if (rows.step === steps) return;
          inputs.signal?.throwIfAborted();
          yield rows;
        }
      },
      startHash: ({ shared }) => startHash(inputs.model, shared),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface OpenModel {
  readonly model: TrainableModel;
  /** Lets go of what this run loaded; a model that was passed in stays. */
  close(): Promise<void>;
}

async function openModel<Metrics extends SharedMetrics>(
  settings: SharedSettings,
  inputs: RunInputs<Metrics>,
  job: JobOptions,
): Promise<OpenModel> {
  if (typeof inputs.model !== "string") return { model: inputs.model, close: async () => undefined };
  const { device, threads, dtype } = settings;
  const engine = await createEngine({ device, ...(threads === undefined ? {} : { threads }) });
  try {
    const model = await engine.loadModel(inputs.model, { dtype, ...job });
    return { model, close: () => engine.dispose() };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

/** The default gives way to a model of fewer positions; a length that was asked for does not. */
function effectiveLength<Metrics extends SharedMetrics>(
  { settings, lengthGiven }: OpenWorkplace<Metrics>,
  model: TrainableModel,
): number {
  if (!lengthGiven || settings.maxLength <= model.maxPositions)
    return Math.min(settings.maxLength, model.maxPositions);
  throw fail(
    "ATTUNE_OPTION",
    `Expected max-length to be at most ${model.maxPositions}, the positions of ${model.source}, ` +
      `but received ${settings.maxLength}.`,
  );
}

async function readRows<Metrics extends SharedMetrics>(
  { settings, inputs, rows }: OpenWorkplace<Metrics>,
  model: TrainableModel,
  maxLength: number,
) {
  const tokenizer = await loadTokenizer({ path: model.source });
  return loadRows({
    ...rows,
    data: inputs.data,
    tokenizer,
    maxLength,
    skipBadRows: settings.skipBadRows,
    vocabularySize: model.vocabularySize,
    ...(inputs.signal === undefined ? {} : { signal: inputs.signal }),
  });
}

async function startHash(model: string | TrainableModel, shared: boolean): Promise<string> {
  if (typeof model === "string") return modelFilesHash(model);
  return shared ? weightsHash(model) : "of this run alone";
}

/** All epochs, or `maxSteps` if that is less. */
function plannedSteps({ epochs, maxSteps, batchSize }: SharedSettings, rowCount: number): number {
  return Math.min(epochs * stepsPerEpoch({ rowCount, batchSize }), maxSteps ?? Number.POSITIVE_INFINITY);
}

/** Memory for the steps and disk for the trained model, before any work is done. */
async function requireRoom<Metrics extends SharedMetrics>(
  request: OpenWorkplace<Metrics>,
  model: TrainableModel,
  data: readonly TokenisedRow[],
): Promise<void> {
  requireMemory(memoryNeed(request, model, data));
  await checkFreeSpace(request.settings.output, model.parameters * (model.dtype === "bf16" ? 2 : 4));
}

/** Bounds on the largest micro-batch of the first epoch, which stands for all: later ones only mix the rows anew. */
function memoryNeed<Metrics extends SharedMetrics>(
  { settings, snapshots }: OpenWorkplace<Metrics>,
  model: TrainableModel,
  data: readonly TokenisedRow[],
): MemoryNeed {
  const order = { rowCount: data.length, ...settings };
  const perEpoch = stepsPerEpoch(order);
  let rows = 0;
  let targets = 0;
  for (const step of stepRows(order)) {
    if (step.step === perEpoch) break;
    const bound = largestBatch(step.rows, data, settings.microBatchTokens);
    rows = Math.max(rows, bound.rows);
    targets = Math.max(targets, bound.targets);
  }
  return { model, rows, targets, snapshots };
}

/** A step in one micro-batch, or one that is full: each row of the trunk predicts one target, a prompt's last several. */
function largestBatch(step: Int32Array, data: readonly TokenisedRow[], microBatchTokens: number) {
  let total = 0;
  let longest = 0;
  let completions = 0;
  let targets = 0;
  for (const index of step) {
    const row = data[index];
    if (row === undefined) continue;
    const trunk = trunkRowsOf(row);
    total += trunk;
    longest = Math.max(longest, trunk);
    completions += row.completions.length;
    for (const { length } of row.completions) targets += length;
  }
  const rows = Math.max(longest, Math.min(total, microBatchTokens));
  return { rows, targets: Math.min(targets, rows + completions) };
}

async function dataHashes<Metrics extends SharedMetrics>(
  inputs: RunInputs<Metrics>,
): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const path of dataPaths(inputs.data)) hashes[path] = await fileHash(path);
  return hashes;
}
