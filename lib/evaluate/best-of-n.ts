// Best-of-N: sample, score, keep the best; and what that is worth, from more samples than N without bias.
// Must not know how scores come about.

import type { JobOptions, Prompt } from "../engine/index.js";
import { fail } from "../errors/index.js";
import type { Interval } from "../preference/index.js";
import {
  type Answer,
  type AnswerOptions,
  type ScoreAnswers,
  sampleAnswers,
  scoreAll,
  type Writer,
} from "./answers.js";
import { bootstrapMeans, meanWithError } from "./intervals.js";

export interface BestOfNValueInput {
  /** [M] what the best is chosen by. */
  readonly proxy: ArrayLike<number>;
  /** [M] what its worth is. Default `proxy`. */
  readonly gold?: ArrayLike<number>;
  readonly n: number;
}

/**
 * Expected gold score of the answer that has the highest proxy score among N drawn from M samples without replacement:
 * sum_i C(i-1, N-1) / C(M, N) gold_(i), by ascending proxy. Samples of equal proxy share their weights.
 */
export function bestOfNValue({ proxy, gold = proxy, n }: BestOfNValueInput): number {
  const samples = proxy.length;
  expectCounts(n, samples);
  if (gold.length !== samples) {
    const text = `Expected as many gold as proxy scores (${samples}) but received ${gold.length}.`;
    throw fail("ATTUNE_DATA", text);
  }
  const order = Array.from(proxy, (_, i) => i).sort((a, b) => (proxy[a] ?? 0) - (proxy[b] ?? 0));
  const weights = orderWeights(samples, n);
  let value = 0;
  for (let first = 0; first < samples; ) {
    const level = proxy[order[first] ?? 0];
    let [end, weight, golds] = [first, 0, 0];
    for (; end < samples && proxy[order[end] ?? 0] === level; end++) {
      weight += weights[end] ?? 0;
      golds += gold[order[end] ?? 0] ?? 0;
    }
    value += (weight * golds) / (end - first);
    first = end;
  }
  return value;
}

/** [M] P(the i-th smallest is the largest of N drawn): C(i-1,N-1)/C(M,N), from above so that nothing overflows. */
function orderWeights(samples: number, n: number): Float64Array {
  const weights = new Float64Array(samples);
  // The largest is drawn with probability N/M; each next needs one more place to stay empty.
  let weight = n / samples;
  for (let i = samples; i >= n; i--) {
    weights[i - 1] = weight;
    weight *= (i - n) / (i - 1);
  }
  return weights;
}

function expectCounts(n: number, samples: number): void {
  if (Number.isSafeInteger(n) && n >= 1 && n <= samples) return;
  throw fail(
    "ATTUNE_OPTION",
    `Expected n to be an integer from 1 to the ${samples} samples but received ${n}.`,
  );
}

/** Largest KL (nats) of best-of-N to the model it samples from: log N - (N-1)/N, reached where no scores tie. */
export function bestOfNKl(n: number): number {
  return Math.log(n) - (n - 1) / n;
}

export interface BestOfNOptions extends JobOptions {
  readonly model: Writer;
  readonly prompts: readonly Prompt[];
  readonly n: number;
  /** M: answers sampled per prompt, at least `n`; more make the values surer. Default `n`. */
  readonly samples?: number;
  /** What the best is chosen by. */
  readonly score: ScoreAnswers;
  /** What its worth is, where that is another scorer. */
  readonly gold?: ScoreAnswers;
  readonly generation?: AnswerOptions;
  /** Of sampling and of the bootstrap, 64 bits. Default 0. */
  readonly seed?: number | bigint;
  /** Draws of the bootstrap. Default 10,000. */
  readonly draws?: number;
  readonly onProgress?: (fraction: number) => void;
}

export interface BestAnswer {
  /** The highest score among the first N samples; the first of equals. */
  readonly best: Answer;
  readonly bestScore: number;
  /** [M] */
  readonly answers: readonly Answer[];
  readonly scores: Float64Array;
  readonly gold?: Float64Array;
}

export interface ExpectedScore {
  /** Mean over prompts. */
  readonly mean: number;
  /** Bootstrap over prompts, 95%. */
  readonly interval: Interval;
}

export interface BestOfN {
  readonly n: number;
  readonly samples: number;
  /** [prompts] */
  readonly prompts: readonly BestAnswer[];
  /** Of one sample, and of the best of N, estimated without bias from all M. */
  readonly single: ExpectedScore;
  readonly best: ExpectedScore;
  /** The same under `gold`. */
  readonly goldSingle?: ExpectedScore;
  readonly goldBest?: ExpectedScore;
  /** Bound of the KL that choosing costs, nats. */
  readonly klBound: number;
}

