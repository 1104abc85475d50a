// The checkpoints of a run: written beside and moved into place, found again, and removed so that no half of one stays.
// Must not know an algorithm or what a state file holds.

import { existsSync, readdirSync, renameSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { makeFolder } from "../engine/make-folder.js";
import { AttuneError } from "../errors/index.js";
import { type CheckpointRecord, readCheckpoint, recordName } from "./checkpoint-record.js";
import { checkFreeSpace } from "./output-checks.js";
import { syncFolder, unwritable, writeSynced } from "./run-files.js";

/** A file of a checkpoint beside its record. */
export interface StateFile {
  readonly name: string;
  /** About as many as it takes. */
  readonly bytes: number;
  readonly save: (path: string) => Promise<void>;
}

export interface WriteCheckpoint {
  /** The run's folder. */
  readonly output: string;
  readonly record: Omit<CheckpointRecord, "files">;
  readonly files: readonly StateFile[];
  /** Newest checkpoints that stay; 0 = all. */
  readonly keep: number;
  /** Step of the first alarm: the newest checkpoint from before it stays too. */
  readonly alarmed?: number | undefined;
  /** Free bytes of a path; for tests. */
  readonly free?: (path: string) => Promise<number>;
}

/** The newest ones stay, and the newest from before the first alarm. */
async function removeOld({ output, keep, alarmed = 0 }: WriteCheckpoint): Promise<void> {
  const parent = join(output, "checkpoints");
  const steps = checkpointSteps(output);
  const sound = steps.find((step) => step < alarmed);
  try {
    for (const step of steps.slice(keep)) if (step !== sound) await removeCheckpoint(parent, step);
  } catch (error) {
    throw unwritable(parent, error);
  }
}

/** What stays is cleared by the next run; the reason why there is something to clear is what counts. */
async function clearStaging(staging: string): Promise<void> {
  try {
    await removeFolder(staging);
  } catch {
    // The disk that refused the checkpoint refuses this too.
  }
}

/** Where a checkpoint of a step lies. */
export function checkpointFolder(output: string, step: number): string {
  return join(output, "checkpoints", `step-${step}`);
}

/**
 * Writes a checkpoint and then removes old ones. Until it is complete it has a hidden name, and the older ones stay.
 * @throws ATTUNE_OUTPUT when it does not fit the disk; the older ones are untouched
 */
export async function writeCheckpoint(request: WriteCheckpoint): Promise<string> {
  const { output, record, files, keep, free } = request;
  const parent = join(output, "checkpoints");
  const folder = checkpointFolder(output, record.step);
  const staging = join(parent, `.step-${record.step}.partial`);
  try {
    makeFolder(resolve(parent));
    await removeFolder(staging);
    await checkFreeSpace({
      folder: parent,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      what: "a checkpoint",
      ...(free === undefined ? {} : { free }),
    });
    makeFolder(resolve(staging));
    const sizes: Record<string, number> = {};
    for (const { name, save } of files) {
      await save(join(staging, name));
      sizes[name] = statSync(join(staging, name)).size;
    }
    // Last: a folder without it is no checkpoint.
    writeSynced(join(staging, recordName), `${JSON.stringify({ ...record, files: sizes }, undefined, 2)}\n`);
    syncFolder(staging);
    // Of an earlier attempt, damaged since: a complete one would have been continued from.
    if (existsSync(folder)) await removeCheckpoint(parent, record.step);
    renameSync(staging, folder);
    syncFolder(parent);
  } catch (error) {
    await clearStaging(staging);
    throw error instanceof AttuneError ? error : unwritable(folder, error);
  }
  if (keep > 0) await removeOld(request);
  return folder;
}

/** Steps of all checkpoints, newest first; whether they are complete is another question. */
export function checkpointSteps(output: string): readonly number[] {
  const parent = join(output, "checkpoints");
  if (!existsSync(parent)) return [];
  const steps = readdirSync(parent).flatMap((name) => {
    const digits = /^step-(\d+)$/.exec(name)?.[1];
    return digits === undefined ? [] : [Number(digits)];
  });
  return steps.sort((a, b) => b - a);
}

/** The name goes first, all at once: a removal that is killed leaves nothing that looks like a checkpoint. */
export async function removeCheckpoint(parent: string, step: number, remove = removeFolder): Promise<void> {
  const hidden = join(parent, `.step-${step}.removed`);
  await removeFolder(hidden);
  renameSync(join(parent, `step-${step}`), hidden);
  await remove(hidden);
}

/** Not on the JavaScript thread: letting gigabytes go takes a while. */
async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Removes what killed writes and removals left. */
export async function clearLeftovers(output: string): Promise<void> {
  const parent = join(output, "checkpoints");
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent))
    if (/^\.step-\d+\.(partial|removed)$/.test(name)) await removeFolder(join(parent, name));
}

export interface FoundCheckpoint {
  readonly folder: string;
  readonly record: CheckpointRecord;
}

/** A checkpoint that cannot be used. */
export interface BrokenCheckpoint {
  readonly step: number;
  /** `runs/a/checkpoints/step-4: state.safetensors has 10 of 20 bytes` */
  readonly problem: string;
}

/** The newest checkpoint that is complete, and what was wrong with newer ones. Throws what `readCheckpoint` throws. */
export function newestCheckpoint(output: string): {
  readonly found: FoundCheckpoint | undefined;
  readonly broken: readonly BrokenCheckpoint[];
} {
  const broken: BrokenCheckpoint[] = [];
  for (const step of checkpointSteps(output)) {
    const folder = checkpointFolder(output, step);
    const read = readCheckpoint(folder);
    if ("record" in read) return { found: { folder, record: read.record }, broken };
    broken.push({ step, problem: `${folder}: ${read.problem}` });
  }
  return { found: undefined, broken };
}
