// Writes the small files of a run: a whole file or none, a whole line or none. Must not know what is in them.

import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { type AttuneError, fail, reasonOf } from "../errors/index.js";

/** Temporary file, fsync, rename; the temporary file never stays. */
export function replaceFile(path: string, content: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, "w");
    try {
      writeAll(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Appends a line to a file that nobody else writes; a line that does not fit the disk is taken back.
 * @throws ATTUNE_OUTPUT
 */
export function appendLine(file: number, path: string, line: string): void {
  const { size } = fstatSync(file);
  try {
    writeAll(file, `${line}\n`);
  } catch (error) {
    try {
      ftruncateSync(file, size);
    } catch {
      // Devices and pipes cannot be cut back; the failed write is what counts.
    }
    throw unwritable(path, error);
  }
}

/** Appends lines to a file that is not kept open. Throws ATTUNE_OUTPUT. */
export function appendToFile(path: string, ...lines: readonly string[]): void {
  let file: number;
  try {
    file = openSync(path, "a");
  } catch (error) {
    throw unwritable(path, error);
  }
  try {
    for (const line of lines) appendLine(file, path, line);
  } finally {
    closeSync(file);
  }
}

/** A full disk writes a part before it says so: the rest is tried until it does. */
export function writeAll(file: number, content: string): void {
  const bytes = Buffer.from(content);
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

export function unwritable(path: string, error: unknown): AttuneError {
  const advice = "Choose a folder that you may write, with enough free space.";
  return fail("ATTUNE_OUTPUT", `Cannot write ${path}: ${reasonOf(error)}. ${advice}`, {
    cause: error,
    details: { path },
  });
}

/** Makes the names in a folder as durable as the files' contents. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Writes a new file and sees it on the disk. */
export function writeSynced(path: string, content: string): void {
  const file = openSync(path, "wx");
  try {
    writeAll(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Cuts a file of JSON lines back to those that `keep` accepts, all at once; a torn last line goes too.
 * @throws ATTUNE_OUTPUT
 */
export function cutLines(path: string, keep: (line: Readonly<Record<string, unknown>>) => boolean): void {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw unwritable(path, error);
  }
  const kept = text.split("\n").filter((line) => {
    const value = parsedLine(line);
    return value !== undefined && keep(value);
  });
  try {
    replaceFile(path, kept.map((line) => `${line}\n`).join(""));
  } catch (error) {
    throw unwritable(path, error);
  }
}

function parsedLine(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
