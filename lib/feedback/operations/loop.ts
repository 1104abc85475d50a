// Keeps how far a loop is, and how it predicted judgements, in one step: neither without the other.
// Must not know what a loop does.

import { fail } from "../../errors/index.js";
import type { OperationContext } from "./context.js";
import { turnOf } from "./turns.js";

/** The turn of the process that trains a project. */
export function loopTurn(project: string): string {
  return `loop ${project}`;
}

export interface KeptPrediction {
  readonly judgement: string;
  readonly version: string;
  /** P(what the judgement says). */
  readonly probability: number;
}

export interface SaveLoop {
  /** JSON as the loop wants it back. */
  readonly memory: unknown;
  readonly predictions?: readonly KeptPrediction[];
  /** The process that runs the loop; undefined where there is but one. */
  readonly owner?: string;
}

/** A probability of 0 would make the mean loss infinite. */
const LEAST = 1e-9;

function lossOf({ probability }: KeptPrediction): number {
  return -Math.log(Math.max(LEAST, probability));
}

/** Rows of one statement. */
const CHUNK = 1000;

/**
 * A judgement's first prediction stays: a later one could know it.
 * @throws ATTUNE_LOOP where another process has begun meanwhile: what it has learned is not overwritten
 */
export async function saveLoop(
  context: OperationContext,
  { memory, predictions = [], owner }: SaveLoop,
): Promise<void> {
  const { writing, project, now: time } = context;
  if (owner !== undefined && (await turnOf(context, loopTurn(project)))?.owner !== owner) {
    const text = `Expected to train the project "${project}" alone but another process has begun meanwhile.`;
    throw fail("ATTUNE_LOOP", text);
  }
  const text = JSON.stringify(memory);
  await writing
    .insertInto("loops")
    .values({ project, memory: text, time })
    .onConflict((conflict) => conflict.column("project").doUpdateSet({ memory: text, time }))
    .execute();
  for (let from = 0; from < predictions.length; from += CHUNK)
    await writing
      .insertInto("predictions")
      .values(
        predictions.slice(from, from + CHUNK).map((one) => ({ project, ...one, loss: lossOf(one), time })),
      )
      .onConflict((conflict) => conflict.columns(["project", "judgement"]).doNothing())
      .execute();
}
