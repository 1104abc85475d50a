// Reads files of JSON as objects: lines, however many there are, or one whole; a line that is none is told, not thrown.
// Must not know what the lines mean.

import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fail, reasonOf } from "../errors/index.js";

export type JsonObject = Readonly<Record<string, unknown>>;

export interface ReadLinesRequest {
  readonly file: string;
  readonly onLine: (line: JsonObject) => void;
  /** Called with the number of a line that is no JSON object, from 1. */
  readonly onBadLine: (line: number) => void;
}

/**
 * Nothing is called for a file that is missing or empty.
 * @throws ATTUNE_FILE
 */
export async function readJsonLines({ file, onLine, onBadLine }: ReadLinesRequest): Promise<void> {
  if (!existsSync(file)) return;
  let number = 0;
  try {
    const lines = createInterface({
      input: createReadStream(file, "utf8"),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    for await (const text of lines) {
      number += 1;
      if (text.trim() === "") continue;
      const value = parsed(text);
      if (value === undefined) onBadLine(number);
      else onLine(value);
    }
  } catch (error) {
    throw fail("ATTUNE_FILE", `Cannot read ${file}: ${reasonOf(error)}.`, { cause: error });
  }
}

/** A file that is one JSON object; undefined where it is missing or anything else. */
export function readObject(file: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

function parsed(text: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The value if it is a finite number; undefined for anything else. */
export function asNumber(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** The value if it is an object; undefined for anything else. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}
