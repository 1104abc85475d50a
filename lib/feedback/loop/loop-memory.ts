// How far a loop is, as the store keeps it: a restart goes on from there. Must not decide anything.

import { fail, reasonOf } from "../../errors/index.js";
import type { Database } from "../store/tables.js";
import type { LoopRound, LoopStopped } from "./loop-status.js";
import type { LoopPolicy, LoopScorer } from "./loop-work.js";

export interface LoopMemory {
  readonly format: 1;
  /** All that the loop registered, the first one first. */
  readonly policies: readonly LoopPolicy[];
  /** Ids of policies: whose answers are queued, and which one people like best so far. */
  readonly serving: string;
  readonly best: string;
  /** Policies running that people liked less than the best one, and the last one that was held against it. */
  readonly below: number;
  readonly judged: string;
  readonly scorer: LoopScorer | null;
  /** Of the log: judgements up to here were trained on, and were looked at to be predicted. */
  readonly trainedSeq: number;
  readonly predictedSeq: number;
  /** Prompts that were given answers, counted over all passes. */
  readonly prompts: number;
  /** Of the judgements since the last round whose answers name policies. */
  readonly lag: LagSums;
  readonly rounds: readonly LoopRound[];
  readonly stopped: LoopStopped | null;
}

export interface LagSums {
  readonly votes: number;
  readonly sum: number;
  readonly most: number;
  /** Beyond the project's maxLag. */
  readonly stale: number;
}

export const noLag: LagSums = { votes: 0, sum: 0, most: 0, stale: 0 };

/** What predicts: a scorer, or the policy itself. */
export function versionOf({ scorer, serving }: LoopMemory): string {
  return scorer?.version ?? serving;
}

export async function readLoopMemory(reading: Database, project: string): Promise<LoopMemory | undefined> {
  const row = await reading
    .selectFrom("loops")
    .select("memory")
    .where("project", "=", project)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  let memory: LoopMemory;
  try {
    memory = JSON.parse(row.memory) as LoopMemory;
  } catch (error) {
    throw fail("ATTUNE_STORE", `Expected the memory of a loop but ${reasonOf(error)}.`, { cause: error });
  }
  if (memory.format === 1) return memory;
  throw fail("ATTUNE_STORE", "Expected the memory of a loop of this version. Update attune.");
}

/** The policy of this id. */
export function policyOf({ policies }: LoopMemory, policy: string): LoopPolicy {
  const found = policies.find((one) => one.policy === policy);
  if (found === undefined) throw fail("ATTUNE_STORE", `Expected a policy of the loop but found "${policy}".`);
  return found;
}
