// Reads named values of a model's configuration with errors that name the key, the value and the file.
// Must not know any architecture.

import { fail } from "../errors/index.js";

export interface ConfigReader {
  /** For messages: the file. */
  readonly where: string;
  has(key: string): boolean;
  raw(key: string): unknown;
  /** A positive integer; `fallback` when the key is absent or null. */
  integer(key: string, fallback?: number): number;
  /** A finite number; `fallback` when the key is absent or null. */
  number(key: string, fallback?: number): number;
  boolean(key: string, fallback: boolean): boolean;
  text(key: string, fallback?: string): string;
  /** An error about this file. */
  refuse(message: string): Error;
}

/** Larger than any count a configuration names, and exact in every number type on the way. */
const LARGEST = 2 ** 31 - 1;

export function configReader(options: {
  readonly where: string;
  readonly get: (key: string) => unknown;
}): ConfigReader {
  const { where, get } = options;
  const refuse = (message: string): Error =>
    fail("ATTUNE_MODEL", `${where}: ${message}`, { details: { path: where } });
  const present = (key: string): unknown => get(key) ?? undefined;
  const wanted = (key: string, what: string, value: unknown): Error =>
    refuse(
      `expected ${key} to be ${what} but found ${value === undefined ? "nothing" : JSON.stringify(value)}.`,
    );
  return {
    where,
    refuse,
    raw: get,
    has: (key) => present(key) !== undefined,
    integer: (key, fallback) => {
      const value = present(key) ?? fallback;
      if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= LARGEST)
        return value;
      throw wanted(key, "a positive integer", value);
    },
    number: (key, fallback) => {
      const value = present(key) ?? fallback;
      if (typeof value === "number" && Number.isFinite(value)) return value;
      throw wanted(key, "a number", value);
    },
    boolean: (key, fallback) => {
      const value = present(key) ?? fallback;
      if (typeof value === "boolean") return value;
      throw wanted(key, "true or false", value);
    },
    text: (key, fallback) => {
      const value = present(key) ?? fallback;
      if (typeof value === "string") return value;
      throw wanted(key, "a text", value);
    },
  };
}
