// Commands of the two sides of a comparison: this project's bench and C++ runner, and scripts of other software; and how
// their lines of JSON are read. Must not run anything.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { JsonLine, Reading, Side } from "./compare.js";

/** Where things lie. */
export interface PeerPlaces {
  /** This project. */
  readonly root: string;
  /** A Python with torch, transformers and trl. */
  readonly python: string;
  /** The folder of the scripts of the other side. */
  readonly peers: string;
  /** Weights that both sides begin with, a GGUF file. */
  readonly model: string;
  /** Folders that work.py wrote: rows in file order, and by length. */
  readonly work: string;
  readonly workByLength: string;
  /** A reward model with a head of random weights. */
  readonly rewardModel: string;
  readonly threads: number;
  /** Of this project's kernels. */
  readonly isa: string;
}

type Own = Pick<PeerPlaces, "root" | "threads">;
type Other = Pick<PeerPlaces, "python" | "peers" | "threads" | "isa">;

export const number = (line: JsonLine, key: string): number => Number(line[key]);
export const object = (value: unknown): JsonLine =>
  (typeof value === "object" && value !== null ? value : {}) as JsonLine;
export const last = (lines: readonly JsonLine[]): JsonLine => lines.at(-1) ?? {};

/** This project's bench, in a process of its own. */
export function bench({ root, threads }: Own, args: readonly string[], read: Side["read"]): Side {
  return {
    command: process.execPath,
    args: ["--import", "tsx", "bench/main.ts", ...args, "--threads", String(threads)],
    cwd: root,
    read,
  };
}

/** Where CMake leaves the runner, with one configuration and with several. */
export function findTool(root: string): string {
  const places = ["build-cmake/attune-tool", "build-cmake/Release/attune-tool"].map((at) => join(root, at));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new Error(`expected ${places[0]}; build it with: npm run build:native`);
  return found;
}

/** The C++ runner. */
export function tool({ root, threads }: Own, args: readonly string[], read: Side["read"]): Side {
  const command = findTool(root);
  return { command, args: ["bench", ...args, "--threads", String(threads)], cwd: root, read };
}

/**
 * The other side at its best: torch asks for huge pages, and memory that it gives back stays with the process. Without them each
 * step of TRL pays for gigabytes of first touches; on a virtual machine that more than doubles its time.
 */
const keptMemory = {
  THP_MEM_ALLOC_ENABLE: "1",
  MALLOC_MMAP_THRESHOLD_: String(2 ** 32),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 34),
};

/** torch and its libraries without AVX-512, as ATTUNE_ISA=avx2 holds this project; the processor may have it or not. */
const avx2Alone = {
  ATEN_CPU_CAPABILITY: "avx2",
  ONEDNN_MAX_CPU_ISA: "AVX2",
  MKL_ENABLE_INSTRUCTIONS: "AVX2",
};

/** What malloc of the other side does with memory that is given back. */
export type PeerMemory = "kept" | "default";

/** A Python that can be started from any folder. Throws where it has no torch. */
export function pythonAt(given: string): string {
  const python = given.includes("/") ? resolve(given) : given;
  const { status, stderr, error } = spawnSync(python, ["-c", "import torch, transformers, trl"], {
    encoding: "utf8",
  });
  if (status !== 0)
    throw new Error(
      `expected --python to name a Python with torch, transformers and trl: ${error?.message ?? stderr.trim().split("\n").at(-1)}`,
    );
  return python;
}

/** The folder of the other side's scripts. Throws where they are not there. */
export function peersAt(given: string): string {
  const folder = resolve(given);
  if (!existsSync(join(folder, "torch_ops.py")))
    throw new Error(
      `expected --peers to name the folder of torch_ops.py and the other scripts but found none in ${folder}`,
    );
  return folder;
}

/** A script of the other side. */
export function script(
  { python, peers, threads, isa }: Other,
  args: readonly string[],
  read: Side["read"],
  memory: PeerMemory = "kept",
): Side {
  const [name = "", ...more] = args;
  return {
    command: python,
    args: [join(peers, name), ...more, "--threads", String(threads)],
    cwd: peers,
    env: { ...(memory === "kept" ? keptMemory : {}), ...(isa === "avx2" ? avx2Alone : {}) },
    read,
  };
}

/** What a script says of the fastest call, for the median one: both sides are compared by theirs. */
export function medianRate(line: JsonLine, key: string): number {
  const { min, median } = object(line.ms);
  return (number(line, key) * Number(min)) / Number(median);
}

/** GFLOP/s by shape MxNxK, of F.linear and, where both ran, of the faster of it and oneDNN's kernel. */
export function torchLinear(lines: readonly JsonLine[]): Reading {
  const rates: Record<string, number> = {};
  const wrong = lines.find(({ error }) => error !== undefined);
  if (wrong !== undefined) throw new Error(`${String(wrong.op)}: ${String(wrong.error)}`);
  const both = lines.some(({ op }) => op === "linear_onednn");
  for (const line of lines) {
    const { M, N, K } = object(line.shape);
    const name = [M, N, K].join("x");
    const rate = medianRate(line, "gflops");
    if (line.op === "linear") rates[name] = rate;
    if (both && (line.op === "linear" || line.op === "linear_onednn"))
      rates[`${name} fastest`] = Math.max(rates[`${name} fastest`] ?? 0, rate);
  }
  return { rates };
}

/** The same of linear_forward. */
export function forwardRates(lines: readonly JsonLine[]): Reading {
  const forward = lines.filter(({ op }) => op === "linear_forward");
  return {
    rates: Object.fromEntries(forward.map((line) => [String(line.shape), number(line, "gflops_median")])),
  };
}

/** For the comparisons with both of torch's kernels. */
export function ourLinear(lines: readonly JsonLine[]): Reading {
  const { rates } = forwardRates(lines);
  const fastest = Object.entries(rates).map(([shape, rate]) => [`${shape} fastest`, rate] as const);
  return { rates: { ...rates, ...Object.fromEntries(fastest) } };
}

/** Training steps of a GPT-2, by both sides' lines. */
export function gpt2Reading(lines: readonly JsonLine[]): Reading {
  const line = lines.find(({ op, bench: name }) => (op ?? name) === "gpt2_step") ?? {};
  const memory = object(line.memory);
  return {
    rates: { tokens_per_s: medianRate(line, "tokens_per_s") },
    losses: line.loss as readonly number[],
    peakMb: number(memory, "peak_rss_mb"),
  };
}
