// Runs benny suites, each trial in a process of its own and in changing order, and shows medians over the trials.
// Must not know a suite.

import { spawnSync } from "node:child_process";
import { type Spread, spreadOf } from "../lib/cli/bench-numbers.js";
import { short, table } from "../lib/cli/format.js";
import { suites } from "./suites.js";

/** Milliseconds of one call, by suite and case: benny's median of each trial. */
export interface BennyRow {
  readonly suite: string;
  readonly name: string;
  readonly ms: Spread;
}

interface Timed {
  readonly suite: string;
  readonly name: string;
  readonly ms: number;
}

/** Benny prints lines of its own. */
const marker = "benchmark-result ";

/** Runs one suite in this process and prints its times behind a marker. */
export async function printSuite(name: string): Promise<void> {
  const suite = suites[name];
  if (suite === undefined)
    throw new Error(`no suite "${name}"; there are: ${Object.keys(suites).join(", ")}`);
  const { results } = await suite();
  const timed: readonly Timed[] = results.map((one) => ({
    suite: name,
    name: one.name,
    ms: 1000 * one.details.median,
  }));
  console.log(marker + JSON.stringify(timed));
}

export interface RunBenny {
  readonly names: readonly string[];
  readonly trials: number;
  readonly threads: number | undefined;
  /** The program that knows `suite NAME`. */
  readonly main: string;
}

export function runBenny({ names, trials, threads, main }: RunBenny): readonly BennyRow[] {
  const order = (trial: number) => (trial % 2 === 0 ? names : names.toReversed());
  const timed = Array.from({ length: trials }, (_, trial) => order(trial))
    .flat()
    .flatMap((name) => runApart(name, main, threads));
  const cases = new Map(timed.map((one) => [`${one.suite} ${one.name}`, one]));
  return [...cases.values()].map(({ suite, name }) => {
    const own = timed.filter((one) => one.suite === suite && one.name === name);
    return { suite, name, ms: spreadOf(own.map(({ ms }) => ms)) };
  });
}

function runApart(name: string, main: string, threads: number | undefined): readonly Timed[] {
  const child = spawnSync(process.execPath, ["--import", "tsx", main, "suite", name], {
    encoding: "utf8",
    env: { ...process.env, ...(threads === undefined ? {} : { ATTUNE_THREADS: String(threads) }) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = child.stdout.split("\n").find((text) => text.startsWith(marker));
  if (child.status !== 0 || line === undefined) throw new Error(`suite ${name} failed:\n${child.stdout}`);
  return JSON.parse(line.slice(marker.length)) as readonly Timed[];
}

export function bennyText(rows: readonly BennyRow[]): string {
  const cells = rows.map(({ suite, name, ms }) => [
    suite,
    name,
    short(ms.median),
    `${short(ms.least)} to ${short(ms.most)}`,
  ]);
  return table([["suite", "case", "ms", "least to most"], ...cells]);
}
