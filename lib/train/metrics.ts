// Metrics of a run: sums with their counts over a whole update, and one JSON line per logged step.
// Every key is defined in docs/metrics.md. Must not import the engine.

import { readFileSync } from "node:fs";
import { appendLine } from "./run-files.js";

/** What every trainer logs; `step` counts from 1. */
export interface SharedMetrics {
  readonly step: number;
  readonly split: "train";
  readonly loss: number;
  readonly learning_rate: number;
  readonly grad_norm: number;
  readonly num_tokens: number;
  readonly tokens: number;
  readonly tokens_computed: number;
  readonly tokens_per_second: number;
  readonly step_ms: number;
  readonly peak_rss_bytes: number;
}

/** What every trainer of a policy logs besides: a reward model predicts no tokens. */
export interface TokenMetrics extends SharedMetrics {
  readonly entropy: number;
  readonly mean_token_accuracy: number;
}

export type SftMetrics = TokenMetrics;

/** Of a reward model; what its rows or its loss do not have is left out. */
export interface RewardMetrics extends SharedMetrics {
  readonly min_reward: number;
  readonly mean_reward: number;
  readonly max_reward: number;
  readonly accuracy?: number;
  readonly margin?: number;
  readonly centring?: number;
  readonly tie_parameter?: number;
}

export interface DpoMetrics extends TokenMetrics {
  readonly "rewards/chosen": number;
  readonly "rewards/rejected": number;
  readonly "rewards/margins": number;
  readonly "rewards/accuracies": number;
  readonly "logps/chosen": number;
  readonly "logps/rejected": number;
  readonly "logits/chosen": number;
  readonly "logits/rejected": number;
  /** Of losses that imitate the chosen sides. */
  readonly nll_loss?: number;
}

/** Of judged single answers, good ones as chosen; a side that a step does not have is left out. */
export interface KtoMetrics extends TokenMetrics {
  /** z0; of the loss kto. */
  readonly kl?: number;
  readonly "rewards/chosen"?: number;
  readonly "rewards/rejected"?: number;
  readonly "rewards/margins"?: number;
  readonly "logps/chosen"?: number;
  readonly "logps/rejected"?: number;
  readonly "logits/chosen"?: number;
  readonly "logits/rejected"?: number;
  readonly "count/desirable": number;
  readonly "count/undesirable": number;
}

/** What every trainer on answers of its own logs; what a run does not have is left out. docs/metrics.md defines each. */
export interface OnlineMetrics extends SharedMetrics {
  /** Of the updates; missing where there was nothing to update with. */
  readonly entropy?: number;
  /** Mean weighted score of the answers, as the sources gave it. */
  readonly reward?: number;
  readonly "completions/mean_length": number;
  readonly "completions/clipped_ratio": number;
  readonly "time/rollout_ms": number;
  readonly "time/scoring_ms": number;
  readonly "time/update_ms": number;
  /** Optimiser steps between sampling and use. */
  readonly staleness: number;
  readonly optimizer_steps: number;
  readonly [more: string]: number | string | undefined;
}

export interface PpoMetrics extends OnlineMetrics {
  readonly "objective/kl": number;
  readonly "objective/kl_coef": number;
  readonly "objective/scores": number;
  readonly "objective/rlhf_reward": number;
  readonly "policy/approxkl": number;
  readonly "policy/clipfrac": number;
  readonly "loss/policy": number;
  readonly "loss/value": number;
}

/** Of policies whose ratios are clipped. */
interface ClipMetrics extends OnlineMetrics {
  readonly "policy/approxkl": number;
  readonly "policy/clipfrac": number;
  /** Shares of ratios below and above their range whose advantage pushes them further. */
  readonly "clip_ratio/low_mean": number;
  readonly "clip_ratio/high_mean": number;
  /** Mean over prompts of the standard deviation of their answers' scores. */
  readonly reward_std?: number;
  readonly frac_reward_zero_std?: number;
}

export interface RlooMetrics extends ClipMetrics {
  /** Of beta above 0: mean over answers, nats. */
  readonly "objective/kl"?: number;
}

export interface GrpoMetrics extends ClipMetrics {
  /** Of beta above 0: k3 to the reference during the updates, mean over tokens, nats. */
  readonly kl?: number;
}

export interface OnlineDpoMetrics extends OnlineMetrics {
  /** Prompts whose best and worst answer made a pair, and those whose answers score the same. */
  readonly "count/pairs": number;
  readonly "count/ties": number;
  /** Mean over the pairs of the best score minus the worst; missing without a pair, as all below. */
  readonly "objective/scores_margin"?: number;
  readonly "rewards/chosen"?: number;
  readonly "rewards/rejected"?: number;
  readonly "rewards/margins"?: number;
  readonly "rewards/accuracies"?: number;
  readonly "logps/chosen"?: number;
  readonly "logps/rejected"?: number;
}

/** Of rows that are not trained on: the keys of training behind `eval_`. `step` counts the steps before, from 0. */
export type EvalMetrics = {
  readonly step: number;
  readonly split: "eval";
  /** Of rows with a loss; online runs measure answers. */
  readonly eval_loss?: number;
  readonly eval_ms: number;
} & Readonly<Record<`eval_${string}`, number>>;

/** Sums and counts by name; a mean is formed once, over the whole update, never over micro-batch means. */
export class MetricSums<Name extends string> {
  readonly #sums = new Map<Name, { sum: number; count: number }>();

  add(name: Name, sum: number, count: number): void {
    const entry = this.#sums.get(name);
    if (entry === undefined) this.#sums.set(name, { sum, count });
    else {
      entry.sum += sum;
      entry.count += count;
    }
  }

  /** Sum over count; 0 where nothing was counted. */
  mean(name: Name): number {
    const entry = this.#sums.get(name);
    return entry === undefined || entry.count === 0 ? 0 : entry.sum / entry.count;
  }

  count(name: Name): number {
    return this.#sums.get(name)?.count ?? 0;
  }

  sum(name: Name): number {
    return this.#sums.get(name)?.sum ?? 0;
  }
}

/** Appends metric lines to an open file; a whole line per write, so a reader never meets half of one. */
export class MetricsWriter {
  readonly #file: number;
  readonly #path: string;
  #follower: ((line: Readonly<Record<string, unknown>>) => void) | undefined;

  constructor(file: number, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** Calls back with every line behind its writing. */
  follow(follower: (line: Readonly<Record<string, unknown>>) => void): void {
    this.#follower = follower;
  }

  /** @throws ATTUNE_OUTPUT when the disk is full; the lines before stay whole */
  write(metrics: object): void {
    appendLine(this.#file, this.#path, JSON.stringify(metrics));
    this.#follower?.({ ...metrics });
  }
}

/** The clock of `step_ms`: from the end of the previous step to the end of this one. */
export class StepClock {
  readonly #now: () => number;
  #last: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#last = now();
  }

  /** Milliseconds since the last lap. */
  lap(): number {
    const now = this.#now();
    const elapsed = now - this.#last;
    this.#last = now;
    return elapsed;
  }
}

/** The most resident memory of this process since it started, in bytes: VmHWM, or what the system counts itself. */
export function peakRssBytes(): number {
  try {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    if (line?.[1] !== undefined) return Number(line[1]) * 1024;
  } catch {
    // No /proc here (macOS, Windows): getrusage counts the same in kilobytes.
  }
  return process.resourceUsage().maxRSS * 1024;
}
