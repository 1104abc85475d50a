// What goes into a run and what comes out: inputs, events, result. Types and their separation, no work.

import type { RowCounts, RowSource } from "../data/index.js";
import type { TrainableModel } from "../engine/contract.js";
import { type AttuneError, fail } from "../errors/index.js";
import type { SharedMetrics } from "./metrics.js";
import type { Run, RunControl } from "./run.js";

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
  /** Paths of JSONL files (gzipped or not), or the rows themselves. */
  readonly data: RowSource;
  /** Cancels at once; nothing is saved. To end a run with its model saved, call `run.stop()`. */
  readonly signal?: AbortSignal;
  /** Called after every step; what it throws ends the run. */
  readonly onStep?: (event: StepEvent<Metrics>) => void;
  readonly clock?: Clock;
}

export interface StartEvent {
  readonly type: "start";
  readonly command: string;
  readonly rows: RowCounts;
  /** Optimiser steps planned. */
  readonly steps: number;
  readonly parameters: number;
  readonly output: string;
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

export interface SavedEvent {
  readonly type: "saved";
  /** The trained model as a Hugging Face folder. */
  readonly folder: string;
}

export type TrainEvent<Metrics> = StartEvent | StepEvent<Metrics> | SavedEvent;

export interface TrainResult<Metrics> {
  /** `interrupted`: `stop()` came before the last step. */
  readonly status: "done" | "interrupted";
  readonly output: string;
  /** The trained model as a Hugging Face folder. */
  readonly model: string;
  readonly steps: number;
  readonly rows: RowCounts;
  /** Of the first and of the last step. */
  readonly first: Metrics;
  readonly last: Metrics;
  /** Wall time of all steps. */
  readonly seconds: number;
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
  const { model, data, signal, onStep, clock, ...numbers } = options;
  const loaded = typeof model === "object" && typeof (model as TrainableModel | null)?.step === "function";
  if (model !== undefined && typeof model !== "string" && !loaded)
    throw wrongInput("model", "a path or a model of engine.loadModel", model);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw wrongInput("signal", "an AbortSignal", signal);
  if (onStep !== undefined && typeof onStep !== "function") throw wrongInput("onStep", "a function", onStep);
  const inputs = {
    model,
    data,
    ...(signal === undefined ? {} : { signal }),
    ...(onStep === undefined ? {} : { onStep }),
    ...(clock === undefined ? {} : { clock }),
  };
  const modelName = typeof model === "object" && model !== null ? model.source : model;
  return { inputs, values: { ...numbers, model: modelName, data: dataName(data) } };
}

function wrongInput(name: string, expected: string, value: unknown): AttuneError {
  const found = value === null ? "null" : typeof value === "object" ? "another object" : String(value);
  return fail("ATTUNE_OPTION", `Expected ${name} to be ${expected} but received ${found}.`, {
    details: { option: name },
  });
}

function dataName(data: unknown): unknown {
  if (typeof data !== "object" || data === null) return data;
  const paths = Array.isArray(data) && data.length > 0 && data.every((item) => typeof item === "string");
  return paths ? data.join(", ") : "(rows in memory)";
}

/** Paths among the data, for hashes. */
export function dataPaths(data: RowSource): readonly string[] {
  if (typeof data === "string") return [data];
  return Array.isArray(data) ? data.filter((item): item is string => typeof item === "string") : [];
}
