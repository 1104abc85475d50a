// Finds the library of CUDA kernels and says how far opening it goes. Must not open it by itself: native code does.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import type { CudaFound } from "./addon-types.js";
import { loadAddon, packageRoot } from "./load-addon.js";
import { callNative } from "./native-job.js";

const fileName = "libattune-cuda.so";

export interface CudaPlaces {
  /** ATTUNE_CUDA: a path, or "off". */
  readonly explicit: string | undefined;
  /** Folder of attune's package.json. */
  readonly root: string;
  readonly require: NodeJS.Require;
  readonly platform: string;
  readonly arch: string;
}

/** The library's path, or why none is looked for. Exported for tests. */
export function findCudaLibrary({ explicit, root, require, platform, arch }: CudaPlaces): {
  readonly path?: string;
  readonly reason?: string;
} {
  if (explicit === "off") return { reason: "ATTUNE_CUDA=off" };
  if (explicit !== undefined && explicit !== "") return { path: resolve(explicit) };
  const built = join(root, "build-cuda", fileName);
  if (existsSync(built)) return { path: built };
  const name = `attune-${platform}-${arch}-cuda`;
  try {
    return { path: join(dirname(require.resolve(`${name}/package.json`)), fileName) };
  } catch {
    return platform === "linux" && arch === "x64"
      ? { reason: `the package ${name} is not installed (npm i --include=optional)` }
      : { reason: `there are no CUDA kernels for ${platform}-${arch}` };
  }
}

export interface CudaState extends CudaFound {
  /** Empty where there is no library. */
  readonly path: string;
}

/** What there is to use. Throws BackendLoadError. */
export function cudaState(): CudaState {
  const { path, reason } = findCudaLibrary({
    explicit: process.env.ATTUNE_CUDA,
    root: packageRoot(),
    require: createRequire(import.meta.url),
    platform: process.platform,
    arch: process.arch,
  });
  if (path === undefined)
    return { stage: "missing", reason: reason ?? "", devices: [], refused: [], path: "" };
  return { ...callNative(() => loadAddon().cuda(path)), path };
}