export async function bestOfN(options: BestOfNOptions): Promise<BestOfN> {
  const { model, prompts, n, samples = n, seed = 0, draws = 10_000, signal, onProgress } = options;
  expectCounts(n, samples);
  const answers = await sampleAnswers({
    model,
    prompts,
    samples,
    seed,
    ...(options.generation === undefined ? {} : { generation: options.generation }),
    ...(signal === undefined ? {} : { signal }),
    // Scoring is the last tenth.
    onProgress: (fraction) => onProgress?.(0.9 * fraction),
  });
  const rows = prompts.flatMap((prompt, i) => (answers[i] ?? []).map((answer) => ({ prompt, answer })));
  const scores = await scoreAll(options.score, rows, options);
  const gold = options.gold === undefined ? undefined : await scoreAll(options.gold, rows, options);
  onProgress?.(1);
  const ofPrompt = (all: Float64Array, i: number) => all.slice(i * samples, (i + 1) * samples);
  const bests = answers.map((list, i) => ({
    ...bestOf(list, ofPrompt(scores, i), n),
    ...(gold === undefined ? {} : { gold: ofPrompt(gold, i) }),
  }));
  const expected = (count: number, under: (best: BestAnswer) => ArrayLike<number>): ExpectedScore =>
    expectedScore(
      bests.map((best) => bestOfNValue({ proxy: best.scores, gold: under(best), n: count })),
      { seed, draws },
    );
  const ofGold = (best: BestAnswer): ArrayLike<number> => best.gold ?? best.scores;
  return {
    n,
    samples,
    prompts: bests,
    single: expected(1, (best) => best.scores),
    best: expected(n, (best) => best.scores),
    ...(gold === undefined ? {} : { goldSingle: expected(1, ofGold), goldBest: expected(n, ofGold) }),
    klBound: bestOfNKl(n),
  };
}

function bestOf(answers: readonly Answer[], scores: Float64Array, n: number): BestAnswer {
  const among = scores.subarray(0, n);
  const bestScore = among.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const best = answers[among.indexOf(bestScore)];
  if (best === undefined) throw fail("ATTUNE_INTERNAL", "A prompt has no answers.");
  return { best, bestScore, answers, scores };
}

function expectedScore(
  values: readonly number[],
  { seed, draws }: { seed: number | bigint; draws: number },
): ExpectedScore {
  const [interval] = bootstrapMeans({ series: [values], seed, draws });
  if (interval === undefined) throw fail("ATTUNE_INTERNAL", "The bootstrap gave no interval.");
  return { mean: values.reduce((sum, value) => sum + value, 0) / values.length, interval };
}

export interface BestOfNCurveInput {
  /** [prompts] scores of the same samples, M of each prompt; `gold` default `proxy`. */
  readonly prompts: readonly { readonly proxy: ArrayLike<number>; readonly gold?: ArrayLike<number> }[];
  /** Default 1, 2, 4, … up to M. */
  readonly sizes?: readonly number[];
  /** Of the bootstrap, 64 bits. Default 0. */
  readonly seed?: number | bigint;
  /** Default 10,000. */
  readonly draws?: number;
}

/** What choosing the best of `n` by proxy is worth. */
export interface BestOfNPoint {
  readonly n: number;
  /** Bound of its KL, nats: log n - (n-1)/n. */
  readonly kl: number;
  readonly proxy: ExpectedScore;
  readonly gold: ExpectedScore;
  /** [prompts] the values behind the means; with `kl` a point for `fitGoldCurve`. */
  readonly byPrompt: { readonly proxy: Float64Array; readonly gold: Float64Array };
}

/**
 * Best-of-N for several N from one set of samples (Gao, Schulman and Hilton 2022, arXiv 2210.10760): the baseline that runs
 * are compared to. The intervals of all N take the same draws of prompts.
 * @throws ATTUNE_OPTION for sizes that are no integers from 1 to M, ATTUNE_DATA without prompts
 */
export function bestOfNCurve(input: BestOfNCurveInput): BestOfNPoint[] {
  const { prompts, seed = 0, draws = 10_000 } = input;
  const samples = Math.min(...prompts.map(({ proxy }) => proxy.length));
  const sizes = input.sizes ?? powersUpTo(samples);
  const values = sizes.map((n) => ({
    proxy: Float64Array.from(prompts, ({ proxy }) => bestOfNValue({ proxy, n })),
    gold: Float64Array.from(prompts, (prompt) => bestOfNValue({ ...prompt, n })),
  }));
  const intervals = bootstrapMeans({
    series: values.flatMap(({ proxy, gold }) => [proxy, gold]),
    seed,
    draws,
  });
  return sizes.flatMap((n, i) => {
    const [byPrompt, proxy, gold] = [values[i], intervals[2 * i], intervals[2 * i + 1]];
    if (byPrompt === undefined || proxy === undefined || gold === undefined) return [];
    const expected = (list: Float64Array, interval: Interval) => ({
      mean: meanWithError(list).mean,
      interval,
    });
    return {
      n,
      kl: bestOfNKl(n),
      proxy: expected(byPrompt.proxy, proxy),
      gold: expected(byPrompt.gold, gold),
      byPrompt,
    };
  });
}

function powersUpTo(most: number): readonly number[] {
  const powers: number[] = [];
  for (let n = 1; n <= most && Number.isFinite(most); n *= 2) powers.push(n);
  return powers;
}
