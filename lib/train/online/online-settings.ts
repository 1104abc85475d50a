// What online trainers take beside their numbers, and the settings that all of them have.
// Types and their separation; must not import a trainer's loop.

import type { FrozenModel, TrainableModel } from "../../engine/contract.js";
import { fail } from "../../errors/index.js";
import type { GrpoSettings, OnlineDpoSettings, PpoSettings, RlooSettings } from "../../options/index.js";
import type { RewardSources } from "../../rollout/index.js";
import type { SharedMetrics } from "../metrics.js";
import { type RunInputs, separateInputs } from "../run-types.js";
import type { SharedSettings } from "../settings.js";

/** Names of one or several reward sources beside those that settings name by path. */
export interface OnlineInputs<Metrics extends SharedMetrics> extends RunInputs<Metrics> {
  /** Reward models in memory, bounds and functions: docs/rollouts.md. Added to `rewardModel` and `rewardFunction`. */
  readonly rewards?: RewardSources;
  /** The same for evaluations: scores by what the policy never trains on. Added to `goldModel` and `goldFunction`. */
  readonly gold?: RewardSources;
  /** Another model to compare with: a path, or a model of the same vocabulary. Default: the start of the trained one. */
  readonly reference?: string | FrozenModel | undefined;
}

/** Of every online trainer. */
export type OnlineSettings = SharedSettings &
  Omit<
    PpoSettings | RlooSettings | GrpoSettings | OnlineDpoSettings,
    "learningRate" | "microBatchTokens" | "format" | "beta"
  > & { readonly format: PpoSettings["format"] };

export interface SeparatedOnline<Metrics extends SharedMetrics> {
  readonly inputs: OnlineInputs<Metrics>;
  /** What the schema checks. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** Splits what a schema checks from what it cannot. Throws ATTUNE_OPTION. */
export function separateOnline<Metrics extends SharedMetrics>(
  options: OnlineInputs<Metrics> & Readonly<Record<string, unknown>>,
): SeparatedOnline<Metrics> {
  const { rewards, gold, reference, ...others } = options;
  const { inputs, values } = separateInputs<Metrics>(others);
  for (const [name, value] of Object.entries({ rewards, gold })) {
    const many = Array.isArray(value) ? value : [value];
    if (many.every((one) => one === undefined || typeof one === "function" || isObject(one))) continue;
    throw fail("ATTUNE_OPTION", `Expected ${name} to be functions or reward sources (docs/rollouts.md).`, {
      details: { option: name },
    });
  }
  return {
    inputs: {
      ...inputs,
      ...(rewards === undefined ? {} : { rewards }),
      ...(gold === undefined ? {} : { gold }),
      ...(reference === undefined ? {} : { reference }),
    },
    values: { ...values, reference: isObject(reference) ? "(a model in memory)" : reference },
  };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** A model of the caller, or the path of one. */
export function isLoaded(model: unknown): model is TrainableModel {
  return isObject(model);
}
