// Turns what somebody names (files, folders, patterns) into the list of row files, in a fixed order.
// Must not open the files: file-format.ts looks at what they hold.

import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { fail, reasonOf } from "../errors/index.js";
import { globMatcher, globRoot, isGlob } from "./match-glob.js";

/** Names that count as row files inside a folder; a file named by itself may have any name. */
const rowFileName = /\.(?:(?:jsonl|ndjson)(?:\.gz|\.zst)?|parquet)$/i;

/**
 * Every row file, sorted within each path. A folder gives all below it that end in .jsonl, .ndjson (also .gz, .zst) or
 * .parquet, hidden ones left out; a pattern with `*`, `**`, `?`, `[…]` or `{…}` gives the files it matches.
 * Throws ATTUNE_FILE for a path that is not there, a folder without row files and a pattern without a match.
 */
export async function findFiles({ paths }: { readonly paths: readonly string[] }): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) found.push(...(await filesOf(path)));
  return found;
}

async function filesOf(path: string): Promise<readonly string[]> {
  try {
    const about = await stat(path);
    return about.isDirectory() ? await filesOfFolder(path) : [path];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && isGlob(path)) return filesOfGlob(path);
    if (!(error instanceof Error && "syscall" in error)) throw error;
    const text = `Expected a file of rows at ${path}, but it cannot be read: ${reasonOf(error)}`;
    throw fail("ATTUNE_FILE", text, { cause: error, details: { file: path } });
  }
}

async function filesOfFolder(folder: string): Promise<readonly string[]> {
  const all = await filesBelow(folder);
  const files = all.filter((file) => rowFileName.test(basename(file)));
  if (files.length > 0) return files;
  const other = all.length === 0 ? "no file at all" : `only others, such as ${basename(all[0] ?? "")}`;
  const expected = "files of rows (.jsonl, .ndjson, .jsonl.gz, .jsonl.zst, .parquet)";
  const text = `Expected ${expected} in the folder ${folder} but found ${other}. Name the files themselves, or another folder.`;
  throw fail("ATTUNE_FILE", text, { details: { file: folder } });
}

async function filesOfGlob(pattern: string): Promise<readonly string[]> {
  const matches = globMatcher(pattern);
  const files = (await filesBelow(globRoot(pattern))).filter(matches);
  if (files.length > 0) return files;
  const advice = "Check the pattern, and quote it so that the shell leaves it alone.";
  throw fail("ATTUNE_FILE", `Expected files that match ${pattern} but found none. ${advice}`, {
    details: { file: pattern },
  });
}

/** All files below a folder by their whole paths, sorted by code units. Hidden names and links to folders are left out. */
async function filesBelow(folder: string): Promise<string[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fail("ATTUNE_FILE", `Cannot list ${folder}: ${reasonOf(error)}`, {
      cause: error,
      details: { file: folder },
    });
  }
  const files: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...(await filesBelow(path)));
    else if (entry.isFile() || (entry.isSymbolicLink() && (await leadsToFile(path)))) files.push(path);
  }
  return files.sort();
}

async function leadsToFile(path: string): Promise<boolean> {
  return stat(path).then(
    (about) => about.isFile(),
    () => false,
  );
}
