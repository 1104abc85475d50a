// What people ask of an online run first, as a line each: reward, gold score, win rate, KL, length. Pure.

import { formatNumber } from "./page/format-value.js";
import type { MetricColumns, RunData } from "./run-data.js";

const onlineCommands: ReadonlySet<string> = new Set(["ppo", "rloo", "grpo", "online-dpo"]);

/** Whether the run trained on answers that it sampled itself. */
export function isOnline({ summary }: Pick<RunData, "summary">): boolean {
  return onlineCommands.has(summary.command);
}

interface Question {
  readonly title: string;
  /** Keys of evaluations, then of training; the first that has values is taken. */
  readonly evaluation: string;
  readonly train: readonly string[];
  readonly unit: string;
}

const questions: readonly Question[] = [
  { title: "Reward", evaluation: "overopt/proxy", train: ["reward", "overopt/proxy"], unit: "" },
  { title: "Gold score", evaluation: "overopt/gold", train: ["overopt/gold"], unit: "" },
  {
    title: "Win rate",
    evaluation: "overopt/win_rate",
    train: ["overopt/win_rate"],
    unit: " against the start",
  },
  { title: "KL", evaluation: "objective/kl", train: ["objective/kl"], unit: " nats per answer" },
  {
    title: "Length",
    evaluation: "completions/mean_length",
    train: ["completions/mean_length"],
    unit: " tokens",
  },
];

/** Names and texts, `0.12 → 1.4`: from the evaluations where there are any, else of single steps. */
export function onlineFigures({
  train,
  evaluation,
}: Pick<RunData, "train" | "evaluation">): readonly (readonly [string, string])[] {
  return questions.flatMap(({ title, evaluation: key, train: keys, unit }) => {
    const looked = firstAndLast(evaluation, [key]);
    const ends = looked ?? firstAndLast(train, keys);
    if (ends === undefined) return [];
    const single = looked === undefined ? " (of single steps)" : "";
    return [[title, `${ends.map(formatNumber).join(" → ")}${unit}${single}`]];
  });
}

/** One value where there is only one; undefined where there is none. */
function firstAndLast({ values }: MetricColumns, keys: readonly string[]): readonly number[] | undefined {
  for (const key of keys) {
    const finite = (values.get(key) ?? []).filter(Number.isFinite);
    const [first, last] = [finite.at(0), finite.at(-1)];
    if (first !== undefined && last !== undefined) return finite.length === 1 ? [last] : [first, last];
  }
  return undefined;
}
