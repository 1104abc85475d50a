// Calls a reward function: within its time, again after what may pass, and never trusting what it returns.
// Must not know models.

import { setTimeout as pause } from "node:timers/promises";
import { type AttuneError, fail, reasonOf } from "../errors/index.js";
import type { RewardFunctionSource, RewardSample, RewardScores } from "./reward-source.js";

export interface CallRewardFunction {
  readonly source: Pick<RewardFunctionSource, "score" | "timeout" | "retries">;
  /** For messages. */
  readonly name: string;
  /** Of each attempt its own. */
  readonly samples: () => readonly RewardSample[];
  readonly signal: AbortSignal;
}

const TIMEOUT_MS = 60_000;
/** What is down needs time to come back: the pauses double. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Throws ATTUNE_REWARD with the function's name when every attempt threw or took too long; rejects with the signal's reason.
 * A function that never yields to the event loop cannot be stopped.
 */
export async function callRewardFunction(request: CallRewardFunction): Promise<RewardScores> {
  const { source, name, signal } = request;
  const attempts = 1 + (source.retries ?? 0);
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await callOnce(request);
    } catch (error) {
      signal.throwIfAborted();
      if (attempt < attempts) {
        const milliseconds = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
        await pauseUnless(signal, milliseconds);
        continue;
      }
      const who = `Reward function "${name}"${attempts === 1 ? "" : ` (attempt ${attempt} of ${attempts})`}`;
      const text =
        error instanceof OutOfTime ? `${who}: ${error.message}` : `${who} threw: ${reasonOf(error)}`;
      throw fail("ATTUNE_REWARD", text, { cause: error, details: { source: name, attempts } });
    }
  }
}

class OutOfTime extends Error {}

/** Rejects with the signal's reason as soon as it aborts. */
async function pauseUnless(signal: AbortSignal, milliseconds: number): Promise<void> {
  try {
    await pause(milliseconds, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}

async function callOnce({ source, samples: make, signal }: CallRewardFunction): Promise<RewardScores> {
  const { score, timeout = TIMEOUT_MS } = source;
  const samples = make();
  const count = samples.length;
  const own = new AbortController();
  const stop = () => own.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  const ended = new Promise<never>((_, reject) => {
    own.signal.addEventListener("abort", () => reject(own.signal.reason), { once: true });
  });
  const text = `expected scores of ${count} samples within ${timeout} ms but none came.`;
  const timer = setTimeout(() => own.abort(new OutOfTime(text)), timeout);
  try {
    return await Promise.race([call(score, samples, own.signal), ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** A function that throws at once rejects as one that throws later does. */
async function call(
  score: RewardFunctionSource["score"],
  samples: readonly RewardSample[],
  signal: AbortSignal,
): Promise<RewardScores> {
  return score(samples, { signal });
}

export interface CheckScores {
  readonly scores: unknown;
  /** `Reward function "judge"` */
  readonly what: string;
  readonly source: string;
  readonly count: number;
  /** Where a sample comes from: `sample 3 (prompts.jsonl:7)`. */
  readonly nameOf: (sample: number) => string;
}

/** [samples] NaN for null. Throws ATTUNE_REWARD for another count and for what is neither finite nor null. */
export function checkedScores({ scores, what, source, count, nameOf }: CheckScores): Float64Array {
  const refuse = (text: string, details: object = {}): AttuneError =>
    fail("ATTUNE_REWARD", `${what}: ${text}`, { details: { source, ...details } });
  if (!isList(scores)) throw refuse(`expected a list of ${count} scores but received ${String(scores)}.`);
  if (scores.length !== count)
    throw refuse(`expected one score for each of ${count} samples but received ${scores.length}.`);
  return Float64Array.from({ length: count }, (_, sample) => {
    const score = scores[sample];
    if (score === null) return Number.NaN;
    if (typeof score === "number" && Number.isFinite(score)) return score;
    const text = `expected a finite number or null for ${nameOf(sample)} but received ${shown(score)}.`;
    throw refuse(text, { sample });
  });
}

/** A text is told from the number that it spells. */
function shown(score: unknown): string {
  if (typeof score === "string") return JSON.stringify(score);
  return typeof score === "bigint" ? `${score}n` : String(score);
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return typeof value === "object" && value !== null && "length" in value && typeof value.length === "number";
}
