// Lines of metrics.jsonl as online runs write them, for the tests of reports: a policy that comes to exploit its reward.
// Must not call what is tested.

import type { Line } from "./run-folders.js";

export interface OnlineLines {
  readonly command?: "ppo" | "grpo";
  readonly steps: number;
  /** Evaluations every so many steps, and before the first; 0 for none. */
  readonly evalEvery?: number;
  /** Whether somebody measures a gold score. */
  readonly gold?: boolean;
  /** KL at the end, nats. */
  readonly kl?: number;
}

/** Every key of the command; the proxy rises throughout, gold rises and falls, answers grow. No randomness. */
export function onlineLines(options: OnlineLines): Line[] {
  const { command = "ppo", steps, evalEvery = 0, gold = true, kl = 12 } = options;
  const lines: Line[] = [];
  const look = (step: number) => lines.push(evaluationLine(step, (kl * step) / steps, gold));
  if (evalEvery > 0) look(0);
  for (let step = 1; step <= steps; step++) {
    lines.push(trainingLine(command, step, (kl * step) / steps, steps));
    if (evalEvery > 0 && step % evalEvery === 0) look(step);
  }
  return lines;
}

/** What both splits say of answers at a KL. */
function answersAt(kl: number): Line {
  return {
    "overopt/proxy": 0.2 + 0.5 * Math.sqrt(kl),
    "overopt/sqrt_kl": Math.sqrt(kl),
    "completions/mean_length": 20 + 3 * kl,
    "completions/clipped_ratio": 0.02 + 0.01 * kl,
    "completions/distinct_1": 0.5 - 0.02 * kl,
    "completions/distinct_2": 0.8 - 0.02 * kl,
    "completions/distinct_3": 0.9 - 0.02 * kl,
    "completions/repetition": 0.02 * kl,
    "completions/equal": 0.01 * kl,
    "completions/repeated_opening": 0.1 + 0.01 * kl,
    "completions/length_correlation": 0.03 * kl,
    "rewards/brevity/mean": 1 - 0.02 * kl,
    entropy: 2 - 0.1 * kl,
  };
}

function evaluationLine(step: number, kl: number, gold: boolean): Line {
  const d = Math.sqrt(kl);
  const measured = { ...answersAt(kl), "objective/kl": kl };
  const golden = {
    "overopt/gold": 0.1 + d * (0.9 - 0.3 * d),
    "overopt/gap": 0.3 * d * d,
    "overopt/win_rate": 0.5 + 0.1 * d * (2 - 0.5 * d),
  };
  const entries = Object.entries({ ...measured, ...(gold ? golden : {}) });
  return {
    step,
    split: "eval",
    ...Object.fromEntries(entries.map(([key, value]) => [`eval_${key}`, value])),
    eval_ms: 900,
  };
}

function trainingLine(command: "ppo" | "grpo", step: number, kl: number, steps: number): Line {
  const noise = 0.05 * Math.sin(12.9898 * step) * Math.cos(step / 3);
  const proxy = 0.2 + 0.5 * Math.sqrt(kl) + noise;
  const own =
    command === "ppo"
      ? {
          "loss/value": 0.4 / step,
          "val/clipfrac": 0.03,
          "val/var_explained": 1 - 1 / step,
          "value/grad_norm": 2,
          ptx_loss: 3,
        }
      : { "clip_ratio/low_mean": 0.01, "clip_ratio/high_mean": 0.02, kl };
  return {
    step,
    split: "train",
    loss: noise,
    ...answersAt(kl),
    ...own,
    "objective/kl": kl + noise,
    "objective/kl_coef": 0.05,
    "objective/entropy": 40 + kl,
    "objective/non_score_reward": -0.05 * kl,
    "objective/scores": proxy,
    "objective/rlhf_reward": proxy - 0.05 * kl,
    "policy/approxkl": 0.001,
    "policy/clipfrac": 0.05,
    "policy/entropy": 2 - 0.1 * kl,
    "loss/policy": noise,
    "val/ratio": 1,
    "val/ratio_var": 0.01,
    "val/num_eos_tokens": 60,
    episode: 64 * step,
    reward: proxy,
    reward_std: 0.3,
    frac_reward_zero_std: 0.1,
    "completions/min_length": 3,
    "completions/max_length": 48,
    "completions/mean_terminated_length": 19,
    staleness: 0,
    optimizer_steps: 4,
    skipped_minibatches: 0,
    stopped_early: 0,
    "time/rollout_ms": 900,
    "time/scoring_ms": 300,
    "time/update_ms": 1200,
    learning_rate: 3e-6 * (1 - step / (steps + 1)),
    grad_norm: 1 + 4 * noise,
    tokens: 4000,
    tokens_computed: 3900,
    num_tokens: 4000 * step,
    step_ms: 2400,
    tokens_per_second: 1666,
    peak_rss_bytes: 1e9,
  };
}

/** What `fitGoldCurve` gives, as JSON, for the gold scores above, and best-of-N beside it. */
export function overoptDetails(): Line {
  const sure = (value: number) => ({ value, interval: { low: 0.9 * value, high: 1.1 * value } });
  return {
    overopt: {
      goldCurve: {
        method: "best-of-n",
        a: sure(0.9),
        b: sure(0.3),
        points: 6,
        residual: 0,
        peak: { sqrtKl: sure(1.5), gain: sure(0.675), certainty: 1 },
      },
      bestOfN: [1, 4, 16, 64].map((n) => {
        const kl = Math.log(n) - (n - 1) / n;
        return { n, kl, proxy: 0.2 + 0.6 * Math.sqrt(kl), gold: 0.1 + 0.5 * Math.sqrt(kl) };
      }),
    },
  };
}
