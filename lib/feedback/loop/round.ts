// One round of training: what is asked for, and what becomes of the loop's memory. Must not gather rows.

import type { LoopSettings } from "../../options/index.js";
import { promptHashOf, splitOf } from "../operations/items.js";
import type { FeedbackStore } from "../store/store.js";
import type { GatheredRows } from "./gather-rows.js";
import { type LoopMemory, noLag, policyOf } from "./loop-memory.js";
import type { StartLoop } from "./loop-options.js";
import type { LoopRound, LoopStopped } from "./loop-status.js";
import type { LoopPolicy, TrainedRound, TrainRound } from "./loop-work.js";

/** Of the policy that a round makes; the one that a loop begins with is that of round 0. */
function policyName(round: number, known: ReadonlyMap<string, number>): string {
  const name = `round-${round}`;
  // One that was registered before a crash stays in the project, without answers.
  for (let again = 2; ; again++) {
    const free = again === 2 ? name : `${name}-${again - 1}`;
    if (!known.has(free)) return free;
  }
}

/** Registers the policy that the loop begins with. */
export async function firstMemory({ store, project, first, scorer }: StartLoop): Promise<LoopMemory> {
  const policy = policyName(0, new Map());
  const { model, place, checkpoint } = first;
  const own = checkpoint === undefined ? {} : { checkpoint };
  const { number } = await store.write(project, "registerPolicy", { policy, model, ...own });
  return {
    format: 1,
    policies: [{ policy, number, model, place }],
    ...{ serving: policy, best: policy, below: 0, judged: policy },
    scorer: scorer === undefined ? null : { version: "given", place: scorer },
    ...{ trainedSeq: 0, predictedSeq: 0, prompts: 0, lag: noLag, rounds: [], stopped: null },
  };
}

export interface TrainRequestOptions {
  readonly options: StartLoop;
  readonly settings: LoopSettings;
  readonly memory: LoopMemory;
  readonly rows: GatheredRows;
  readonly round: number;
  readonly signal: AbortSignal;
}

export function trainRequest(asked: TrainRequestOptions): TrainRound {
  const { options, settings, memory, rows, round, signal } = asked;
  const trunk = memory.policies[0] ?? policyOf(memory, memory.serving);
  return {
    ...{ round, kinds: options.kinds, ...rows, trunk, signal },
    start: settings.restart ? trunk : policyOf(memory, memory.serving),
    scorer: memory.scorer ?? undefined,
    // Validation prompts are those that policies are compared on.
    prompts: options.prompts.filter((prompt) => splitOf(promptHashOf(prompt)) === "train"),
    restart: settings.restart,
    seed: settings.seed + round,
  };
}

export interface AfterRound {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly settings: LoopSettings;
  readonly memory: LoopMemory;
  readonly request: TrainRound;
  readonly trained: TrainedRound;
  readonly began: number;
  readonly ended: number;
  /** Of all policies that the project knows. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** Registers the new policy; its answers are asked about next, unless it went too far. */
export async function afterRound(
  after: AfterRound,
): Promise<{ readonly memory: LoopMemory; readonly record: LoopRound }> {
  const { store, project, settings, memory, request, trained, began, ended, numbers } = after;
  const { round, start, training } = request;
  const { model, place, checkpoint, scorer, kl, metrics = {} } = trained;
  const name = policyName(round, numbers);
  const { number } = await store.write(project, "registerPolicy", {
    ...{ policy: name, model },
    ...(checkpoint === undefined ? {} : { checkpoint }),
  });
  const policy: LoopPolicy = { policy: name, number, model, place };
  const { fresh, replayed, stale } = training;
  const record: LoopRound = {
    ...{ round, policy: name, number, place, start: start.policy, fresh, replayed, stale },
    ...(kl === undefined ? {} : { kl }),
    ...{ metrics, began, ended },
  };
  const tooFar = settings.stopRule && kl !== undefined && kl > settings.klBudget;
  const stopped: LoopStopped | null = tooFar ? { reason: "kl", round, time: ended } : null;
  const next: LoopMemory = {
    ...memory,
    policies: [...memory.policies, policy],
    serving: tooFar ? memory.best : name,
    scorer: scorer === undefined ? memory.scorer : { version: name, place: scorer },
    ...{ trainedSeq: memory.predictedSeq, lag: noLag, rounds: [...memory.rounds, record], stopped },
  };
  return { memory: next, record };
}
