// Runs two commands alternately, each in a process of its own, and compares what they measured: A B, B A, A B, …
// Must not know what is measured.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { loadavg } from "node:os";
import { promisify } from "node:util";
import { type Spread, spreadOf } from "../lib/cli/bench-numbers.js";

export interface Side {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Processes that do nothing but compete for the processors meanwhile; default 0. */
  readonly busy?: number;
  /** What the lines of JSON on standard output say. */
  readonly read: (lines: readonly JsonLine[]) => Reading;
}

export type JsonLine = Readonly<Record<string, unknown>>;

export interface Reading {
  /** By what was measured (a shape, or "all"): higher is better. */
  readonly rates: Readonly<Record<string, number>>;
  /** In the order of steps. */
  readonly losses?: readonly number[];
  /** Names the rows that were worked on. */
  readonly work?: string;
  readonly peakMb?: number;
}

export interface Compared {
  /** By what was measured: rates of both sides and ours divided by theirs, pair by pair. */
  readonly parts: Readonly<
    Record<string, { readonly ours: Spread; readonly theirs: Spread; readonly ratio: Spread }>
  >;
  readonly losses?: { readonly ours: readonly number[]; readonly theirs: readonly number[] };
  readonly peakMb?: { readonly ours: Spread; readonly theirs: Spread };
  /** Load of one minute before each pair. */
  readonly loads: readonly number[];
}

export interface Compare {
  readonly ours: Side;
  readonly theirs: Side;
  readonly pairs: number;
  /** How far the losses of the two sides may differ, relative to them; default 0.0002. */
  readonly lossTolerance?: number;
  /** Which of them are compared, where both sides have them; default the first. Other weights or formats part after it. */
  readonly losses?: "first" | "all";
  /** What no ratio may exceed: a share of a peak above 1 was not measured beside that peak. */
  readonly mostRatio?: number;
  readonly onPair?: (pair: number, ours: Reading, theirs: Reading) => void;
}

/** Throws where a command fails, or the two sides did not do the same work. */
export async function compare({ ours, theirs, pairs, onPair, ...agreement }: Compare): Promise<Compared> {
  const readings: { ours: Reading; theirs: Reading }[] = [];
  const loads: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    loads.push(Number((loadavg()[0] ?? 0).toFixed(2)));
    const first = pair % 2 === 0 ? await run(ours) : undefined;
    const other = await run(theirs);
    const mine = first ?? (await run(ours));
    mustAgree(mine, other, agreement);
    readings.push({ ours: mine, theirs: other });
    onPair?.(pair, mine, other);
  }
  const [one] = readings;
  if (one === undefined) throw new Error("nothing was compared");
  const names = Object.keys(one.ours.rates);
  const series = (side: "ours" | "theirs", name: string) =>
    readings.map((reading) => reading[side].rates[name] ?? Number.NaN);
  const parts = names.map((name) => {
    const [mine, other] = [series("ours", name), series("theirs", name)];
    const ratio = mine.map((value, i) => value / (other[i] ?? Number.NaN));
    return [name, { ours: spreadOf(mine), theirs: spreadOf(other), ratio: spreadOf(ratio, 3) }] as const;
  });
  const peaks = (side: "ours" | "theirs") => readings.flatMap((reading) => reading[side].peakMb ?? []);
  return {
    parts: Object.fromEntries(parts),
    ...(one.ours.losses === undefined || one.theirs.losses === undefined
      ? {}
      : { losses: { ours: one.ours.losses, theirs: one.theirs.losses } }),
    ...(peaks("ours").length === 0 || peaks("theirs").length === 0
      ? {}
      : { peakMb: { ours: spreadOf(peaks("ours")), theirs: spreadOf(peaks("theirs")) } }),
    loads,
  };
}

/** What both sides must have alike. */
export type Agreement = Pick<Compare, "lossTolerance" | "losses" | "mostRatio">;

/**
 * Throws where the other side left out a part of ours (its scripts may know more), either measured none, worked on other rows, or
 * had other losses, and where a ratio is above what can be.
 */
function mustAgree(ours: Reading, theirs: Reading, { mostRatio, ...losses }: Agreement): void {
  const mine = Object.keys(ours.rates);
  if (mine.length === 0 || mine.some((name) => !(name in theirs.rates)))
    throw new Error(
      `the two sides measured different things: ${mine.join(", ")} against ${Object.keys(theirs.rates).join(", ")}`,
    );
  for (const name of mine)
    for (const { rates } of [ours, theirs]) {
      const rate = rates[name] ?? Number.NaN;
      if (!(rate > 0 && Number.isFinite(rate))) throw new Error(`a side measured ${rate} for ${name}`);
    }
  if (ours.work !== theirs.work)
    throw new Error(`the two sides worked on other rows: ${ours.work} against ${theirs.work}`);
  if (mostRatio !== undefined)
    for (const name of mine) {
      const ratio = (ours.rates[name] ?? Number.NaN) / (theirs.rates[name] ?? Number.NaN);
      if (!(ratio <= mostRatio))
        throw new Error(
          `${name} is ${ratio.toFixed(3)} of what it is a share of: measure again on a quieter machine`,
        );
    }
  mustLoseAlike(ours.losses, theirs.losses, losses);
}

type Losses = Reading["losses"];

function mustLoseAlike(
  ours: Losses,
  theirs: Losses,
  { lossTolerance = 2e-4, losses = "first" }: Agreement,
): void {
  if (ours === undefined || theirs === undefined) return;
  if (losses === "all" && ours.length !== theirs.length)
    throw new Error(`the two sides took ${ours.length} and ${theirs.length} steps`);
  const steps = losses === "all" ? ours.length : 1;
  for (let step = 0; step < steps; step++) {
    const [loss = Number.NaN, other = Number.NaN] = [ours[step], theirs[step]];
    if (!(Math.abs(loss - other) <= lossTolerance * Math.abs(other)))
      throw new Error(`the two sides had other losses in step ${step + 1}: ${loss} against ${other}`);
  }
}

/** The lines of a program's output that are JSON. */
export function jsonLines(text: string): readonly JsonLine[] {
  const lines = text.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as JsonLine);
}

const execute = promisify(execFile);

/** Processes of the side that runs. */
const running = new Set<ChildProcess>();

/** A signal for this process alone would leave its measurement running beside the next one. */
function endWith(signal: NodeJS.Signals): void {
  for (const child of running) child.kill("SIGKILL");
  process.kill(process.pid, signal);
}
const endings = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A process that spins until it is ended, or its parent is gone: nothing may go on to disturb later measurements. */
const spinning =
  "for (;;) { for (let i = 0; i < 1e8; i++); if (process.ppid !== +process.argv[1]) process.exit(); }";

async function run({ command, args, cwd, env, busy = 0, read }: Side): Promise<Reading> {
  for (const signal of endings) process.once(signal, endWith);
  const competitors = Array.from({ length: busy }, () =>
    spawn(process.execPath, ["--eval", spinning, String(process.pid)], { stdio: "ignore" }),
  );
  try {
    const measuring = execute(command, [...args], {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...process.env, ...env },
      maxBuffer: 1 << 28,
    });
    running.add(measuring.child);
    const { stdout } = await measuring;
    const idle = competitors.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
    if (idle) throw new Error("a competing process ended before the measurement did");
    return read(jsonLines(stdout));
  } finally {
    running.clear();
    for (const competitor of competitors) competitor.kill("SIGKILL");
    for (const signal of endings) process.off(signal, endWith);
  }
}
