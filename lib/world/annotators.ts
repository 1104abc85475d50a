// Simulated people of the toy world: they see answers much as the true reward does, but with noise, ties, a liking for the
// side shown first, laziness, haste, and a weakness for flattery. Their judgements are rows for the trainers.
// Must not know policies or models: answers are texts.

import { Draws } from "./random.js";
import { countKindWords, freshOf, pointOf, type ShopAnswer, wordsOf } from "./true-reward.js";

/** How a person judges. */
export interface Annotator {
  readonly name: string;
  /** Scale of the logistic noise on a comparison; 0 = none. In units of the impression. */
  readonly noise: number;
  /** Answers whose impressions, noise included, differ by less than this are a tie. */
  readonly tieBand: number;
  /** Added to the impression of the answer shown first. */
  readonly sideBias: number;
  /** Share of judgements made without reading: the longer answer wins, and every single answer is good. */
  readonly laziness: number;
  /** Added to the impression for each kind word, without bound. */
  readonly flattery: number;
  /** Taken off for each word. */
  readonly haste: number;
}

export interface AnnotatorOptions {
  readonly seed: number;
  /** Default 6. */
  readonly count?: number;
}

/** People of one panel: each a little different from the others. */
export function annotators({ seed, count = 6 }: AnnotatorOptions): readonly Annotator[] {
  return Array.from({ length: count }, (_, row) => {
    const draws = new Draws({ seed, stream: "simulate", step: uses.panel, row });
    const between = (low: number, high: number) => low + (high - low) * draws.uniform();
    return {
      name: `annotator-${row + 1}`,
      noise: between(0.2, 0.4),
      tieBand: between(0.1, 0.3),
      sideBias: between(0, 0.3),
      laziness: between(0.02, 0.08),
      flattery: between(0.25, 0.35),
      haste: between(0.03, 0.05),
    };
  });
}

/** Steps of the stream `simulate`, behind those of corner-shop.ts: what the draws of a row are for. */
const uses = { panel: 8, pairs: 9, rankings: 10, thumbs: 11 } as const;

/**
 * What an answer looks like to an annotator: 2 * point + fresh + ending + flattery * kind words - haste * words. Unlike the true
 * reward it knows no too much: a kind word is always welcome, however many there were.
 */
export function impression(annotator: Annotator, { prompt, completion, ended = true }: ShopAnswer): number {
  const words = wordsOf(completion);
  const ending = ended && /[.!?]$/.test(completion.trimEnd()) ? 1 : 0;
  const { flattery, haste } = annotator;
  const content = 2 * pointOf(prompt, words) + freshOf(words);
  return content + ending + flattery * countKindWords(words) - haste * words.length;
}

/** Answers of some policy to one prompt. */
export interface AnsweredQuestion {
  readonly prompt: string;
  readonly answers: readonly { readonly text: string; readonly ended?: boolean }[];
}

export interface JudgeOptions {
  readonly questions: readonly AnsweredQuestion[];
  readonly panel: readonly Annotator[];
  readonly seed: number;
}

export interface JudgedPair {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
  /** P(chosen is better): 1, or 0.5 for a tie. */
  readonly label: number;
  /** Its name is also the row's source. */
  readonly source: string;
}

export interface JudgedPairs {
  readonly rows: readonly JudgedPair[];
  /** Pairs of equal texts, or with an empty one: nobody was asked about them. */
  readonly unasked: number;
}

/**
 * Rows of preferences: of each question the answers 0 and 1, 2 and 3, … , each pair judged by one of the panel. Which answer
 * is shown first is drawn from the stream `side`. P(first) = sigmoid((difference + sideBias - tieBand) / noise), as of
 * Rao and Kupper (1967) with a side effect.
 */
