// Finds what a run goes on from, and refuses what would not be the same run. Must not change anything but the lock.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AttuneError, fail, reasonOf } from "../errors/index.js";
import type { CheckpointRecord } from "./checkpoint-record.js";
import { type BrokenCheckpoint, type FoundCheckpoint, newestCheckpoint } from "./checkpoints.js";
import { checkWritable } from "./output-checks.js";
import type { RunRecord } from "./run-folder.js";
import { changesBetween, changeText, type RunIdentity } from "./run-identity.js";
import { RunLock } from "./run-lock.js";

/** A run that was interrupted, and where it goes on. */
export interface EarlierRun extends FoundCheckpoint {
  /** run.json as it was left. */
  readonly run: RunRecord;
  /** Held from here on. */
  readonly lock: RunLock;
  /** Newer checkpoints that cannot be used. */
  readonly broken: readonly BrokenCheckpoint[];
}

export interface FindEarlierRun {
  readonly output: string;
  readonly command: string;
}

/**
 * The run in a folder and its newest complete checkpoint.
 * @throws ATTUNE_RESUME; ATTUNE_OUTPUT_EXISTS when a run is at work in the folder
 */
export async function findEarlierRun({ output, command }: FindEarlierRun): Promise<EarlierRun> {
  if (!existsSync(join(output, "run.json"))) {
    throw refused(
      output,
      `Expected a run to continue in ${output} but there is none. Leave resume out to begin one.`,
    );
  }
  await checkWritable("output", output);
  const lock = RunLock.acquire(output);
  try {
    const run = readRun(output);
    requireUnfinished(run, output, command);
    const { found, broken } = newestCheckpoint(output);
    if (found === undefined) throw noCheckpoint(output, broken);
    return { ...found, run, lock, broken };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function readRun(output: string): RunRecord {
  const path = join(output, "run.json");
  let run: RunRecord;
  try {
    run = JSON.parse(readFileSync(path, "utf8")) as RunRecord;
  } catch (error) {
    throw refused(
      output,
      `Expected the record of a run in ${path} but it cannot be read: ${reasonOf(error)}.`,
    );
  }
  // Widened: the file may be of another version.
  const version: unknown = (run as { readonly formatVersion?: unknown } | null)?.formatVersion;
  if (version === 1) return run;
  throw refused(
    output,
    `Expected format 1 in ${path} but found ${String(version)}: another version of attune wrote it.`,
  );
}

function requireUnfinished(run: RunRecord, output: string, command: string): void {
  if (run.command !== command) {
    const text = `Expected a run of attune ${command} in ${output} but it is one of attune ${run.command}.`;
    throw refused(output, `${text} Continue it with that command, or choose another output.`);
  }
  if (run.status !== "done") return;
  const text = `Expected an interrupted run in ${output} but it is finished, after ${run.stepsDone} steps.`;
  throw refused(output, `${text} To train on, begin a run with ${join(output, "model")} in another output.`);
}

function noCheckpoint(output: string, broken: readonly BrokenCheckpoint[]): AttuneError {
  const problems = broken.map(({ problem }) => problem);
  const found = problems.length === 0 ? "there is none" : `none is complete (${problems.join("; ")})`;
  const text =
    `Expected a checkpoint in ${output} but ${found}. The first one is saved after save-every steps or when a run ` +
    "is stopped. To begin again, leave resume out, and remove this run or choose another output.";
  return refused(output, text, { problems });
}

/**
 * What differs between the checkpoint and the run as it is asked for now, as sentences.
 * @throws ATTUNE_RESUME when something does and `allowChanges` is off
 */
export function requireSameRun(
  { record, folder }: { readonly record: CheckpointRecord; readonly folder: string },
  identity: RunIdentity,
  allowChanges: boolean,
): readonly string[] {
  const changes = changesBetween(record.identity, identity);
  const texts = changes.map(changeText);
  if (texts.length === 0 || allowChanges) return texts;
  const text =
    `Expected the run to go on unchanged from ${folder}, but ${texts.join("; ")}. ` +
    "Give what it was, or resume with allow-changes: the result is then another than that of an undisturbed run.";
  throw refused(folder, text, { changes });
}

function refused(path: string, text: string, details: Readonly<Record<string, unknown>> = {}): AttuneError {
  return fail("ATTUNE_RESUME", text, { details: { path, ...details } });
}
