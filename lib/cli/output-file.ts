// Files that a command writes in one piece: refused before the work when they exist or cannot be written, then there whole
// or not at all. Must not know what is in them.

import { existsSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { fail, reasonOf } from "../errors/index.js";

/** Tries it before anything is computed: what cannot be written in the end would be lost. Throws ATTUNE_OUTPUT…. */
export async function requireNewFile(flag: string, path: string): Promise<void> {
  if (existsSync(path)) {
    const text = `Expected ${flag} to be a new file but ${path} exists. Choose another.`;
    throw fail("ATTUNE_OUTPUT_EXISTS", text, { details: { path } });
  }
  const beside = besideOf(path);
  try {
    await writeFile(beside, "");
  } catch (error) {
    throw cannotWrite(path, error);
  }
  await rm(beside, { force: true });
}

/** Beside its place first, so that a file is there whole or not at all. */
export async function writeWhole(path: string, text: string | Iterable<string>): Promise<void> {
  const beside = besideOf(path);
  try {
    await writeFile(beside, text);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw cannotWrite(path, error);
  }
}

function besideOf(path: string): string {
  return `${path}.${process.pid}.tmp`;
}

function cannotWrite(path: string, error: unknown) {
  const text = `Cannot write ${path}: ${reasonOf(error)}. Choose a place that you may write.`;
  return fail("ATTUNE_OUTPUT", text, { cause: error });
}
