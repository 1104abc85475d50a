// The learning rate's course: a multiplier of the peak rate per optimiser step.
// Pure; must not import any room.

export type ScheduleName = "constant" | "linear" | "cosine";

export interface ScheduleOptions {
  readonly schedule: ScheduleName;
  /** Steps of the rise from 0. */
  readonly warmup: number;
  /** Optimiser steps of the run. */
  readonly total: number;
}

/** Steps of warm-up for a share of all steps, rounded up. */
export function warmupSteps(ratio: number, total: number): number {
  return Math.ceil(ratio * total);
}

/**
 * Multiplier for optimiser step s = 0, 1, …, total - 1 (W = warm-up, N = total): s/W below W, then constant 1,
 * linear (N-s)/(N-W), cosine ½(1 + cos(π(s-W)/(N-W))).
 */
export function scheduleMultiplier(step: number, { schedule, warmup, total }: ScheduleOptions): number {
  if (step < warmup) return step / warmup;
  if (schedule === "constant") return 1;
  const left = Math.max(1, total - warmup);
  if (schedule === "linear") return Math.max(0, (total - step) / left);
  return Math.max(0, 0.5 * (1 + Math.cos((Math.PI * (step - warmup)) / left)));
}
