// Estimates of the KL divergence per token, and the controllers of its coefficient. Pure, double precision.

import { fail } from "../errors/index.js";
import { meanOf, type Numbers, sumsOver } from "./sequences.js";

/** How the divergence at a token is measured; "full": exactly, over the whole vocabulary. */
export type KlEstimator = "k1" | "k2" | "k3" | "full";

export interface TokenKl {
  readonly estimator: KlEstimator;
  /** [tokens] log pi_old of the sampled tokens. */
  readonly logprobs: Numbers;
  /** [tokens] log pi_ref of the same. */
  readonly referenceLogprobs: Numbers;
  /** [tokens] KL(pi_old || pi_ref) at each token; needed by "full". */
  readonly exactKl?: Numbers | undefined;
}

/**
 * [tokens] With d = log pi_old - log pi_ref: k1 = d, k2 = d^2 / 2, k3 = e^-d - 1 + d (Schulman 2020, "Approximating KL
 * divergence"), or the exact value. Throws ATTUNE_OPTION where "full" has none.
 */
export function tokenKl({ estimator, logprobs, referenceLogprobs, exactKl }: TokenKl): Float64Array {
  if (estimator === "full") {
    if (exactKl !== undefined) return Float64Array.from(exactKl);
    throw fail("ATTUNE_OPTION", 'Expected exact KLs of the rollout for kl "full". Collect it with exactKl.');
  }
  return Float64Array.from(logprobs, (logprob, token) => {
    const d = logprob - (referenceLogprobs[token] ?? Number.NaN);
    if (estimator === "k1") return d;
    return estimator === "k2" ? (d * d) / 2 : Math.expm1(-d) + d;
  });
}

/** Mean over answers of sum_t k1, nats: an estimate without bias of KL(pi_old || pi_ref) of whole answers. */
export function meanAnswerKl({
  starts,
  logprobs,
  referenceLogprobs,
}: Omit<TokenKl, "estimator" | "exactKl"> & { readonly starts: Numbers }): number {
  const difference = (token: number) =>
    (logprobs[token] ?? Number.NaN) - (referenceLogprobs[token] ?? Number.NaN);
  return meanOf(sumsOver(starts, difference));
}

/** beta and how it moves. A plain object: saved and restored as it is. */
export type KlController =
  | { readonly kind: "fixed"; readonly coefficient: number }
  | {
      readonly kind: "adaptive";
      readonly coefficient: number;
      /** Nats per answer. */
      readonly target: number;
      /** Episodes over which the coefficient may change by about a fifth. */
      readonly horizon: number;
    };

export interface ControlKl {
  /** `meanAnswerKl` of the rollout. */
  readonly kl: number;
  /** Answers of the rollout. */
  readonly episodes: number;
}

/**
 * The controller after a rollout (Ziegler et al. 2019, arXiv 1909.08593): e = clip(kl / target - 1, -0.2, 0.2),
 * beta <- beta (1 + e episodes / horizon); a fixed one stays. Throws ATTUNE_NOT_FINITE for a KL that is no number.
 */
export function controlKl(controller: KlController, { kl, episodes }: ControlKl): KlController {
  if (controller.kind === "fixed") return controller;
  if (!Number.isFinite(kl)) throw fail("ATTUNE_NOT_FINITE", `Expected a finite KL but received ${kl}.`);
  const { coefficient, target, horizon } = controller;
  const error = Math.min(Math.max(kl / target - 1, -0.2), 0.2);
  return { ...controller, coefficient: coefficient * (1 + (error * episodes) / horizon) };
}
