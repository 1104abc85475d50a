// Gathers what `attune doctor` shows: addon, threads, memory, disk, cache, optional packages.
// Must not load the addon in this process: a child does (probe.ts).

import { fork } from "node:child_process";
import { statfsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, freemem, tmpdir, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { defaultTokenCache } from "../data/index.js";
import type { BackendInfo, IsaInfo } from "../engine/index.js";
import { reasonOf } from "../errors/index.js";
import { machineLine, processorName, versions } from "../train/index.js";

/** What the child found out. `crashed`: it ended without an answer. */
export interface ProbeAnswer {
  readonly stage: "ok" | "failed" | "crashed";
  readonly backends: readonly BackendInfo[];
  /** The instruction set that was computed with. */
  readonly isa?: string;
  readonly reason?: string;
  /** The GPU that was being tried when this was said. */
  readonly trying?: number;
}

/** The same with a GPU that cannot be used; the backend stops at "probe" where none is left. */
export function withoutGpu(answer: ProbeAnswer, index: number, reason: string): ProbeAnswer {
  const backends = answer.backends.map((backend): BackendInfo => {
    if (backend.name !== "cuda") return backend;
    const devices = (backend.devices ?? []).filter((one) => one.index !== index);
    const refused = [...(backend.refused ?? []), { index, reason }];
    const [first] = devices;
    if (first === undefined) return { ...backend, devices, refused, stage: "probe", reason };
    const works = `${first.name} has compute capability ${first.capability}`;
    return { ...backend, devices, refused, reason: works };
  });
  return { ...answer, backends };
}

export interface DoctorReport {
  readonly machine: string;
  readonly processor: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly addon: Omit<ProbeAnswer, "backends">;
  readonly backends: readonly BackendInfo[];
  /** Instruction sets of the CPU kernels, best first. */
  readonly isas: readonly IsaInfo[];
  readonly threads: { readonly available: number; readonly environment: string | undefined };
  /** Bytes; `limit` is that of a container, where there is one. */
  readonly memory: { readonly total: number; readonly free: number; readonly limit: number | undefined };
  readonly disk: readonly { readonly folder: string; readonly free: number | undefined }[];
  readonly tokenCache: string;
  /** Packages that widen what attune reads: whether they are installed. */
  readonly packages: readonly { readonly name: string; readonly for: string; readonly installed: boolean }[];
}

export async function examineMachine(): Promise<DoctorReport> {
  const { backends, ...addon } = await probeAddon();
  const limit = process.constrainedMemory?.();
  return {
    machine: machineLine(),
    processor: `${processorName()}, ${process.platform} ${process.arch}`,
    versions: versions(),
    addon,
    backends,
    isas: backends.flatMap(({ isas }) => isas ?? []),
    threads: { available: availableParallelism(), environment: process.env.ATTUNE_THREADS },
    memory: {
      total: totalmem(),
      free: freemem(),
      limit: limit === undefined || limit === 0 || limit > totalmem() ? undefined : limit,
    },
    disk: [process.cwd(), tmpdir()].map((folder) => ({ folder, free: freeBytes(folder) })),
    tokenCache: defaultTokenCache(process.env),
    packages: optionalPackages(),
  };
}

/** Of a process that computes for a second; on a busy machine much longer. */
const PATIENCE_MS = 300_000;

/** Where the process ended while it tried a GPU: how. */
function whole({ trying, ...answer }: ProbeAnswer, ended: string): ProbeAnswer {
  if (trying === undefined) return answer;
  const backends = answer.backends.map((backend) => ({
    ...backend,
    ...(backend.refused === undefined
      ? {}
      : {
          refused: backend.refused.map((one) => (one.index === trying ? { ...one, reason: ended } : one)),
          ...(backend.stage === "probe" ? { reason: ended } : {}),
        }),
  }));
  return { ...answer, backends };
}

/** Loads and uses the addon in a child, which may die of it. */
function probeAddon(): Promise<ProbeAnswer> {
  const source = import.meta.url.endsWith(".ts");
  const file = fileURLToPath(new URL(source ? "./probe.ts" : "./probe.js", import.meta.url));
  const child = fork(file, { execArgv: source ? ["--import", "tsx"] : [], silent: true });
  let answer: ProbeAnswer | undefined;
  let said = "";
  child.stderr?.on("data", (piece: Buffer) => {
    said += piece.toString();
  });
  child.on("message", (message) => {
    answer = message as ProbeAnswer;
  });
  // A GPU that hangs must not take doctor along.
  const limit = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ stage: "crashed", backends: [], reason: reasonOf(error) }));
    child.on("close", (code, signal) => {
      const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
      const lastWords = said.trim().split("\n").at(-1) ?? "";
      const reason = `a process that used the addon ${how}. ${lastWords}`.trim();
      clearTimeout(limit);
      resolve(answer === undefined ? { stage: "crashed", backends: [], reason } : whole(answer, reason));
    });
  });
}

function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

function optionalPackages(): DoctorReport["packages"] {
  const require = createRequire(import.meta.url);
  const installed = (name: string): boolean => {
    try {
      require.resolve(name);
      return true;
    } catch {
      return false;
    }
  };
  const wanted = [
    ["hyparquet", "Parquet files"],
    ["hyparquet-compressors", "compressed Parquet files"],
    ["fzstd", "zst files on Node 20"],
  ] as const;
  return wanted.map(([name, purpose]) => ({ name, for: purpose, installed: installed(name) }));
}
