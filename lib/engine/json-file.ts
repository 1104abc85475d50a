// A JSON object from a file, with errors that say what the file is for.
// Must not know what is in it.

import { readFile } from "node:fs/promises";
import { fail, reasonOf } from "../errors/index.js";
import type { Json } from "./model-description.js";

/** `meaning` continues "Expected <path>, which …". Throws ATTUNE_FILE, ATTUNE_FORMAT. */
export async function readJsonObject(where: string, meaning: string): Promise<Json> {
  let text: string;
  try {
    text = await readFile(where, "utf8");
  } catch (error) {
    const message = `Expected ${where}, which ${meaning}, but it cannot be read: ${reasonOf(error)}`;
    throw fail("ATTUNE_FILE", message, { cause: error, details: { path: where } });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  } catch (error) {
    const message = `Expected JSON in ${where} but it cannot be parsed (${reasonOf(error)}). Is the file complete?`;
    throw fail("ATTUNE_FORMAT", message, { cause: error, details: { path: where } });
  }
  throw fail("ATTUNE_FORMAT", `Expected a JSON object in ${where} but found another value.`, {
    details: { path: where },
  });
}
