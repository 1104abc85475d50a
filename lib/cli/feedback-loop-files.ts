// Folders and files of a loop's rounds, with errors that say what to do. Must not know what is in them.

import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fail, reasonOf } from "../errors/index.js";

/**
 * Runs `work` in a new folder; where it fails nothing stays: a loop tries again and again, and each try would take the room
 * of a policy. A folder that a crash left behind is not used again.
 * @throws ATTUNE_OUTPUT, and what `work` does
 */
export async function inNewFolder<Result>(
  output: string,
  name: string,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = await newFolder(output, name);
  try {
    return await work(folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

async function newFolder(output: string, name: string): Promise<string> {
  for (let again = 1; ; again++) {
    const folder = join(output, again === 1 ? name : `${name}-${again}`);
    try {
      await mkdir(output, { recursive: true });
      // Another process that takes the same name fails here.
      await mkdir(folder);
      return folder;
    } catch (error) {
      if (!existsSync(folder)) throw unwritable(folder, error);
    }
  }
}

/** @throws ATTUNE_OUTPUT */
export async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown) {
  const text = `Expected to write ${path} but ${reasonOf(error)}. Make room, or give another output folder.`;
  return fail("ATTUNE_OUTPUT", text, { cause: error, details: { path } });
}
