// Keeps the queue full of the newest policy's answers: pairs of its own, and on validation prompts pairs with the best
// policy so far. Must not score or train.

import type { FeedbackContent, ItemInput, TextAnswer } from "../judgement.js";
import { promptHashOf, splitOf } from "../operations/items.js";
import type { FeedbackStore } from "../store/store.js";
import { type LoopMemory, policyOf } from "./loop-memory.js";
import type { LoopPolicy, LoopWork } from "./loop-work.js";
import { answersDiffer } from "./new-votes.js";

export interface Refill {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly memory: LoopMemory;
  readonly prompts: readonly FeedbackContent[];
  /** Items that are missing. */
  readonly count: number;
  readonly answers: number;
  readonly seed: number;
  readonly generate: LoopWork["generate"];
  readonly signal: AbortSignal;
}

export interface Refilled {
  /** Prompts that were given answers. */
  readonly asked: number;
  readonly added: number;
  /** Prompts whose answers came out equal, empty, or too few: nobody is asked about them. */
  readonly equal: number;
}

/** Items added together. */
const BATCH = 500;

export async function refill(options: Refill): Promise<Refilled> {
  const { store, project, count } = options;
  const items = await newItems(options);
  let added = 0;
  for (let from = 0; from < items.length; from += BATCH) {
    const sent = items.slice(from, from + BATCH);
    const { items: known } = await store.write(project, "addItems", { items: sent });
    added += known.filter(({ duplicate }) => !duplicate).length;
  }
  return { asked: count, added, equal: count - items.length };
}

interface Asked {
  /** Counted over all passes of the prompts. */
  readonly number: number;
  readonly prompt: FeedbackContent;
}

async function newItems(options: Refill): Promise<readonly ItemInput[]> {
  const { memory, prompts, count, answers } = options;
  const asked = Array.from({ length: count }, (_, i): Asked => {
    const number = memory.prompts + i;
    return { number, prompt: prompts[number % prompts.length] ?? "" };
  });
  const newest = policyOf(memory, memory.serving);
  const best = policyOf(memory, memory.best);
  const compares = ({ prompt }: Asked) =>
    answers === 2 && best.policy !== newest.policy && splitOf(promptHashOf(prompt)) === "valid";
  const contests = asked.filter(compares);
  const plain = asked.filter((one) => !compares(one));
  const own = await answered(options, newest, plain, answers);
  const ours = await answered(options, newest, contests, 1);
  const theirs = await answered(options, best, contests, 1);
  return [
    ...plain.flatMap((one, i) => itemOf(one, newest, own[i] ?? [], answers)),
    ...contests.flatMap((one, i) => itemOf(one, newest, [...(ours[i] ?? []), ...(theirs[i] ?? [])], answers)),
  ];
}

/** [prompts][answers] each with the policy that made it. */
async function answered(
  { generate, seed, memory, signal }: Refill,
  policy: LoopPolicy,
  asked: readonly Asked[],
  answers: number,
): Promise<readonly (readonly TextAnswer[])[]> {
  if (asked.length === 0) return [];
  const prompts = asked.map(({ prompt }) => prompt);
  const found = await generate({ prompts, policy, answers, seed: seed + memory.prompts, signal });
  return found.map((list) =>
    list.map((answer) => ({ ...answer, model: policy.model, policy: policy.policy })),
  );
}

function itemOf(
  { number, prompt }: Asked,
  { policy }: LoopPolicy,
  answers: readonly TextAnswer[],
  wanted: number,
): readonly ItemInput[] {
  if (answers.length !== wanted || !answersDiffer(answers)) return [];
  // The same again after a crash is found by its id, not added.
  return [{ externalId: `${policy}/${number}`, prompt, answers: [...answers] }];
}
