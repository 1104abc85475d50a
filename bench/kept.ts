// Files of measured rows in bench/results: who measured on what, and one entry per row. Must not know what a row holds.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createEngine, isas } from "../lib/engine/index.js";
import { attuneVersion, machineLine } from "../lib/train/machine.js";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** What processors are told apart by: whether they have AVX-512. */
export type Processor = "avx2" | "avx512";

export function processorOf(isa: string): Processor {
  return isa.startsWith("avx512") ? "avx512" : "avx2";
}

/** The instruction set that an engine takes here. */
export async function isaHere(): Promise<string> {
  const engine = await createEngine({ threads: 1 });
  await engine.dispose();
  return engine.isa;
}

export interface Kept<Row> {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly rows: Readonly<Record<string, Row & KeptWhen>>;
}

export interface KeptWhen {
  readonly date: string;
  readonly commit: string;
}

export interface KeepRow<Row> {
  /** `peers`, `contention` */
  readonly kind: string;
  readonly isa: string;
  readonly name: string;
  readonly row: Row;
}

export function resultsFile(kind: string, processor: Processor): string {
  return join(root, "bench", "results", `${kind}-${processor}.json`);
}

/** Undefined where nothing has been measured. */
export function readKept<Row>(kind: string, processor: Processor): Kept<Row> | undefined {
  const path = resultsFile(kind, processor);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Kept<Row>) : undefined;
}

/** Replaces the row of that name and leaves the others. */
export function keepRow<Row>({ kind, isa, name, row }: KeepRow<Row>): void {
  const processor = processorOf(isa);
  const path = resultsFile(kind, processor);
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const when: KeptWhen = {
    date: new Date().toISOString().slice(0, 10),
    commit: git("rev-parse", "--short", "HEAD"),
  };
  const machine = {
    line: machineLine(),
    isa,
    // The best that this processor has, where ATTUNE_ISA names another.
    best: isas().find(({ built, native, runnable }) => built && native && runnable)?.name ?? isa,
    node: process.versions.node,
    kernel: release(),
    attune: attuneVersion,
  };
  const before = readKept<Row>(kind, processor)?.rows ?? {};
  const text = JSON.stringify({ machine, rows: { ...before, [name]: { ...row, ...when } } }, undefined, 2);
  writeFileSync(`${path}.tmp`, `${text}\n`);
  renameSync(`${path}.tmp`, path);
}
