// Finds the expected values: the folder of ATTUNE_ORACLE, else ../shared/oracle beside the repository, and what lies in it.
// Must not know any family's content: cases are what the folder lists.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const beside = resolve(repository, "../shared");
const given = process.env.ATTUNE_ORACLE;

/** The folder with one folder per family. It may not exist: a family without a case is a failing test. */
export const oracleFolder = given === undefined || given === "" ? join(beside, "oracle") : resolve(given);

/** Sorted names of what lies in a folder of the oracle; none when there is no such folder. */
export function oracleEntries(...path: readonly string[]): readonly string[] {
  const folder = join(oracleFolder, ...path);
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder).sort() : [];
}

export function oraclePath(...path: readonly string[]): string {
  return join(oracleFolder, ...path);
}

/** The parsed file, as what its reader expects: values are checked by comparing them. */
export function readOracleJson<Content>(...path: readonly string[]): Content {
  return JSON.parse(readFileSync(oraclePath(...path), "utf8")) as Content;
}

/** `models/NAME` or `data/NAME` next to the oracle's folder, else next to the repository. */
export function sharedPath(...path: readonly string[]): string {
  const own = resolve(oracleFolder, "..", join(...path));
  return existsSync(own) ? own : join(beside, ...path);
}
