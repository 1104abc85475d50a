// Makes a folder with its parents, and takes back what it made. Must not import any room.

import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Returns the folders that were missing, outermost first. When one cannot be made, those before it go away again.
 *
 * Not `mkdir` with `recursive`: Node then tries for ever where the system answers ENOENT below a parent that exists,
 * as /proc does.
 */
export function makeFolder(folder: string): readonly string[] {
  const missing: string[] = [];
  for (let path = folder; !isFolder(path) && dirname(path) !== path; path = dirname(path))
    missing.unshift(path);
  const made: string[] = [];
  try {
    for (const path of missing) if (makeOne(path)) made.push(path);
    return made;
  } catch (error) {
    removeMade(made);
    throw error;
  }
}

/** Folders of `makeFolder` go away again, as far as they are empty. */
export function removeMade(made: readonly string[]): void {
  for (const path of made.toReversed()) {
    try {
      rmdirSync(path);
    } catch {
      // Something else is in it by now: it stays, and so do its parents.
      return;
    }
  }
}

/** False when somebody else made it first. */
function makeOne(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if (isFolder(path)) return false;
    throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
