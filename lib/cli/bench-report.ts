// Turns the times of several trials into rows: medians, spreads, rates, and shares of what the machine can do at most. Pure.

import { median } from "./bench-numbers.js";

/** What one process measured of one op at one shape. */
export interface TimedRow {
  readonly op: string;
  readonly shape: string;
  readonly dtype: string;
  /** Of each call, in order. */
  readonly ms: readonly number[];
  /** Operations of one call, and bytes that it must move at least; 0: not counted. */
  readonly flop: number;
  readonly bytes: number;
  /** Of one call, for whole steps. */
  readonly tokens?: number;
  /** The instruction set that computed, of peaks. */
  readonly isa?: string;
}

/** What one process of a suite measured. */
export interface Trial {
  readonly suite: string;
  readonly isa: string;
  readonly threads: number;
  /** Name of the GPU that computed. */
  readonly gpu?: string;
  readonly rows: readonly TimedRow[];
}

export interface Peaks {
  /** Per instruction set and number format of the factors. */
  readonly arithmetic: readonly { readonly isa: string; readonly dtype: string; readonly gflops: number }[];
  /** Bytes read from memory, 10^9 per second. */
  readonly readGbps: number;
}

export interface BenchRow {
  readonly suite: string;
  readonly op: string;
  readonly shape: string;
  readonly dtype: string;
  /** Milliseconds of a call: median of the trials' medians, the least and the most of them; of one trial, of its calls. */
  readonly ms: {
    readonly median: number;
    readonly least: number;
    readonly most: number;
    readonly each: readonly number[];
  };
  readonly gflops?: number;
  readonly gbps?: number;
  readonly tokensPerSecond?: number;
  /** What the machine would need longest for; absent where no peak is known. */
  readonly limit?: "arithmetic" | "memory";
  /** Of that limit: 1 is as fast as the machine can be. */
  readonly share?: number;
}

/** The best of all calls: a limit is what was reached once. */
export function peaksOf(trials: readonly Trial[]): Peaks {
  const best = new Map<string, { isa: string; dtype: string; gflops: number }>();
  let readGbps = 0;
  for (const { op, isa = "", dtype, ms, flop, bytes } of trials.flatMap(({ rows }) => rows)) {
    const least = Math.min(...ms);
    if (op === "peak_read") readGbps = Math.max(readGbps, rate(bytes, least));
    if (op !== "peak_arithmetic") continue;
    const key = `${isa} ${dtype}`;
    const gflops = Math.max(best.get(key)?.gflops ?? 0, rate(flop, least));
    best.set(key, { isa, dtype, gflops });
  }
  return { arithmetic: [...best.values()], readGbps };
}

/** One row per op, shape and dtype of a suite, in the order of the first trial. */
export function rowsOf(trials: readonly Trial[], peaks: Peaks): readonly BenchRow[] {
  const groups = new Map<string, { readonly trial: Trial; readonly rows: TimedRow[] }>();
  for (const trial of trials) {
    for (const row of trial.rows) {
      const key = JSON.stringify([trial.suite, row.op, row.shape, row.dtype]);
      const group = groups.get(key) ?? { trial, rows: [] };
      group.rows.push(row);
      groups.set(key, group);
    }
  }
  return [...groups.values()].flatMap(({ trial, rows }) => {
    const [first] = rows;
    return first === undefined ? [] : [rowOf(trial, first, rows, peaks)];
  });
}

function rowOf({ suite, isa }: Trial, first: TimedRow, rows: readonly TimedRow[], peaks: Peaks): BenchRow {
  const { op, shape, dtype, flop, bytes, tokens } = first;
  const each = rows.length === 1 ? first.ms : rows.map(({ ms }) => median(ms));
  const ms = {
    median: median(each),
    least: Math.min(...each),
    most: Math.max(...each),
    each,
  };
  return {
    suite,
    op,
    shape,
    dtype,
    ms,
    ...(flop > 0 ? { gflops: rate(flop, ms.median) } : {}),
    ...(bytes > 0 ? { gbps: rate(bytes, ms.median) } : {}),
    ...(tokens === undefined ? {} : { tokensPerSecond: (1000 * tokens) / ms.median }),
    ...limitOf({ isa, dtype, flop, bytes, ms: ms.median }, peaks),
  };
}

interface Limited {
  readonly isa: string;
  readonly dtype: string;
  readonly flop: number;
  readonly bytes: number;
  readonly ms: number;
}

/** No call can be faster than its operations at the peak of arithmetic, nor than its bytes at the peak of reading. */
function limitOf(
  { isa, dtype, flop, bytes, ms }: Limited,
  { arithmetic, readGbps }: Peaks,
): Pick<BenchRow, "limit" | "share"> {
  // Of a GPU no peak is measured.
  if (readGbps === 0) return {};
  const own = arithmetic.filter((peak) => peak.isa === isa);
  // Without instructions for bf16 it is a format of memory, and fp32 is computed.
  const peak = own.find((one) => one.dtype === dtype) ?? own.find((one) => one.dtype === "fp32");
  if ((flop > 0 && peak === undefined) || (flop === 0 && bytes === 0)) return {};
  const computing = peak === undefined ? 0 : flop / peak.gflops / 1e6;
  const reading = bytes / readGbps / 1e6;
  return { limit: computing >= reading ? "arithmetic" : "memory", share: Math.max(computing, reading) / ms };
}

/** 10^9 per second. */
function rate(amount: number, milliseconds: number): number {
  return amount / milliseconds / 1e6;
}
