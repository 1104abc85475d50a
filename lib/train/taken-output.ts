// Refuses an output folder that already holds a run, and says what may be done with that run. Must not create anything.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AttuneError, fail } from "../errors/index.js";
import { newestCheckpoint } from "./checkpoints.js";
import { checkWritable } from "./output-checks.js";
import { requireUnlocked } from "./run-lock.js";

/**
 * Refuses a folder that already holds a run or cannot be written, before any work is done; creates nothing.
 * @throws ATTUNE_OUTPUT_EXISTS or ATTUNE_OUTPUT
 */
export async function checkOutput(folder: string): Promise<void> {
  requireUnlocked(folder);
  for (const name of ["run.json", "metrics.jsonl", "config.yaml", "checkpoints", "model"]) {
    if (existsSync(join(folder, name))) throw holdsRun(folder, name);
  }
  await checkWritable("output", folder);
}

export function holdsRun(folder: string, found: string): AttuneError {
  const text = `Expected output to be a folder without a run, but ${folder} already holds a run (${found}).`;
  return fail("ATTUNE_OUTPUT_EXISTS", `${text} ${adviceFor(folder)}`, { details: { folder, found } });
}

/** Never to resume what `--resume` would refuse. Nothing is removed for anybody: also a failed run has its metrics. */
function adviceFor(folder: string): string {
  if (statusOf(folder) === "done")
    return "It is finished: choose another folder, or remove this one if it is no longer needed.";
  if (hasCheckpoint(folder))
    return "Continue it with --resume, choose another folder, or remove this one if it is no longer needed.";
  return "It has no checkpoint that --resume could go on from: remove it to begin again in this folder, or choose another.";
}

function statusOf(folder: string): unknown {
  try {
    const record: unknown = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
    return (record as { readonly status?: unknown } | null)?.status;
  } catch {
    return undefined;
  }
}

/** Whether there is one that is complete, or that another version wrote: `--resume` says what to do with that. */
function hasCheckpoint(folder: string): boolean {
  try {
    return newestCheckpoint(folder).found !== undefined;
  } catch {
    return true;
  }
}
