// The figures of an evaluation that people ask for first, by their path in the JSON of `attune evaluate`, with what they
// say. Pure; must not read files.

import type { FigureOfFile, KeyFigure } from "./run-data.js";

interface Known {
  /** Path of the value, parts joined by " / " as in the list of all figures. */
  readonly at: string;
  /** Path of an object of `low` and `high`. */
  readonly interval?: string;
  /** Path of a standard error, where there is no interval. */
  readonly error?: string;
  readonly title: string;
  readonly meaning: string;
}

const known: readonly Known[] = [
  {
    at: "judged / accuracy",
    interval: "judged / accuracy_interval",
    title: "Accuracy",
    meaning: "share of judged pairs whose better answer scores higher; 0.5 is a coin",
  },
  {
    at: "judged / auc",
    title: "AUC",
    meaning: "probability that a good answer scores above a bad one; 0.5 is a coin",
  },
  { at: "judged / margin", title: "Margin", meaning: "score of the better answer less the other's, mean" },
  { at: "judged / gap", title: "Good less bad", meaning: "mean score of good answers less that of bad ones" },
  {
    at: "judged / loss",
    title: "Log loss",
    meaning: "of the judgements, as probabilities from scores; 0.693 is guessing, lower is better",
  },
  {
    at: "judged / top_accuracy",
    title: "Best answer on top",
    meaning: "share of prompts whose highest-scored answer is ranked best",
  },
  {
    at: "judged / tau_b",
    title: "Tau-b of ranks",
    meaning: "agreement with the rankings; 1 is the same order",
  },
  {
    at: "judged / rating_spearman",
    title: "Spearman with ratings",
    meaning: "agreement of the order of scores with that of ratings; 1 is the same order",
  },
  {
    at: "judged / length_spearman",
    title: "Spearman with length",
    meaning: "whether longer answers score higher (1) or lower (-1); 0 is neither",
  },
  {
    at: "tokens / perplexity",
    title: "Perplexity",
    meaning: "how many tokens the model hesitates between, on the better answers; lower is better",
  },
  {
    at: "kl / kl / mean",
    error: "kl / kl / standardError",
    title: "KL to the reference",
    meaning: "how far the model is from its reference, nats per answer of the rows",
  },
  {
    at: "sampledKl / mean",
    error: "sampledKl / standardError",
    title: "KL of fresh answers",
    meaning: "the same on answers that the model writes itself",
  },
  {
    at: "winRate / winRate",
    interval: "winRate / winRateInterval",
    title: "Win rate",
    meaning:
      "share of prompts on which the reward model prefers this model's answer to the other's; ties half",
  },
  {
    at: "bestOf / single / mean",
    interval: "bestOf / single / interval",
    title: "Score of one answer",
    meaning: "under the reward model, mean over prompts",
  },
  {
    at: "bestOf / best / mean",
    interval: "bestOf / best / interval",
    title: "Score of the best of N",
    meaning: "the same when the best of N answers is taken",
  },
];

/** Those that the file has, in the order above. */
export function keyFigures(figures: readonly FigureOfFile[]): readonly KeyFigure[] {
  const numbers = new Map(figures.map(({ name, value }) => [name, value]));
  const at = (path: string | undefined) => {
    const value = path === undefined ? undefined : numbers.get(path);
    return typeof value === "number" ? value : undefined;
  };
  return known.flatMap(({ at: path, interval, error, title, meaning }) => {
    const value = at(path);
    if (value === undefined) return [];
    const [low, high, deviation] = [at(`${interval} / low`), at(`${interval} / high`), at(error)];
    const count = path.startsWith("bestOf") ? at("bestOf / n") : undefined;
    const named = count === undefined ? title : title.replace(" N", ` ${count}`);
    const explained = count === undefined ? meaning : meaning.replace(" N ", ` ${count} `);
    return { title: named, meaning: explained, value, low, high, deviation };
  });
}
