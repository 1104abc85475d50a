// What a library of CUDA kernels was built with, in a file beside it: { cuda, architectures, ptx }. Must not build anything.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "../native/build.mjs";

/** NVIDIA's table of toolkits and drivers: the oldest driver that runs what a toolkit of this major version built. */
const oldestDrivers = { 12: 525, 13: 580 };

export function cudaRecord(library) {
  return library.replace(/(\.so)?$/, ".json");
}

/** Undefined where nothing says it: a library of somebody else, or the one over fibers. */
export function readCudaRecord(library) {
  try {
    return JSON.parse(readFileSync(cudaRecord(library), "utf8"));
  } catch {
    return undefined;
  }
}

/** Undefined where the toolkit is not known. */
export function oldestDriver({ cuda }) {
  return oldestDrivers[Number.parseInt(cuda, 10)];
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(...readdirSync(path).map((name) => newest(join(path, name))));
}

/** Whether the library is there, has these architectures, and is newer than everything that it is made of. */
export function cudaLibraryIsFresh(library, architectures) {
  const has = readCudaRecord(library)?.architectures ?? [];
  const built = statSync(library, { throwIfNoEntry: false })?.mtimeMs;
  if (built === undefined || architectures.some((arch) => !has.includes(arch))) return false;
  // Headers of the losses' formulas and of core are part of kernels.
  const sources = ["native/cuda", "native/core", "native/loss", "native/sources.json"];
  return sources.every((path) => newest(join(root, path)) < built);
}
