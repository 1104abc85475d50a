// How much memory this process may still take, and the refusal of work that would not fit, with the numbers.
// Must not allocate or measure models: figures come from `plan()`.

import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { fail, sizeText } from "../errors/index.js";
import type { AvailableMemory, MemoryUse, TrainableModel, WeightPlace } from "./contract.js";

export type ReadText = (path: string) => string | undefined;

const readText: ReadText = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // No such file on this system or cgroup version: that source says nothing.
    return undefined;
  }
};

/** The smaller of what the machine has left and what the control groups (v1 or v2) still allow. */
export function availableMemory(options: { readonly read?: ReadText } = {}): AvailableMemory {
  const { read = readText } = options;
  const machine = machineMemory(read);
  const group = controlGroupMemory(read);
  return group < machine
    ? { bytes: group, limit: "memory limit of the control group" }
    : { bytes: machine, limit: "free memory of the machine" };
}

function machineMemory(read: ReadText): number {
  const kilobytes = read("/proc/meminfo")?.match(/^MemAvailable:\s+(\d+) kB/m)?.[1];
  return kilobytes === undefined ? freemem() : Number(kilobytes) * 1024;
}

function controlGroupMemory(read: ReadText): number {
  const lines = read("/proc/self/cgroup")?.split("\n") ?? [];
  let left = Number.POSITIVE_INFINITY;
  for (const line of lines) {
    const [, controllers, path] = line.match(/^\d+:([^:]*):(.*)$/) ?? [];
    if (path === undefined) continue;
    if (controllers === "") left = Math.min(left, leftInTree(read, "/sys/fs/cgroup", path, versionTwo));
    else if (controllers?.split(",").includes("memory"))
      left = Math.min(left, leftInTree(read, "/sys/fs/cgroup/memory", path, versionOne));
  }
  return left;
}

interface GroupFiles {
  readonly limit: string;
  readonly used: string;
  /** Page cache that the kernel gives up first counts as free. */
  readonly cache: string;
}

const versionTwo: GroupFiles = { limit: "memory.max", used: "memory.current", cache: "inactive_file" };
const versionOne: GroupFiles = {
  limit: "memory.limit_in_bytes",
  used: "memory.usage_in_bytes",
  cache: "total_inactive_file",
};

/** Every group on the way up may have a limit; inside a container the path shown can be one of the host. */
function leftInTree(read: ReadText, root: string, path: string, files: GroupFiles): number {
  let left = Number.POSITIVE_INFINITY;
  for (let parts = path.split("/").filter(Boolean); ; parts = parts.slice(0, -1)) {
    const folder = join(root, ...parts);
    const limit = Number(read(join(folder, files.limit))?.trim());
    const used = Number(read(join(folder, files.used))?.trim());
    if (Number.isFinite(limit) && Number.isFinite(used)) {
      const stat = read(join(folder, "memory.stat")) ?? "";
      const cache = Number(stat.match(new RegExp(`^${files.cache} (\\d+)$`, "m"))?.[1] ?? 0);
      left = Math.min(left, Math.max(0, limit - used + cache));
    }
    if (parts.length === 0) return left;
  }
}

const purposes: readonly (readonly [keyof MemoryUse, string])[] = [
  ["weightsBf16", "weights (bf16)"],
  ["weightsFp32", "weights (fp32)"],
  ["gradients", "gradients"],
  ["optimizer", "optimizer state"],
  ["activations", "activations"],
  ["head", "logits of a chunk"],
];

export interface MemoryNeed {
  readonly model: Pick<TrainableModel, "plan" | "memory" | "availableMemory">;
  /** Trunk rows and targets of the largest batch. */
  readonly rows: number;
  readonly targets: number;
  /** Frozen copies of the model that will be made and evaluated on the same batches. Default 0. */
  readonly snapshots?: number;
  /** Where their layers are kept. Default "device". */
  readonly snapshotWeights?: WeightPlace;
  /** What other models will take beyond what they hold. */
  readonly further?: readonly (readonly [name: string, bytes: number])[];
  readonly available?: AvailableMemory;
  /** What the host could still give, where that is not `available`. */
  readonly hostAvailable?: AvailableMemory;
}

/**
 * Work space of the kernels (packed operands, partial sums) while such a plan runs. An upper estimate: measured were 26
 * to 52 MB beside 0.35 to 1.5 GB of activations, 9 MB beside 45 MB.
 */
export function workspaceBytes({ activations }: Pick<MemoryUse, "activations">): number {
  return 2 ** 25 + Math.ceil(activations / 20);
}

