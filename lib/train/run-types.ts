// What goes into a run and what comes out: inputs, events, result. Types and their separation, no work.
// Must not import a trainer's loop.

import type { RowCounts, RowSource } from "../data/index.js";
import type { TrainableModel } from "../engine/contract.js";
import { type AttuneError, fail } from "../errors/index.js";
import type { OpenMetricsSink, WriteReport } from "./followers.js";
import type { EvalMetrics, SharedMetrics } from "./metrics.js";
import type { Run, RunControl } from "./run.js";
import type { Sample } from "./samples.js";

/** Time as a parameter. */
export interface Clock {
  /** Milliseconds that only grow. */
  readonly now: () => number;
  readonly date: () => Date;
}

export const systemClock: Clock = { now: () => performance.now(), date: () => new Date() };

/** What a trainer takes beside its numbers. */
export interface RunInputs<Metrics extends SharedMetrics> {
  /**
   * A path (the run loads the model and lets it go at the end), or a loaded model: it is trained in place and stays
   * yours. `dtype`, `threads` and `device` belong to `createEngine` and `loadModel` then.
   */
  readonly model: string | TrainableModel;
  /** Paths of files or folders, patterns, or the rows themselves. */
  readonly data: RowSource;
  /** The same, measured and never trained on. */
  readonly evalData?: RowSource;
  /** Cancels at once; nothing is saved. The run counts as interrupted, or as failed where the reason is an AttuneError. To end a run with its model saved, call `run.stop()`. */
  readonly signal?: AbortSignal;
  /** Called after every step; what it throws ends the run. */
  readonly onStep?: (event: StepEvent<Metrics>) => void;
  /** Gets every metrics line too, such as `tensorboardSink()`; its errors are warnings. */
  readonly metricsSink?: OpenMetricsSink;
  /** Called with the folder at the end, however the run ended, such as `writeRunReport`; its errors are warnings. */
  readonly report?: WriteReport;
  readonly clock?: Clock;
}

export interface StartEvent {
  readonly type: "start";
  readonly command: string;
  readonly rows: RowCounts;
  /** Optimiser steps planned. */
  readonly steps: number;
  readonly parameters: number;
  /** Numbers that training changes: those of the adapter, or all. */
  readonly trainableParameters: number;
  readonly output: string;
  /** Rows that are measured; undefined without evaluation. */
  readonly evalRows: number | undefined;
  /** The step of the checkpoint that the run continues from; undefined for a new run. */
  readonly resumedFrom: number | undefined;
}

export interface StepEvent<Metrics> {
  readonly type: "step";
  /** From 1. */
  readonly step: number;
  readonly steps: number;
  /** From 0. */
  readonly epoch: number;
  /** Whether a line went to metrics.jsonl (`logEvery`). */
  readonly logged: boolean;
  readonly metrics: Metrics;
}

export interface EvalEvent {
  readonly type: "eval";
  /** Steps taken before; 0 is the model at its start. */
  readonly step: number;
  readonly steps: number;
  readonly metrics: EvalMetrics;
  /** With `earlyStop`: whether this is the lowest eval_loss after a step. */
  readonly best: boolean;
}

/** An answer to a prompt (`sampleEvery`). */
export interface SampleEvent extends Sample {
  readonly type: "sample";
}

export interface CheckpointEvent {
  readonly type: "checkpoint";
  readonly step: number;
  readonly folder: string;
}

/** Something that the run goes on with, but that somebody should know. */
export interface WarningEvent {
  readonly type: "warning";
  readonly message: string;
}

/** Something about an online run that looks wrong; a line of alarms.jsonl. docs/evaluation.md has the rules. */
export interface Alarm {
  readonly step: number;
  readonly name: string;
  /** A sentence with the numbers. */
  readonly text: string;
  readonly values: Readonly<Record<string, number>>;
}

export interface AlarmEvent extends Alarm {
  readonly type: "alarm";
}

/** Where a long step is: how much of a phase is done. */
export interface ProgressEvent {
  readonly type: "progress";
  /** From 1; of a look at the evaluation prompts the steps taken before. */
  readonly step: number;
  readonly phase: "samples" | "reference" | "values" | "rewards" | "update";
  readonly done: number;
  readonly total: number;
}

