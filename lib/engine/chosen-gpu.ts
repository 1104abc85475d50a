// Which GPU an engine computes on, or why none. Must not open one.

import { existsSync } from "node:fs";
import { fail, reasonOf } from "../errors/index.js";
import type { RefusedDevice } from "./addon-types.js";
import { cudaState } from "./cuda-library.js";
import type { EngineOptions, Logger } from "./engine-options.js";
import { expectOneOf } from "./options.js";

export interface Gpu {
  /** Of the library of kernels. */
  readonly path: string;
  readonly index: number;
  readonly name: string;
}

export interface GpuChoice {
  /** In the order in which they are tried; none: the CPU. */
  readonly gpus: readonly Gpu[];
  /** The CPU is no answer. */
  readonly required: boolean;
}

/** Tells the logger why "auto" means the CPU. Throws ATTUNE_OPTION, ATTUNE_BACKEND. */
export function chosenGpus({ device = "auto", isa, logger }: EngineOptions): GpuChoice {
  const number = /^cuda:(\d+)$/.exec(device)?.[1];
  const kind =
    number === undefined
      ? expectOneOf("device", device, ["auto", "cpu", "cuda", "cuda:0", "cuda:N"])
      : "cuda";
  if (kind === "cuda" && isa) {
    const text = `Expected no isa with device "${device}" but received ${JSON.stringify(isa)}: a GPU has none to choose.`;
    throw fail("ATTUNE_OPTION", `${text} Leave it out, or use device "cpu".`);
  }
  const required = kind === "cuda";
  // Whoever names an instruction set means the processor that has it.
  if (kind === "cpu" || isa) return { gpus: [], required };
  const { stage, reason, devices, refused, path } = cudaState();
  const wanted = number === undefined ? devices : devices.filter(({ index }) => index === Number(number));
  if (stage === "ok" && wanted.length > 0) {
    expectKnownGemm(process.env.ATTUNE_CUDA_GEMM);
    return { gpus: wanted.map(({ index, name }) => ({ path, index, name })), required };
  }
  if (required) {
    const text =
      stage === "ok"
        ? `Expected one of the CUDA devices (${devices.map(({ index }) => index).join(", ")}) but received ${device}${why(refused, Number(number))}.`
        : `Expected a CUDA device but the backend is ${stage}: ${reason}. Use device "cpu".`;
    throw fail("ATTUNE_BACKEND", text, { details: { stage, reason, devices } });
  }
  sayCpu(`Using the CPU: CUDA backend ${stage}: ${reason}.`, logger);
  return { gpus: [], required };
}

function why(refused: readonly RefusedDevice[], index: number): string {
  const reason = refused.find((one) => one.index === index)?.reason;
  return reason === undefined ? "" : `, which cannot be used: ${reason}`;
}

/** The first that opens. Throws what the first of all did where none does. */
export function openFirst<Opened>(
  gpus: readonly Gpu[],
  open: (gpu: Gpu) => Opened,
  logger: Logger | undefined,
): Opened {
  const failures: unknown[] = [];
  for (const gpu of gpus) {
    try {
      const opened = open(gpu);
      if (failures.length > 0) logger?.warn?.(`Using cuda:${gpu.index}: ${reasonOf(failures[0])}`);
      return opened;
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

function expectKnownGemm(value: string | undefined): void {
  if (value) expectOneOf("ATTUNE_CUDA_GEMM", value, ["auto", "mma", "cublaslt"]);
}

/** Where there is a GPU, somebody expects it to be used. */
function sayCpu(text: string, logger: Logger | undefined): void {
  if (existsSync("/dev/nvidiactl")) logger?.warn?.(text);
  else logger?.info?.(text);
}
