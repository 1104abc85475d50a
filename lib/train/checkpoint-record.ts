// What checkpoint.json says, and how it is read back: a file that is cut or of another form is told apart.
// Must not write anything or know an algorithm.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fail, reasonOf } from "../errors/index.js";
import type { EarlyStopState } from "./early-stop.js";
import type { EvalMetrics, SharedMetrics } from "./metrics.js";
import type { RunIdentity } from "./run-identity.js";
import type { LogTotals } from "./step-log.js";

export const checkpointFormat = 1;
export const recordName = "checkpoint.json";
export const stateName = "state.safetensors";

/** Where a run stands after a step. */
export interface CheckpointState {
  /** Optimiser steps taken. */
  readonly step: number;
  /** Epoch of the last step, from 0. */
  readonly epoch: number;
  /** Rows of that epoch that were used: with the seed all that the order needs. */
  readonly rowsOfEpoch: number;
  readonly log: LogTotals<SharedMetrics>;
  readonly evaluation: { readonly first: EvalMetrics; readonly last: EvalMetrics } | undefined;
  readonly earlyStop: EarlyStopState | undefined;
  /** Step of the first alarm. */
  readonly alarmed?: number;
  /** What the algorithm keeps beside the model, as it gave it. */
  readonly own?: unknown;
}

export interface CheckpointRecord extends CheckpointState {
  readonly formatVersion: typeof checkpointFormat;
  readonly command: string;
  readonly written: string;
  /** What a run that goes on from here must have in common with this one. */
  readonly identity: RunIdentity;
  readonly versions: Readonly<Record<string, string>>;
  /** Bytes of the files beside this one. */
  readonly files: Readonly<Record<string, number>>;
}

/** What a run cannot go on without. */
const parts = ["files", "log", "identity"] as const;

/** A checkpoint that can be used, or why not. */
export type ReadCheckpoint = { readonly record: CheckpointRecord } | { readonly problem: string };

/**
 * Reads a checkpoint's record and compares the sizes of its files.
 * @throws ATTUNE_RESUME for a checkpoint of another version of the format: an older one would hide it
 */
export function readCheckpoint(folder: string): ReadCheckpoint {
  const path = join(folder, recordName);
  let record: CheckpointRecord;
  try {
    record = JSON.parse(readFileSync(path, "utf8")) as CheckpointRecord;
  } catch (error) {
    return { problem: `${recordName} cannot be read (${reasonOf(error)})` };
  }
  if (typeof record !== "object" || record === null || typeof record.formatVersion !== "number")
    return { problem: `${recordName} is not the record of a checkpoint` };
  if (record.formatVersion !== checkpointFormat) {
    const found = Number(record.formatVersion);
    const text =
      `Expected format ${checkpointFormat} in ${path} but found format ${found}: another version of attune wrote it. ` +
      "Resume with that version, or start a new run.";
    throw fail("ATTUNE_RESUME", text, { details: { path, expected: checkpointFormat, found } });
  }
  const missing = parts.find((part) => typeof (record[part] ?? undefined) !== "object");
  if (missing !== undefined) return { problem: `${recordName} does not say ${missing}` };
  for (const [name, bytes] of Object.entries(record.files)) {
    const found = statSync(join(folder, name), { throwIfNoEntry: false })?.size;
    if (found === bytes) continue;
    return { problem: found === undefined ? `${name} is missing` : `${name} has ${found} of ${bytes} bytes` };
  }
  return { record };
}