/**
 * Before training: throws ATTUNE_MEMORY with the numbers by purpose when the run would not fit. Returns the bytes that it
 * needs beyond what is held.
 */
export function requireMemory(need: MemoryNeed): number {
  const { model, rows, targets, snapshots = 0, snapshotWeights: weights = "device", further = [] } = need;
  const planned = model.plan({ rows, targets, training: true });
  const frozen = model.plan({ rows, targets, training: false, weights });
  const parts = purposes.map(([key, name]) => [name, planned[key]] as const);
  const needed = refuseBeyond({
    parts: [
      ...parts,
      ["reference snapshot", snapshots * frozen.total],
      ...further,
      ["work space of the kernels", workspaceBytes(planned)],
    ],
    held: model.memory().total,
    available: need.available ?? model.availableMemory?.() ?? availableMemory(),
  });
  requireHostMemory(snapshots * frozen.weightsHost, need.hostAvailable);
  return needed;
}

/** Before loading: the weights alone. */
export function requireWeightsMemory(bytes: number, available = availableMemory()): void {
  refuseBeyond({ parts: [["weights", bytes]], held: 0, available });
}

/** Before the host keeps layers for a device. */
export function requireHostMemory(bytes: number, available = availableMemory()): void {
  const advice = "Use dtype bf16, keep the weights on the device, or use a machine with more memory.";
  refuseBeyond({ parts: [["weights that the host keeps", bytes]], held: 0, available, advice });
}

export interface GenerationMemory {
  /** Bytes of keys and values. */
  readonly cache: number;
  /** For the largest pass of the generation. */
  readonly planned: Pick<MemoryUse, "activations" | "head">;
  /** What the model holds already. */
  readonly held: Pick<MemoryUse, "activations" | "head">;
  readonly available?: AvailableMemory;
}

/** Before sampling: throws ATTUNE_MEMORY with the numbers when its keys and values would not fit; else what is needed. */
export function requireGenerationMemory({ cache, planned, held, available }: GenerationMemory): number {
  return refuseBeyond({
    parts: [
      ["keys and values", cache],
      ["activations", planned.activations],
      ["logits", planned.head],
      ["work space of the kernels", workspaceBytes(planned)],
    ],
    held: Math.min(held.activations, planned.activations) + Math.min(held.head, planned.head),
    available: available ?? availableMemory(),
    advice: "Use a smaller batchSize, fewer new tokens, dtype bf16, or a machine with more memory.",
  });
}

export interface KlMemory extends Omit<GenerationMemory, "cache"> {
  /** Bytes of the reference's rows and its chunk of logits. */
  readonly reference: number;
}

/** Before a divergence is computed: throws ATTUNE_MEMORY with the numbers when both passes would not fit. */
export function requireKlMemory({ reference, planned, held, available }: KlMemory): void {
  const head = planned.head + reference;
  refuseBeyond({
    parts: [
      ["activations", planned.activations],
      ["logits of a chunk", planned.head],
      ["the reference's states and logits", reference],
      ["work space of the kernels", workspaceBytes(planned)],
    ],
    held: Math.min(held.activations, planned.activations) + Math.min(held.head, head),
    available: available ?? availableMemory(),
    advice: "Use smaller micro-batches, dtype bf16, or a machine with more memory.",
  });
}

interface Need {
  readonly parts: readonly (readonly [name: string, bytes: number])[];
  readonly held: number;
  readonly available: AvailableMemory;
  readonly advice?: string;
}

const TRAINING_ADVICE = "Use dtype bf16, smaller micro-batches, shorter rows, or a machine with more memory.";

/** The bytes that are needed beyond what is held. */
function refuseBeyond({ parts, held, available, advice = TRAINING_ADVICE }: Need): number {
  const total = parts.reduce((sum, [, bytes]) => sum + bytes, 0);
  if (total - held <= available.bytes) return Math.max(0, total - held);
  const listed = parts.filter(([, bytes]) => bytes > 0).map(([name, bytes]) => `${name} ${sizeText(bytes)}`);
  const message =
    `Expected ${sizeText(total - held)} of further memory but only ${sizeText(available.bytes)} are left (${available.limit}). ` +
    `In all it would hold ${sizeText(total)}: ${listed.join(", ")}. ` +
    advice;
  throw fail("ATTUNE_MEMORY", message, {
    details: { parts: Object.fromEntries(parts), held, available: available.bytes },
  });
}
