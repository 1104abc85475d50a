// Refuses an output folder before any work is done: one that cannot be written, or has no room.
// Must not create anything.

import { constants, existsSync, statSync } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fail, sizeText } from "../errors/index.js";
import { unwritable } from "./run-files.js";

/**
 * Refuses a folder that cannot be written or made; creates nothing. `option` is what the message calls it.
 * @throws ATTUNE_OUTPUT
 */
export async function checkWritable(option: string, folder: string): Promise<void> {
  const existing = nearestFolder(folder);
  if (!statSync(existing).isDirectory()) {
    const message = `Expected ${option} to be a folder, but ${existing} is a file. Choose another folder.`;
    throw fail("ATTUNE_OUTPUT", message, { details: { path: folder } });
  }
  try {
    await access(join(existing, "."), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/** The path itself, or the closest parent that exists. */
function nearestFolder(folder: string): string {
  let existing = resolve(folder);
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  return existing;
}

export interface FreeSpaceNeed {
  readonly folder: string;
  readonly bytes: number;
  /** `the trained model`, for the message. */
  readonly what: string;
  /** Free bytes of a path; a parameter for tests. */
  readonly free?: (path: string) => Promise<number>;
}

/**
 * Refuses a disk on which something would not fit, before it is begun.
 * @throws ATTUNE_OUTPUT
 */
export async function checkFreeSpace(need: FreeSpaceNeed): Promise<void> {
  const { folder, bytes, what, free = freeBytes } = need;
  const left = await free(nearestFolder(folder));
  if (left >= bytes) return;
  const message =
    `Expected ${sizeText(bytes)} of free space at ${folder} for ${what} but found ${sizeText(left)}. ` +
    "Free some, or choose another output.";
  throw fail("ATTUNE_OUTPUT", message, { details: { path: folder, bytes, free: left } });
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
