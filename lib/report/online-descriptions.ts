// The metrics of online runs, a part of the one table of metric-descriptions.ts: those that people ask for first come first.
// Data only; must not import any room.

import type { MetricDescription } from "./metric-groups.js";

export const onlineDescriptions: readonly MetricDescription[] = [
  {
    section: "online",
    keys: { step: "Step" },
    unit: "",
    meaning: "number of the rollout with all of its updates, from 1",
  },
  {
    section: "online",
    keys: { reward: "Reward" },
    unit: "",
    meaning:
      "mean over answers of the weighted sum of all sources' scores, before any treatment; of evaluations `overopt/proxy`",
    evaluatedAs: "overopt/proxy",
    group: "At a glance",
    better: "higher",
  },
  {
    section: "online",
    keys: { "objective/kl": "KL to the reference" },
    unit: "nats",
    meaning:
      "mean over answers of the sum over tokens of the KL as `--kl` measures it; the adaptive coefficient goes by k1 whatever it is",
    group: "At a glance",
  },
  {
    section: "over-optimisation",
    keys: { "overopt/proxy": "Proxy score", "overopt/gold": "Gold score" },
    unit: "",
    meaning:
      "mean score of fresh answers: by the reward that is optimised (proxy), and by people or a model that the policy never trains on (gold)",
    group: "At a glance",
    better: "higher",
  },
  {
    section: "over-optimisation",
    keys: { "completions/mean_length": "Length of answers" },
    unit: "tokens",
    meaning: "mean over answers, a stop token included",
    group: "At a glance",
  },
  {
    section: "online",
    keys: { entropy: "Entropy" },
    unit: "nats",
    meaning:
      "how open the policy's next token is: mean entropy over the tokens of the updates; of evaluations, and without evaluation prompts, mean over answers of the mean of minus the log-prob of their tokens",
    group: "At a glance",
  },
  {
    section: "over-optimisation",
    keys: { "overopt/gap": "Gap of proxy and gold" },
    unit: "sd",
    meaning:
      "how much more the proxy score gained since the start than the gold score, each in standard deviations of the start's answers",
    group: "Over-optimisation",
    better: "lower",
  },
  {
    section: "over-optimisation",
    keys: { "overopt/win_rate": "Win rate against the start" },
    unit: "share",
    meaning: "prompts on which the policy's answer is better than the start's; a tie is half",
    group: "Over-optimisation",
    better: "higher",
  },
  {
    section: "over-optimisation",
    keys: { "overopt/sqrt_kl": "Distance to the reference" },
    unit: "sqrt(nats)",
    meaning:
      "d = square root of the mean over fresh answers of the sum of log p - log p_ref; 0 where that is negative",
    group: "Over-optimisation",
  },
  {
    section: "online",
    keys: { kl: "KL per token (grpo)" },
    unit: "nats",
    meaning:
      "mean over tokens of the estimate k3 of the KL to the reference, in the loss; of grpo with beta above 0",
    group: "Over-optimisation",
  },
  {
    section: "online",
    keys: { "objective/scores": "Score as rewarded" },
    unit: "",
    meaning: "mean score of the answers after the treatment of missing ends, clipping and normalisation",
    group: "Scores",
    better: "higher",
  },
  {
    section: "online",
    keys: { "objective/rlhf_reward": "Reward less KL penalty" },
    unit: "",
    meaning: "what is maximised: `objective/scores` + `objective/non_score_reward`",
    group: "Scores",
    better: "higher",
  },
  {
    section: "online",
    keys: { "objective/non_score_reward": "KL penalty" },
    unit: "",
    meaning: "mean over answers of minus `objective/kl_coef` times the summed KL",
    group: "Scores",
  },
  {
    section: "online",
    keys: { "objective/kl_coef": "KL coefficient (beta)" },
    unit: "",
    meaning: "the coefficient that this step's penalty used; it moves only with `--kl-target`",
    group: "Scores",
    exact: true,
  },
  {
    section: "online",
    keys: { reward_std: "Spread of rewards" },
    unit: "",
    meaning:
      "mean over prompts of the standard deviation (n - 1) of their answers' rewards, as they are compared: after the treatment of missing ends, clipping and normalisation (of evaluations before it)",
    group: "Scores",
  },
  {
    section: "online",
    keys: { frac_reward_zero_std: "Prompts without a spread" },
    unit: "share",
    meaning:
      "prompts whose answers all have the same reward after its treatment: compared with each other, they teach nothing",
    group: "Scores",
    better: "lower",
  },
  {
    section: "online",
    keys: { "rewards/<source>/mean": "Score by <source>" },
    unit: "",
    meaning: "mean score of one source of rewards, before its weight",
    group: "Scores",
    better: "higher",
  },
  {
    section: "over-optimisation",
    keys: { "completions/clipped_ratio": "Answers that were cut" },
    unit: "share",
    meaning: "answers without an end of their own",
    group: "Answers",
    better: "lower",
  },
  {
    section: "over-optimisation",
    keys: {
      "completions/distinct_1": "Different tokens",
      "completions/distinct_2": "Different pairs of tokens",
      "completions/distinct_3": "Different triples of tokens",
    },
    unit: "share",
    meaning:
      "different n-grams of all answers together divided by all of them; they fall as answers get more, so compare equal numbers of answers",
    group: "Answers",
    better: "higher",
  },
  {
    section: "over-optimisation",
    keys: { "completions/repetition": "Repetition within answers" },
    unit: "share",
    meaning: "mean over answers of the share of their 3-grams that stood in the same answer before",
    group: "Answers",
    better: "lower",
  },
  {
    section: "over-optimisation",
    keys: { "completions/repeated_opening": "The most frequent opening" },
    unit: "share",
    meaning: "answers that begin with the most frequent first three tokens",
    group: "Answers",
    better: "lower",
  },
  {
    section: "over-optimisation",
    keys: { "completions/equal": "Prompts with equal answers" },
    unit: "share",
    meaning:
      "prompts whose samples are all the same text; of one sample each 1 when all answers are the same, else 0",
    group: "Answers",
    better: "lower",
  },
  {
    section: "over-optimisation",
    keys: { "completions/length_correlation": "Correlation of reward and length" },
    unit: "",
    meaning: "Spearman's rank correlation of an answer's length with its proxy score",
    group: "Answers",
  },
  {
    section: "online",
    keys: {
      "completions/min_length": "Shortest answer",
      "completions/max_length": "Longest answer",
      "completions/mean_terminated_length": "Length of ended answers",
    },
    unit: "tokens",
    meaning: "of the rollout, a stop token included; the mean of the answers that ended is 0 where none did",
    group: "Answers",
  },
  {
    section: "online",
    keys: { "val/num_eos_tokens": "Answers that ended" },
    unit: "answers",
    meaning: "answers of the rollout with a stop token",
    group: "Answers",
  },
  {
    section: "online",
    keys: { "objective/entropy": "Surprise of answers" },
    unit: "nats",
    meaning: "mean over answers of minus their summed log-prob; it grows with length",
    group: "Answers",
  },
  {
    section: "online",
    keys: { loss: "Loss" },
    unit: "",
    meaning:
      "mean over the step's minibatches of what was made small: `loss/policy`, and of ppo the weighted `loss/value` and `ptx_loss`; advantages have mean 0, so it hardly falls even when all is well",
    group: "Loss and accuracy",
  },
  {
    section: "online",
    keys: { "loss/policy": "Policy loss" },
    unit: "",
    meaning:
      "what the policy's gradient is of, mean over minibatches: the clipped surrogate or what the algorithm has in its place, less the weighted entropy (ppo), plus the weighted KL (grpo)",
    group: "Loss and accuracy",
  },
  {
    section: "ppo",
    keys: { "loss/value": "Value loss" },
    unit: "",
    meaning: "half the squared error of the value network's returns, clipped, before its weight",
    group: "Loss and accuracy",
    better: "lower",
  },
  {
    section: "ppo",
    keys: { ptx_loss: "Loss on pre-training texts" },
    unit: "nats",
    meaning: "negative log-prob per token of the texts of `--ptx-data`, before its weight",
    group: "Loss and accuracy",
    better: "lower",
  },
  {
    section: "ppo",
    keys: { "val/var_explained": "Variance that values explain" },
    unit: "share",
    meaning:
      "1 - var(return - value) / var(return), values as they were at the rollout: 1 is a perfect value network, 0 no better than a constant",
    group: "Updates",
    better: "higher",
  },
  {
    section: "online",
    keys: { "policy/approxkl": "KL of the update" },
    unit: "nats",
    meaning:
      "mean over the tokens of the updates of half the squared change of their log-prob since the step's updates began: of stale rollouts that is later than their sampling",
    group: "Updates",
  },
  {
    section: "online",
    keys: { "policy/clipfrac": "Clipped ratios" },
    unit: "share",
    meaning:
      "ratios whose clipped term is strictly the larger: their tokens gave no gradient (of cispo: ratios that the cap held)",
    group: "Updates",
  },
  {
    section: "group",
    keys: { "clip_ratio/low_mean": "Ratios clipped below", "clip_ratio/high_mean": "Ratios clipped above" },
    unit: "share",
    meaning: "ratios below 1 - clip of a negative advantage, and above 1 + clip of a positive one",
    group: "Updates",
  },
  {
    section: "online",
    keys: { "policy/entropy": "Entropy during the updates" },
    unit: "nats",
    meaning: "mean entropy of the predicted distribution over the tokens of the updates",
    group: "Updates",
  },
  {
    section: "online",
    keys: { "val/ratio": "Mean ratio", "val/ratio_var": "Variance of ratios" },
    unit: "",
    meaning:
      "of the probability of a sampled token under the policy of the update and at the beginning of the step's updates; with ratios of sequences, of whole answers",
    group: "Updates",
  },
  {
    section: "ppo",
    keys: { "val/clipfrac": "Clipped values" },
    unit: "share",
    meaning: "values whose clipped squared error is strictly the larger",
    group: "Updates",
  },
  {
    section: "online",
    keys: { optimizer_steps: "Optimiser steps" },
    unit: "",
    meaning: "optimiser steps of the policy in this step",
    group: "Updates",
    exact: true,
  },
  {
    section: "online",
    keys: { skipped_minibatches: "Minibatches left out" },
    unit: "",
    meaning: "minibatches that taught nothing because their mean ratio was above 10",
    group: "Updates",
    exact: true,
  },
  {
    section: "online",
    keys: { stopped_early: "Updates ended early" },
    unit: "",
    meaning:
      "1 where `policy/approxkl` went over 1.5 times `--target-kl` and the rest of the step's updates was left out, else 0",
    group: "Updates",
    exact: true,
  },
  {
    section: "online",
    keys: { staleness: "Staleness" },
    unit: "steps",
    meaning: "optimiser steps between the sampling of the answers and their use",
    group: "Updates",
    exact: true,
  },
  {
    section: "online",
    keys: { grad_norm: "Gradient norm" },
    unit: "",
    meaning: "L2 norm of the policy's gradients before clipping, mean over the step's optimiser steps",
    group: "Optimisation",
  },
  {
    section: "ppo",
    keys: { "value/grad_norm": "Gradient norm of the value network" },
    unit: "",
    meaning: "the same of the value network",
    group: "Optimisation",
  },
  {
    section: "online",
    keys: { episode: "Episodes" },
    unit: "answers",
    meaning: "answers sampled so far",
  },
  {
    section: "online",
    keys: { tokens: "Tokens of the step" },
    unit: "tokens",
    meaning:
      "tokens of the sequences that the step's updates went through, prompt and answer, once per epoch; pre-training texts too",
  },
  {
    section: "online",
    keys: {
      "time/rollout_ms": "Time of sampling",
      "time/scoring_ms": "Time of scoring",
      "time/update_ms": "Time of the updates",
    },
    unit: "ms",
    meaning:
      "parts of `step_ms`: answers; reference, values and rewards, as far as the step waited for them; advantages and all optimiser steps",
    group: "Speed and memory",
  },
];