export function judgePairs({ questions, panel, seed }: JudgeOptions): JudgedPairs {
  const rows: JudgedPair[] = [];
  let [row, unasked] = [0, 0];
  for (const { prompt, answers } of questions) {
    for (let i = 0; i + 1 < answers.length; i += 2, row++) {
      const [a, b] = [answers[i], answers[i + 1]];
      if (!a?.text || !b?.text || a.text === b.text) {
        unasked += 1;
        continue;
      }
      const swapped = new Draws({ seed, stream: "side", step: 0, row }).chance(0.5);
      const [first, second] = swapped ? [b, a] : [a, b];
      const draws = new Draws({ seed, stream: "simulate", step: uses.pairs, row });
      const annotator = draws.pick(panel);
      const verdict = compare(annotator, shown(prompt, first), shown(prompt, second), draws);
      const [chosen, rejected] = verdict === "second" ? [second, first] : [first, second];
      const label = verdict === "tie" ? 0.5 : 1;
      rows.push({ prompt, chosen: chosen.text, rejected: rejected.text, label, source: annotator.name });
    }
  }
  return { rows, unasked };
}

function shown(prompt: string, { text, ended = true }: AnsweredQuestion["answers"][number]): ShopAnswer {
  return { prompt, completion: text, ended };
}

function compare(
  annotator: Annotator,
  first: ShopAnswer,
  second: ShopAnswer,
  draws: Draws,
): "first" | "second" | "tie" {
  if (draws.chance(annotator.laziness))
    return second.completion.length > first.completion.length ? "second" : "first";
  const { noise, sideBias, tieBand } = annotator;
  const difference =
    impression(annotator, first) + sideBias - impression(annotator, second) + noise * draws.logistic();
  if (Math.abs(difference) < tieBand) return "tie";
  return difference > 0 ? "first" : "second";
}

export interface JudgedRanking {
  readonly prompt: string;
  readonly completions: readonly string[];
  /** 1 = best; equal ranks are ties. */
  readonly ranks: readonly number[];
  readonly source: string;
}

/**
 * Rankings of all different answers to each question, empty ones left out, one per question with at least two: by impression plus noise; an answer
 * within the tie band of the one above shares its rank. Lazy annotators rank by length.
 */
export function judgeRankings({ questions, panel, seed }: JudgeOptions): readonly JudgedRanking[] {
  return questions.flatMap(({ prompt, answers }, row) => {
    const asked = answers.filter(({ text }) => text !== "");
    const different = [...new Map(asked.map((answer) => [answer.text, answer])).values()];
    if (different.length < 2) return [];
    const draws = new Draws({ seed, stream: "simulate", step: uses.rankings, row });
    const annotator = draws.pick(panel);
    const lazy = draws.chance(annotator.laziness);
    const worth = different.map((answer) =>
      lazy
        ? answer.text.length
        : impression(annotator, shown(prompt, answer)) + annotator.noise * draws.logistic(),
    );
    const completions = different.map(({ text }) => text);
    return [{ prompt, completions, ranks: ranksOf(worth, annotator.tieBand), source: annotator.name }];
  });
}

function ranksOf(worth: readonly number[], tieBand: number): readonly number[] {
  const order = worth.map((_, i) => i).sort((a, b) => (worth[b] ?? 0) - (worth[a] ?? 0) || a - b);
  const ranks = worth.map(() => 1);
  for (const [place, item] of order.entries()) {
    const above = order[place - 1];
    if (above === undefined) continue;
    const tied = (worth[above] ?? 0) - (worth[item] ?? 0) < tieBand;
    ranks[item] = tied ? (ranks[above] ?? 1) : place + 1;
  }
  return ranks;
}

export interface JudgedThumb {
  readonly prompt: string;
  readonly completion: string;
  /** Thumbs up. */
  readonly label: boolean;
  readonly source: string;
}

/** The impression from which on an answer is good: about the middle of what demonstrations make. */
const goodFrom = 3;

/** Thumbs: one for every answer that is not empty, up when impression plus noise is at least 3. */
export function judgeThumbs({ questions, panel, seed }: JudgeOptions): readonly JudgedThumb[] {
  const all = questions.flatMap(({ prompt, answers }) => answers.map((answer) => shown(prompt, answer)));
  return all
    .filter(({ completion }) => completion !== "")
    .map((answer, row) => {
      const draws = new Draws({ seed, stream: "simulate", step: uses.thumbs, row });
      const annotator = draws.pick(panel);
      const { prompt, completion } = answer;
      const label =
        draws.chance(annotator.laziness) ||
        impression(annotator, answer) + annotator.noise * draws.logistic() >= goodFrom;
      return { prompt, completion, label, source: annotator.name };
    });
}
