// Every metric of metrics.jsonl, defined once: the tables of docs/metrics.md and the words in reports come from here.
// Data only; must not import any room.

import type { MetricDescription } from "./metric-groups.js";
import { onlineDescriptions } from "./online-descriptions.js";

export const metricDescriptions: readonly MetricDescription[] = [
  {
    section: "every",
    keys: { step: "Step" },
    unit: "",
    meaning: "number of the optimiser step, from 1",
  },
  {
    section: "every",
    keys: { split: "Split" },
    unit: "",
    meaning: "`train`, or `eval` on the lines of an evaluation",
  },
  {
    section: "every",
    keys: { loss: "Loss" },
    unit: "nats",
    meaning:
      "the value whose gradient was applied: the sum of weighted losses divided by the targets (sft), pairs (dpo, reward) or rows (kto) of the step",
    group: "Loss and accuracy",
    better: "lower",
  },
  {
    section: "every",
    keys: { learning_rate: "Learning rate" },
    unit: "",
    meaning: "the rate that this step's update used",
    group: "Optimisation",
    exact: true,
  },
  {
    section: "every",
    keys: { grad_norm: "Gradient norm" },
    unit: "",
    meaning: "L2 norm of all gradients together, before clipping",
    group: "Optimisation",
  },
  {
    section: "every",
    keys: { entropy: "Entropy" },
    unit: "nats",
    meaning: "mean entropy of the predicted distribution over the step's targets (dpo: of both sides)",
    group: "Optimisation",
  },
  {
    section: "every",
    keys: { mean_token_accuracy: "Token accuracy" },
    unit: "share",
    meaning: "targets that are the most likely token (dpo: of the chosen sides)",
    group: "Loss and accuracy",
    better: "higher",
  },
  {
    section: "every",
    keys: { tokens: "Tokens of the step" },
    unit: "tokens",
    meaning:
      "tokens of this step's sequences in full, prompt and completion, once per completion: a pair counts its prompt twice, as TRL does",
  },
  {
    section: "every",
    keys: { num_tokens: "Tokens so far" },
    unit: "tokens",
    meaning: "running sum of `tokens`",
  },
  {
    section: "every",
    keys: { tokens_computed: "Rows computed" },
    unit: "rows",
    meaning:
      "rows that went through the policy's layers: a pair's prompt once, and no row that predicts nothing; passes before the steps counted (aot), those of the reference not",
  },
  {
    section: "every",
    keys: { tokens_per_second: "Speed" },
    unit: "tokens/s",
    meaning: "`tokens` divided by `step_ms`",
    group: "Speed and memory",
  },
  {
    section: "every",
    keys: { step_ms: "Time of a step" },
    unit: "ms",
    meaning:
      "wall time from the end of the previous step to the end of this one: data, reference pass, all micro-batches, update, metrics",
    group: "Speed and memory",
  },
  {
    section: "every",
    keys: { peak_rss_bytes: "Peak memory" },
    unit: "bytes",
    meaning: "the most memory the process has held resident since it started (VmHWM)",
    group: "Speed and memory",
    exact: true,
  },
  {
    section: "dpo",
    keys: {
      "rewards/chosen": "Reward of the chosen answers",
      "rewards/rejected": "Reward of the rejected answers",
    },
    unit: "",
    meaning:
      "mean of beta · d over the pairs, per side; of a ranking the best answer, and the mean of the others; without a reference beta times the mean log-prob (simpo; orpo: lambda), beta times the log-prob (cpo), or the mean log-prob (sft)",
    group: "Rewards",
  },
  {
    section: "dpo",
    keys: { "rewards/margins": "Reward margin" },
    unit: "",
    meaning: "`rewards/chosen` - `rewards/rejected`",
    group: "Rewards",
    better: "higher",
  },
  {
    section: "dpo",
    keys: { "rewards/accuracies": "Reward accuracy" },
    unit: "share",
    meaning:
      "pairs whose chosen side has the larger reward, of rankings all pairs of answers that are not tied; equal is no win, so the first step shows 0",
    group: "Loss and accuracy",
    better: "higher",
  },
  {
    section: "dpo",
    keys: {
      "logps/chosen": "Log-prob of the chosen answers",
      "logps/rejected": "Log-prob of the rejected answers",
    },
    unit: "nats",
    meaning:
      "mean over the pairs of the summed log-prob of a side's completion under the policy, before the update",
    group: "Log-probs",
  },
  {
    section: "dpo",
    keys: {
      "logits/chosen": "Logits of the chosen answers",
      "logits/rejected": "Logits of the rejected answers",
    },
    unit: "",
    meaning: "mean logit over the vocabulary and the side's completion tokens",
    group: "Other",
  },
  {
    section: "dpo",
    keys: { nll_loss: "NLL of the chosen answers" },
    unit: "nats",
    meaning:
      "mean negative log-prob of the chosen sides' tokens; with losses that imitate them (sft, orpo, cpo, simpo with --nll-weight)",
    group: "Loss and accuracy",
    better: "lower",
  },
  {
    section: "kto",
    keys: { kl: "KL estimate (z0)" },
    unit: "nats",
    meaning:
      "z0 of the loss kto, formed before the update: mean over the step's rows of d of another row's answer to this prompt, at least 0",
    group: "KL",
  },
  {
    section: "kto",
    keys: { "rewards/chosen": "Reward of good answers", "rewards/rejected": "Reward of bad answers" },
    unit: "",
    meaning: "mean of beta · d over the step's good (chosen) and bad (rejected) answers",
    group: "Rewards",
  },
  {
    section: "kto",
    keys: { "rewards/margins": "Reward margin" },
    unit: "",
    meaning: "`rewards/chosen` - `rewards/rejected`",
    group: "Rewards",
    better: "higher",
  },
  {
    section: "kto",
    keys: { "logps/chosen": "Log-prob of good answers", "logps/rejected": "Log-prob of bad answers" },
    unit: "nats",
    meaning:
      "mean over the good and the bad answers of their summed log-prob under the policy, before the update",
    group: "Log-probs",
  },
  {
    section: "kto",
    keys: { "logits/chosen": "Logits of good answers", "logits/rejected": "Logits of bad answers" },
    unit: "",
    meaning: "mean logit over the vocabulary and the completion tokens of the good and the bad answers",
    group: "Other",
  },
  {
    section: "kto",
    keys: { "count/desirable": "Good answers of the step", "count/undesirable": "Bad answers of the step" },
    unit: "rows",
    meaning:
      "good and bad answers of the step; a side without any has no metrics, and there is no margin then",
  },
  {
    section: "reward",
    keys: { accuracy: "Accuracy" },
    unit: "share",
    meaning:
      "judged pairs whose better side has the larger score; of rankings all pairs of answers; equal scores are no win, ties (label 0.5) are left out",
    group: "Loss and accuracy",
    better: "higher",
  },
  {
    section: "reward",
    keys: { margin: "Score margin" },
    unit: "",
    meaning: "mean over the same pairs of the better side's score minus the other's",
    group: "Rewards",
    better: "higher",
  },
  {
    section: "reward",
    keys: { min_reward: "Lowest score", mean_reward: "Mean score", max_reward: "Highest score" },
    unit: "",
    meaning: "of all answers of the step, before the update and without any normalisation",
    group: "Rewards",
  },
  {
    section: "reward",
    keys: { centring: "Centring" },
    unit: "",
    meaning: "mean over the pairs of C (r_chosen + r_rejected)^2, a part of the loss; with --centring C",
    group: "Other",
  },
  {
    section: "reward",
    keys: { tie_parameter: "Parameter of ties (eta)" },
    unit: "",
    meaning: "eta of rao-kupper or davidson before the update: larger means more ties",
    group: "Other",
  },
  {
    section: "reward",
    keys: { calibration_error: "Calibration error" },
    unit: "share",
    meaning:
      "of evaluations: expected calibration error of P(better) = sigmoid(score difference), ten bins, each pair counted half in either order",
    group: "Loss and accuracy",
    better: "lower",
  },
  {
    section: "reward",
    keys: { length_correlation: "Correlation of score and length" },
    unit: "",
    meaning: "of evaluations: Spearman's rank correlation of an answer's score with its number of tokens",
    group: "Rewards",
  },
  {
    section: "evaluation",
    keys: { step: "Step" },
    unit: "",
    meaning: "steps taken before the evaluation, from 0",
  },
  {
    section: "evaluation",
    keys: { eval_ms: "Time of an evaluation" },
    unit: "ms",
    meaning: "wall time of the evaluation; it is in no `step_ms`",
  },
  ...onlineDescriptions,
];
