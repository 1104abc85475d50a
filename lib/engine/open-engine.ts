// Opens the native side of an engine on the device that was asked for. Must not know models.

import { AttuneError, fail, reasonOf } from "../errors/index.js";
import type { EngineHandle, NativeAddon } from "./addon-types.js";
import { chosenGpus, openFirst } from "./chosen-gpu.js";
import { cudaState } from "./cuda-library.js";
import type { EngineOptions } from "./engine-options.js";
import { loadAddon } from "./load-addon.js";
import { callNative } from "./native-job.js";
import { threadCount } from "./options.js";

/** It shows devices, and none of those that were asked for opens: as far as the stage "probe". */
function unopened(error: unknown): unknown {
  if (!(error instanceof AttuneError) || error.code !== "ATTUNE_BACKEND") return error;
  const { devices, refused } = cudaState();
  const text = `Expected a CUDA device but the backend is probe: ${error.message}`;
  return fail("ATTUNE_BACKEND", text, {
    cause: error,
    details: { stage: "probe", reason: error.message, devices, refused },
  });
}

export interface OpenedEngine {
  readonly addon: NativeAddon;
  readonly handle: EngineHandle;
  readonly device: "cpu" | "cuda";
  /** Name of the GPU; undefined on the CPU. */
  readonly gpu: string | undefined;
  readonly isa: string;
  readonly threads: number;
}

/** Throws ATTUNE_OPTION, ATTUNE_BACKEND, ATTUNE_ADDON_LOAD. */
export function openEngine(options: EngineOptions): OpenedEngine {
  const threads = threadCount(options.threads, process.env.ATTUNE_THREADS);
  const addon = loadAddon();
  const { gpus, required } = chosenGpus(options);
  const isa = options.isa ?? process.env.ATTUNE_ISA ?? "";
  if (gpus.length > 0) {
    try {
      return openFirst(
        gpus,
        ({ path, index, name }) => {
          const made = callNative(() => addon.createEngine(threads, isa, path, index));
          return { addon, device: "cuda", gpu: name, ...made };
        },
        options.logger,
      );
    } catch (error) {
      if (required) throw unopened(error);
      options.logger?.warn?.(`Using the CPU: ${reasonOf(error)}`);
    }
  }
  const made = callNative(() => addon.createEngine(threads, isa, ""));
  return { addon, device: "cpu", gpu: undefined, ...made };
}
