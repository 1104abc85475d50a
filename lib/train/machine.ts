// Says where and with what a run was made: versions and one line about the machine.
// Must not load the addon.

import { createRequire } from "node:module";
import { availableParallelism, cpus, totalmem } from "node:os";

const require = createRequire(import.meta.url);

/** This package's version. */
export const attuneVersion: string = (require("../../package.json") as { readonly version: string }).version;

export function versions(): Readonly<Record<string, string>> {
  return { attune: attuneVersion, node: process.versions.node, napi: process.versions.napi ?? "none" };
}

/** `AMD EPYC 7B13` */
export function processorName(): string {
  return cpus()[0]?.model.trim() || "unknown processor";
}

/** `AMD EPYC 7B13, 2 threads, 23.5 GiB, linux x64` */
export function machineLine(): string {
  const memory = (totalmem() / 2 ** 30).toFixed(1);
  const threads = availableParallelism();
  return `${processorName()}, ${threads} threads, ${memory} GiB, ${process.platform} ${process.arch}`;
}
