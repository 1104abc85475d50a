// Exact KL divergences between a model and its reference, and penalties on them: two models, one job.
// Must not hold logits: native code makes them a chunk at a time.

import type { PackedBatch } from "../data/index.js";
import type { NativeStepResult } from "./addon-types.js";
import type { JobOptions, KlPenalty, KlResult, MemoryUse } from "./contract.js";
import { requireKlMemory } from "./memory.js";
import type { ModelJobs } from "./model-jobs.js";
import { callNative } from "./native-job.js";

export interface KlRequest extends JobOptions {
  readonly jobs: ModelJobs;
  readonly reference: ModelJobs;
  readonly batch: PackedBatch;
}

/** Throws ATTUNE_MODEL where vocabularies or heads differ, ATTUNE_OPTION for a reference of another engine, ATTUNE_MEMORY. */
export async function divergences({ jobs, reference, batch, signal }: KlRequest): Promise<KlResult> {
  const other = reference.handle;
  requireRoom({ jobs, reference, batch }, false);
  return jobs.run({ signal }, ({ addon, handle, job }) => addon.kl(handle, other, job, batch));
}

/** The same errors, and ATTUNE_OPTION or ATTUNE_SHAPE for a penalty that does not fit the batch. */
export async function penaltyStep(
  { jobs, reference, batch, signal }: KlRequest,
  { normaliser, direction, weights }: Omit<KlPenalty, "reference">,
): Promise<NativeStepResult> {
  const other = reference.handle;
  requireRoom({ jobs, reference, batch }, true);
  const penalty = weights === undefined ? { normaliser, direction } : { normaliser, direction, weights };
  return jobs.run({ signal }, ({ addon, handle, job }) => addon.klStep(handle, other, job, batch, penalty));
}

/** Models of one base work one after the other in the same memory; others each have their own. */
function requireRoom({ jobs, reference, batch }: KlRequest, training: boolean): void {
  const { addon, handle } = jobs;
  const other = reference.handle;
  const rows = batch.tokens.length;
  const targets = batch.targets.length / 2;
  callNative(() => {
    const shared = addon.baseMemoryOf(handle).base === addon.baseMemoryOf(other).base;
    const together = shared ? Math.max : (a: number, b: number): number => a + b;
    const both = (own: MemoryUse, its: MemoryUse): Pick<MemoryUse, "activations" | "head"> => ({
      activations: together(own.activations, its.activations),
      head: together(own.head, its.head),
    });
    requireKlMemory({
      reference: addon.planKl(handle, other, targets),
      planned: both(addon.plan(handle, rows, targets, training), addon.plan(other, rows, targets, false)),
      held: both(addon.memoryOf(handle), addon.memoryOf(other)),
      available: jobs.available(),
    });
  });
}
