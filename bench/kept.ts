// Files of measured rows in bench/results, one for each processor and instruction set: who measured on what, and one entry per
// row. Must not know what a row holds.

import { execFileSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createEngine, isas } from "../lib/engine/index.js";
import { reasonOf } from "../lib/errors/index.js";
import { attuneVersion, machineLine } from "../lib/train/machine.js";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** What wishes are told apart by: whether the kernels have AVX-512. */
export type Processor = "avx2" | "avx512";

/** Throws for an instruction set that nobody measures: the scalar and emulated ones. */
export function processorOf(isa: string): Processor {
  if (isa.startsWith("avx512")) return "avx512";
  if (isa === "avx2") return "avx2";
  throw new Error(`rows are kept for avx2 and avx512, not for ${isa}`);
}

/** The instruction set that an engine takes here. */
export async function isaHere(): Promise<string> {
  const engine = await createEngine({ threads: 1 });
  await engine.dispose();
  return engine.isa;
}

export interface MeasuredOn {
  readonly line: string;
  /** Of the kernels. */
  readonly isa: string;
  /** The best that the processor has. */
  readonly best?: string;
  /** Family and model, which the name may leave out. */
  readonly family?: string;
  readonly node: string;
  readonly kernel: string;
  readonly attune?: string;
}

export interface Kept<Row> {
  /** Of the rows that do not name another. */
  readonly machine: MeasuredOn;
  readonly rows: Readonly<Record<string, Row & KeptWhen>>;
}

export interface KeptWhen {
  readonly date: string;
  /** With "+" behind it where files were changed since. */
  readonly commit: string;
  /** Of the command; a row that has its own keeps them. */
  readonly threads?: number;
  /** The machine, where it was another than the file's. */
  readonly on?: string;
}

/** `AMD EPYC, 2 threads, 23.5 GiB, linux x64; family 26 model 17, avx512bf16 held to avx2` */
export function machineText({ line, isa, best = isa, family }: MeasuredOn): string {
  const instructions = best === isa ? isa : `${best} held to ${isa}`;
  return `${line}; ${family === undefined ? "" : `${family}, `}${instructions}`;
}

const results = join(root, "bench", "results");

/** `peers-avx2-family25-model17.json`: processors of one kind go on with each other's rows. */
export function resultsName(kind: string, { isa, family }: Pick<MeasuredOn, "isa" | "family">): string {
  const model = family?.replace(/ (?=\d)/g, "").replaceAll(" ", "-");
  return `${[kind, processorOf(isa), model ?? "unnamed"].join("-")}.json`;
}

/** What was kept of one kind with these instructions, on every processor. Throws, with the file's name, where it cannot be read. */
export function readAllKept<Row>(kind: string, processor: Processor): readonly Kept<Row>[] {
  const names = readdirSync(results).filter(
    (name) => name.startsWith(`${kind}-${processor}-`) && name.endsWith(".json"),
  );
  return names.toSorted().flatMap((name) => readKept<Row>(join(results, name)) ?? []);
}

/** Undefined where nothing has been measured. */
function readKept<Row>(path: string): Kept<Row> | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Kept<Row>;
  } catch (error) {
    throw new Error(`${path} is no JSON: ${reasonOf(error)}`);
  }
}

/** Keeps rows of one kind, each as soon as it is measured. */
export interface Keeping {
  /** Replaces the row of that name and leaves the others. */
  keep<Row>(name: string, row: Row): void;
}

/**
 * Everything that can fail does so here, before hours of measuring. `kind`: `peers`, `contention` or `scaling`. Rows of fewer
 * threads than the machine has are only shown: the tables' machine line would be wrong for them.
 */
export function keepingRows(
  kind: string,
  isa: string,
  threads: number,
  { folder = results, processors = availableParallelism() } = {},
): Keeping {
  if (threads !== processors) {
    console.log(`rows of ${threads} threads are shown and not kept: the machine has ${processors}`);
    return { keep: () => undefined };
  }
  const machine = machineHere(isa);
  const path = join(folder, resultsName(kind, machine));
  const commit = commitHere();
  mkdirSync(folder, { recursive: true });
  accessSync(folder, constants.W_OK);
  readKept(path);
  const keep = <Row>(name: string, row: Row) => {
    const before = readKept<Row>(path);
    const when: KeptWhen = { date: new Date().toISOString().slice(0, 10), commit, threads };
    const rows = { ...(before === undefined ? {} : rowsOn(before, machine)), [name]: { ...when, ...row } };
    writeFileSync(`${path}.tmp`, `${JSON.stringify({ machine, rows }, undefined, 2)}\n`);
    renameSync(`${path}.tmp`, path);
  };
  return { keep };
}

/** The rows of a file that `machine` goes on with: those of another machine say so. */
export function rowsOn<Row>(kept: Kept<Row>, machine: MeasuredOn): Kept<Row>["rows"] {
  const before = machineText(kept.machine);
  if (before === machineText(machine)) return kept.rows;
  return Object.fromEntries(Object.entries(kept.rows).map(([name, row]) => [name, { on: before, ...row }]));
}

function machineHere(isa: string): MeasuredOn {
  const family = familyHere();
  return {
    line: machineLine(),
    isa,
    best: isas().find(({ built, native, runnable }) => built && native && runnable)?.name ?? isa,
    ...(family === undefined ? {} : { family }),
    node: process.versions.node,
    kernel: release(),
    attune: attuneVersion,
  };
}

/** Undefined where the system does not say. */
function familyHere(): string | undefined {
  const path = "/proc/cpuinfo";
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const [, family] = /^cpu family\s*:\s*(\d+)$/m.exec(text) ?? [];
  const [, model] = /^model\s*:\s*(\d+)$/m.exec(text) ?? [];
  return family === undefined || model === undefined ? undefined : `family ${family} model ${model}`;
}

function commitHere(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no", "--", "native", "lib", "bench/*.ts");
    return `${git("rev-parse", "--short", "HEAD")}${changed === "" ? "" : "+"}`;
  } catch {
    return "unknown";
  }
}
