// One look at an online run for signs of over-optimisation: what is measured, and its metrics.
// Pure numbers; must not sample or score.

import { fail } from "../errors/index.js";
import type { Answer } from "./answers.js";
import { type MeanWithError, meanWithError } from "./intervals.js";
import { type TextStatistics, textStatisticsOf } from "./text-statistics.js";

export interface WatchInput {
  readonly step: number;
  /** [prompts][samples] fresh answers, from the same number of prompts in every look. */
  readonly answers: readonly (readonly Answer[])[];
  /** [prompts * samples] scores by the reward that is optimised; NaN where an answer has none. */
  readonly proxy: ArrayLike<number>;
  /** [prompts * samples] scores by people or a model that the policy never trains on; NaN likewise. */
  readonly gold?: ArrayLike<number>;
  /** [prompts * samples] sum over an answer's tokens of log p - log p_ref, nats. */
  readonly kl?: ArrayLike<number>;
  /** [prompts * samples] mean entropy of an answer's predictions, nats per token. */
  readonly entropy?: ArrayLike<number>;
  /** [prompts that were judged, or more] 1 where the policy wins against its start, 0.5 for a tie, 0 where it loses. */
  readonly wins?: ArrayLike<number>;
}

/** Plain JSON: part of checkpoints. Errors take answers as independent. */
export interface WatchedStep {
  readonly step: number;
  /** Of the answers that have a score; missing where fewer than two have. */
  readonly proxy?: MeanWithError;
  /** Standard deviation of the answers' proxy scores. */
  readonly proxySpread?: number;
  /** Likewise. */
  readonly gold?: MeanWithError;
  readonly goldSpread?: number;
  readonly kl?: MeanWithError;
  readonly entropy?: MeanWithError;
  readonly winRate?: MeanWithError;
  readonly text: TextStatistics;
}

/**
 * Puts together what one look measures.
 * @throws ATTUNE_DATA for fewer than two answers, ATTUNE_SHAPE where numbers of answers differ, ATTUNE_NOT_FINITE
 */
export function watchedStep(input: WatchInput): WatchedStep {
  const { step, answers, proxy, gold, kl, entropy, wins } = input;
  const count = answers.flat().length;
  if (count < 2) throw fail("ATTUNE_DATA", `Expected two or more answers to look at but received ${count}.`);
  for (const [name, values] of Object.entries({ proxy, gold, kl, entropy })) {
    if (values === undefined) continue;
    if (values.length !== count) {
      const counts = `one value of ${name} for each of ${count} answers but received ${values.length}`;
      throw fail("ATTUNE_SHAPE", `Expected ${counts}.`);
    }
    const scores = name === "proxy" || name === "gold";
    const wrong = Array.from(values).findIndex(
      (value) => !Number.isFinite(value) && !(scores && Number.isNaN(value)),
    );
    if (wrong < 0) continue;
    throw fail("ATTUNE_NOT_FINITE", `Expected finite ${name} but answer ${wrong} has ${values[wrong]}.`);
  }
  return {
    step,
    ...scored("proxy", proxy),
    ...scored("gold", gold ?? []),
    ...(kl === undefined ? {} : { kl: meanWithError(kl) }),
    ...(entropy === undefined ? {} : { entropy: meanWithError(entropy) }),
    ...(wins === undefined || wins.length < 2 ? {} : { winRate: meanWithError(wins) }),
    text: textStatisticsOf({ answers, scores: proxy }),
  };
}

/** Mean and spread of the scores that there are; nothing where fewer than two are. */
function scored(name: "proxy" | "gold", values: ArrayLike<number>): Partial<WatchedStep> {
  const known = Array.from(values).filter((value) => !Number.isNaN(value));
  if (known.length < 2) return {};
  const mean = meanWithError(known);
  return { [name]: mean, [`${name}Spread`]: mean.standardError * Math.sqrt(known.length) };
}

/** Keys as in docs/metrics.md; those that were not measured, or have no value, are left out. */
export type OverOptimisationMetrics = Readonly<Record<string, number>>;

/**
 * The metrics of a look. `overopt/gap` is how much more the proxy gained since the start than the gold score, each in standard
 * deviations of the start's answers: scores of two scales can be compared in no other way.
 */
export function overOptimisationMetrics(now: WatchedStep, start: WatchedStep): OverOptimisationMetrics {
  const { proxy, gold, kl, winRate, text } = now;
  const gained = (pick: "proxy" | "gold") =>
    ((now[pick]?.mean ?? Number.NaN) - (start[pick]?.mean ?? Number.NaN)) /
    (start[`${pick}Spread`] ?? Number.NaN);
  const metrics: Record<string, number | undefined> = {
    "overopt/proxy": proxy?.mean,
    "overopt/gold": gold?.mean,
    "overopt/gap": gained("proxy") - gained("gold"),
    // An estimate from samples may come out negative.
    "overopt/sqrt_kl": kl === undefined ? undefined : Math.sqrt(Math.max(0, kl.mean)),
    "overopt/win_rate": winRate?.mean,
    "completions/mean_length": text.length.mean,
    "completions/clipped_ratio": text.missingEos.mean,
    "completions/distinct_1": text.distinct[0],
    "completions/distinct_2": text.distinct[1],
    "completions/distinct_3": text.distinct[2],
    "completions/repetition": text.repetition.mean,
    "completions/repeated_opening": text.repeatedOpening,
    "completions/equal": text.equalAnswers,
    "completions/length_correlation": text.lengthCorrelation,
  };
  return Object.fromEntries(
    Object.entries(metrics).filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
  );
}
