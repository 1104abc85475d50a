// What a description of a metric says, and the headings under which metrics stand. Data only; must not import any room.

/** Headings of docs/metrics.md: `every` trainer, one command, or several of a kind. */
export type MetricSection =
  | "every"
  | "sft"
  | "dpo"
  | "kto"
  | "reward"
  | "evaluation"
  | "online"
  | "ppo"
  | "group"
  | "over-optimisation";

/** Panels stand under these headings of a report, in this order. The first four are of online runs alone. */
export const metricGroups = [
  "At a glance",
  "Over-optimisation",
  "Scores",
  "Answers",
  "Loss and accuracy",
  "Rewards",
  "KL",
  "Log-probs",
  "Updates",
  "Optimisation",
  "Speed and memory",
  "Other",
] as const;
export type MetricGroup = (typeof metricGroups)[number];

/** One sentence under a heading of a report, where the heading does not say it all. */
export const groupNotes: Partial<Readonly<Record<MetricGroup, string>>> = {
  "At a glance":
    "A run that goes well raises its reward while the KL stays small, length and entropy stay near where they began, and the gold score rises too.",
  "Loss and accuracy":
    "The loss is what training makes small. An accuracy of 1 is always right; between two answers a coin would reach 0.5.",
  Rewards:
    "How an answer is valued. In dpo and kto: beta · d, where d is the answer's log-prob under the trained model minus that under its frozen start.",
  KL: "How far the model has moved from its start; 0 is not at all.",
  "Over-optimisation":
    "The proxy is the reward that is optimised, gold is what it stands for. A proxy that rises while gold falls is exploited.",
  Scores: "What the reward says of the answers that the policy is trained on.",
  Answers: "What the policy's answers look like: variety falls and repetition grows when it collapses.",
  "Log-probs":
    "How likely the model finds whole answers. Both sides may fall while the margin grows: that is no failure by itself.",
  Updates:
    "How far one rollout moves the policy: ratios are of the probabilities of its tokens after and before, and clipping holds them near 1.",
  Optimisation:
    "How large the steps are. Peaks of the gradient are steps in which something was odd; --max-grad-norm cuts them.",
};

export interface MetricDescription {
  readonly section: MetricSection;
  /** Keys that share a row of the docs, each with its title in a report; `<source>` in both stands for any name. */
  readonly keys: Readonly<Record<string, string>>;
  readonly unit: string;
  /** Markdown with nothing but `code`. */
  readonly meaning: string;
  /** Undefined: neither shown as a panel nor in a table of a report. */
  readonly group?: MetricGroup;
  /** Where one direction is better: what "best" means in a report. */
  readonly better?: "lower" | "higher";
  /** Key of the same figure in evaluations, where it has another name there: one panel for both. */
  readonly evaluatedAs?: string;
  /** Has no noise: a report never smooths it. */
  readonly exact?: true;
}
