// The form of the files below trainer/, as README.md there defines it, and which of them this version trains.
// Must not import the library.

import type { Tolerance } from "../support/oracle-compare.js";
import { oraclePath, readOracleJson } from "../support/oracle-folder.js";

export interface ExpectedRow {
  readonly prompt: readonly number[];
  readonly completion?: readonly number[];
  readonly chosen?: readonly number[];
  readonly rejected?: readonly number[];
  /** Of kto: good or bad, and the answer on which the KL term is measured. */
  readonly label?: boolean;
  readonly kl_completion?: readonly number[];
}

type Sums = Readonly<Record<string, number>>;

export interface ExpectedRun {
  readonly steps: readonly (Sums & { readonly loss: number; readonly grad_norm: number })[];
  readonly first_step_grad_l2_after_clipping: Sums;
  readonly start: Readonly<Record<string, { readonly l2: number; readonly sum: number }>>;
  readonly final: Readonly<Record<string, { readonly l2: number; readonly sum: number }>>;
  readonly probe: readonly (ExpectedRow & { readonly start: Sums; readonly end: Sums })[];
}

export interface TrainerSettings {
  readonly learning_rate: number;
  readonly schedule: string;
  readonly weight_decay: number;
  readonly max_grad_norm: number;
  readonly rows_per_micro_batch: number;
  readonly gradient_accumulation: number;
  readonly optimizer_steps: number;
  readonly loss: string;
  readonly beta?: number;
  readonly label_smoothing?: number;
  /** Of reward: coefficient of (r_chosen + r_rejected)^2. */
  readonly centring?: number;
  /** Of kto. */
  readonly desirable_weight?: number;
  readonly undesirable_weight?: number;
  /** Of the loss `ipo`: how log-ratios are reduced. */
  readonly ipo?: string;
}

export interface TrainerFile {
  readonly case: string;
  /** `order`: not a run. */
  readonly kind?: string;
  readonly algorithm: string;
  readonly model: string;
  readonly reference_model: string | null;
  readonly rows: string;
  readonly settings?: TrainerSettings;
  readonly float64: ExpectedRun;
  readonly batches: readonly (readonly ExpectedRow[])[];
}

export type TrainedCase = TrainerFile & { readonly settings: TrainerSettings; readonly data: string };

/** [answers][tokens], 0 beyond the length of an answer. */
export type Padded = readonly (readonly number[])[];

/** One optimiser step of policy and value network; log-probs and values are those before it. */
export interface PpoEpoch {
  readonly policy_loss: number;
  readonly value_loss: number;
  readonly loss: number;
  readonly new_logprobs: Padded;
  readonly new_values: Padded;
  readonly clipfrac: number;
  readonly value_clipfrac: number;
  readonly approx_kl_k1: number;
  readonly approx_kl_k2: number;
  readonly grad_l2_policy: number;
  readonly grad_l2_value: number;
}

type Norms = Readonly<Record<string, { readonly l2: number; readonly sum: number }>>;

export interface ExpectedPpo {
  readonly logprobs: Padded;
  readonly ref_logprobs: Padded;
  readonly values: Padded;
  readonly scores_raw: readonly number[];
  readonly scores: readonly number[];
  readonly rewards: Padded;
  readonly advantages: Padded;
  readonly returns: Padded;
  readonly epochs: readonly PpoEpoch[];
  readonly final: { readonly policy: Norms; readonly value: Norms };
}

interface PpoFile {
  readonly case: string;
  readonly algorithm: "ppo";
  readonly models: Readonly<Record<"policy" | "ref" | "value" | "reward", string>>;
  readonly rows: string;
  readonly rows_used: readonly number[];
  readonly settings: {
    readonly response_length: number;
    readonly temperature: number;
    readonly epochs: number;
    readonly mini_batches: number;
    readonly learning_rate: number;
    readonly schedule: string;
    readonly kl_estimator: "k1";
    readonly eos_trick: "subtract";
    readonly kl_coef: number;
    readonly cliprange: number;
    readonly cliprange_value: number;
    readonly vf_coef: number;
    readonly gamma: number;
    readonly lam: number;
    readonly missing_eos_penalty: number;
  };
  readonly prompts: readonly (readonly number[])[];
  readonly responses: readonly (readonly number[])[];
  readonly lengths: readonly number[];
  readonly has_eos: readonly boolean[];
  readonly own_float64_attune_layout: ExpectedPpo;
}

export type PpoCase = PpoFile & { readonly data: string; readonly expected: ExpectedPpo };

export function ppoCase(file: string): PpoCase {
  const content = readOracleJson<PpoFile>("trainer", "ppo", file);
  const data = oraclePath("trainer", "ppo", content.rows);
  return { ...content, data, expected: content.own_float64_attune_layout };
}

export const startingModel = "the starting model";

/** The case; or that it is no run but an order of rows, which kto-order.test.ts looks at; or why it is for a later version. */
export function trainerCase(
  algorithm: string,
  file: string,
): TrainedCase | { readonly later: string } | { readonly order: string } {
  const content = readOracleJson<TrainerFile>("trainer", algorithm, file);
  const { settings } = content;
  if (!["sft", "dpo", "kto", "reward"].includes(algorithm)) return { later: algorithm };
  if (content.kind === "order") return { order: content.case };
  if (settings === undefined) return { later: "no run" };
  const data = oraclePath("trainer", algorithm, content.rows);
  return { ...content, settings, data };
}

/** Loss of the first step, and of later ones, which carry the noise of the steps before. */
export function lossTolerance(step: number): Tolerance {
  return step === 0 ? { relative: 1e-5, absolute: 1e-6 } : { relative: 1e-4, absolute: 1e-5 };
}

export const gradientTolerance: Tolerance = { relative: 2e-4, absolute: 1e-6 };
/** Means of log-probs, rewards, logits. */
export const metricTolerance: Tolerance = { relative: 2e-4, absolute: 1e-4 };
export const probeTolerances = {
  start: { relative: 1e-5, absolute: 1e-4 },
  end: { relative: 2e-4, absolute: 1e-3 },
} as const;
export const finalTolerance: Tolerance = { relative: 1e-5, absolute: 1e-6 };
export const sumBar = 2e-3;

/** What TRL reports as means of micro-batch means under accumulation, which this library never forms. */
export function isMicroBatchMean(metric: string): boolean {
  return (
    ["mean_token_accuracy", "min_reward", "max_reward", "entropy"].includes(metric) ||
    metric.startsWith("logits/")
  );
}
