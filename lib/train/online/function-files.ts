// Reward functions out of modules: `rewards.js` (its default export) or `rewards.js#politeness`. Must not call them.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { fail, reasonOf } from "../../errors/index.js";
import type { RewardFunction } from "../../rollout/index.js";
import { fileHash } from "../fingerprint.js";

export interface NamedFunction {
  /** The export's name, or that of the file. */
  readonly name: string;
  readonly score: RewardFunction;
  /** SHA-256 of the file. */
  readonly hash: string;
}

/** Throws ATTUNE_OPTION for a module that cannot be loaded or has no such function. */
export async function functionOf(place: string): Promise<NamedFunction> {
  const mark = place.lastIndexOf("#");
  const file = mark < 0 ? place : place.slice(0, mark);
  const name = mark < 0 ? "default" : place.slice(mark + 1);
  const refuse = (found: string, cause?: unknown) =>
    fail("ATTUNE_OPTION", `Expected ${place} to be a module with a reward function but ${found}.`, {
      ...(cause === undefined ? {} : { cause }),
      details: { path: file },
    });
  let exported: Readonly<Record<string, unknown>>;
  let hash: string;
  try {
    const path = resolve(file);
    hash = await fileHash(path);
    exported = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw refuse(`it cannot be loaded: ${reasonOf(error)}`, error);
  }
  const score = exported[name];
  if (typeof score !== "function") {
    const functions = Object.keys(exported).filter((key) => typeof exported[key] === "function");
    const there = functions.length === 0 ? "it exports none" : `it exports ${functions.join(", ")}`;
    const what = name === "default" ? "its default export" : name;
    if (Object.hasOwn(exported, name)) {
      const kind = score === null ? "null" : `of type ${typeof score}`;
      throw refuse(`${what} is ${kind} and no function${functions.length === 0 ? "" : `; ${there}`}`);
    }
    throw refuse(name === "default" ? `${there}, and none as default` : `${there}, and not ${name}`);
  }
  const ownName = (score as { readonly name: string }).name;
  const known =
    name !== "default" ? name : ownName === "default" || ownName === "" ? baseName(file) : ownName;
  // Its result is checked whenever it is called.
  return { name: known, score: score as RewardFunction, hash };
}

function baseName(file: string): string {
  return (file.split(/[\\/]/).at(-1) ?? file).replace(/\.[^.]*$/, "");
}
