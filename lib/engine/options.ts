// Checks of the options that engine functions take: unknown names and wrong values, said in words.
// By hand rather than by schema: these run before anything heavy is loaded.

import { availableParallelism } from "node:os";
import { fail, unknownName } from "../errors/index.js";
import type { DType, WeightPlace } from "./contract.js";

/** Throws ATTUNE_OPTION for what is no object of options, and for a key that is not one of `known`. */
export function expectKeys(what: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const text = `${what}: expected an object of options but received ${JSON.stringify(options)}.`;
    throw fail("ATTUNE_OPTION", text);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw fail("ATTUNE_OPTION", `${what}: ${unknownName("option", key, known)}`);
  }
}

export function expectOneOf<Value extends string>(
  name: string,
  value: string,
  allowed: readonly Value[],
): Value {
  const found = allowed.find((entry) => entry === value);
  if (found !== undefined) return found;
  throw fail(
    "ATTUNE_OPTION",
    `Expected ${name} to be one of ${allowed.join(", ")} but received ${JSON.stringify(value)}.`,
  );
}

export function expectSeed(name: string, seed = 0): number {
  if (Number.isSafeInteger(seed) && seed >= 0) return seed;
  throw fail("ATTUNE_OPTION", `Expected ${name} to be an integer from 0 to 2^53 - 1 but received ${seed}.`);
}

export function expectDType(value: string): DType {
  return expectOneOf("dtype", value, ["fp32", "bf16"]);
}

export function expectWeightPlace(value: string = "device"): WeightPlace {
  return expectOneOf("weights", value, ["device", "host"]);
}

const MOST_THREADS = 1024;

/** The option, else ATTUNE_THREADS, else what the process may use. */
export function threadCount(option: number | undefined, environment: string | undefined): number {
  const [name, value] =
    option === undefined && environment
      ? (["ATTUNE_THREADS", Number(environment)] as const)
      : (["threads", option] as const);
  if (value === undefined) return availableParallelism();
  if (Number.isInteger(value) && value >= 1 && value <= MOST_THREADS) return value;
  const received = name === "threads" ? String(option) : JSON.stringify(environment);
  throw fail(
    "ATTUNE_OPTION",
    `Expected ${name} to be an integer from 1 to ${MOST_THREADS} but received ${received}.`,
  );
}