export interface SavedEvent {
  readonly type: "saved";
  /** The trained model as a Hugging Face folder, an adapter as a PEFT folder. */
  readonly folder: string;
}

export type TrainEvent<Metrics> =
  | StartEvent
  | StepEvent<Metrics>
  | EvalEvent
  | SampleEvent
  | CheckpointEvent
  | WarningEvent
  | AlarmEvent
  | ProgressEvent
  | SavedEvent;

/** Why a run was done before its last step. */
export interface EarlyEnd {
  /** The option that asked for it. */
  readonly by: "early-stop" | "stop-rule" | "stop-on";
  /** The step after which it ended. */
  readonly step: number;
  /** What was found, as part of a sentence. */
  readonly why: string;
}

export interface TrainResult<Metrics> {
  /** `interrupted`: `stop()` came before the last step. */
  readonly status: "done" | "interrupted";
  readonly output: string;
  /** The trained model as a Hugging Face folder, an adapter as a PEFT folder. */
  readonly model: string;
  readonly steps: number;
  readonly rows: RowCounts;
  /** Of the first and of the last step. */
  readonly first: Metrics;
  readonly last: Metrics;
  /** Wall time of all steps, without evaluations and checkpoints. */
  readonly seconds: number;
  /** The newest checkpoint, where there is one. */
  readonly checkpoint: string | undefined;
  /** The first and the last evaluation, where there were any. */
  readonly evaluation: { readonly first: EvalMetrics; readonly last: EvalMetrics } | undefined;
  /** With `earlyStop`: the step whose weights were saved as the model. */
  readonly bestStep: number | undefined;
  /** Why it was done before its last step; undefined where it took all steps, or was interrupted. */
  readonly endedEarly: EarlyEnd | undefined;
  /** What the algorithm found besides, where there is something: docs of the command. */
  readonly details: Readonly<Record<string, unknown>> | undefined;
}

export type TrainRun<Metrics> = Run<TrainEvent<Metrics>, TrainResult<Metrics>>;
export type TrainControl<Metrics> = RunControl<TrainEvent<Metrics>>;

/**
 * Splits what the schema checks from what it cannot: objects, signals and functions, which are checked here.
 * @throws ATTUNE_OPTION
 */
export function separateInputs<Metrics extends SharedMetrics>(
  options: RunInputs<Metrics> & Readonly<Record<string, unknown>>,
): { readonly inputs: RunInputs<Metrics>; readonly values: Readonly<Record<string, unknown>> } {
  const { model, data, evalData, signal, onStep, metricsSink, report, clock, ...numbers } = options;
  const loaded = typeof model === "object" && typeof (model as TrainableModel | null)?.step === "function";
  if (model !== undefined && typeof model !== "string" && !loaded)
    throw wrongInput("model", "a path or a model of engine.loadModel", model);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw wrongInput("signal", "an AbortSignal", signal);
  for (const [name, value] of Object.entries({ onStep, metricsSink, report }))
    if (value !== undefined && typeof value !== "function") throw wrongInput(name, "a function", value);
  const inputs = {
    model,
    data,
    ...(evalData === undefined ? {} : { evalData }),
    ...(signal === undefined ? {} : { signal }),
    ...(onStep === undefined ? {} : { onStep }),
    ...(metricsSink === undefined ? {} : { metricsSink }),
    ...(report === undefined ? {} : { report }),
    ...(clock === undefined ? {} : { clock }),
  };
  const modelName = typeof model === "object" && model !== null ? model.source : model;
  return {
    inputs,
    values: { ...numbers, model: modelName, data: dataNames(data), evalData: dataNames(evalData) },
  };
}

function wrongInput(name: string, expected: string, value: unknown): AttuneError {
  const found = value === null ? "null" : typeof value === "object" ? "another object" : String(value);
  return fail("ATTUNE_OPTION", `Expected ${name} to be ${expected} but received ${found}.`, {
    details: { option: name },
  });
}

/** What the schema checks and config.yaml says: paths, or that the rows came from memory. */
export function dataNames(data: unknown): unknown {
  if (typeof data === "string") return [data];
  if (typeof data !== "object" || data === null) return data;
  const paths = Array.isArray(data) && data.length > 0 && data.every((item) => typeof item === "string");
  return paths ? data : ["(rows in memory)"];
}
