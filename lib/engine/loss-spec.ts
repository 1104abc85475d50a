// Losses of a step as plain data: what native/loss computes, by family. A loss is a sum over groups divided by
// `normaliser`, a count over the whole update (all micro-batches), so that 1x8 equals 8x1. Types only.

/** Of every loss. */
interface LossOfGroups {
  /** Groups of the whole update; for `nll`, `policy` and `value` what the sum over targets is divided by: the update's targets, say. */
  readonly normaliser: number;
  /** [groups] scale of each group's loss; 1 when absent. */
  readonly weights?: Float64Array;
}

/** Negative log-likelihood of every target. */
export interface NllLoss extends LossOfGroups {
  readonly kind: "nll";
}

/** Losses of a pair (chosen, rejected) under log-probs: docs/losses.md, native/loss/pairwise_formula.h. */
export type PairwiseName =
  | "sigmoid"
  | "ipo"
  | "hinge"
  | "robust"
  | "exo_pair"
  | "nca_pair"
  | "bco_pair"
  | "sppo_hard"
  | "aot"
  | "aot_unpaired"
  | "apo_zero"
  | "apo_down"
  | "discopop"
  | "sft"
  | "sigmoid_norm"
  | "simpo"
  | "cpo"
  | "orpo";

/** What replaces the log-ratio d in the losses that have a score s(d). */
export type Divergence = "reverse_kl" | "forward_kl" | "js_divergence" | "alpha_divergence";

/** A sum of weighted losses of pairs. Groups are pairs: completion 0 chosen, 1 rejected. */
export interface PairwiseLoss extends LossOfGroups {
  readonly kind: "pairwise";
  readonly terms: readonly { readonly name: PairwiseName; readonly weight: number }[];
  readonly beta: number;
  /** e: p <- p (1-e) + (1-p) e. Default 0. Refused by the losses that have no place for it. */
  readonly labelSmoothing?: number;
  /** [groups] p = P(chosen is better); 1 when absent. Refused, where one differs from 1, by losses that have no place for it. */
  readonly labels?: Float64Array;
  /** [completions] summed log-probs under the reference; absent only where no term has a reference. */
  readonly reference?: Float64Array;
  /** Default "reverse_kl": s = d. */
  readonly divergence?: Divergence;
  /** a of "alpha_divergence". Default 0.5. */
  readonly alpha?: number;
  /** ipo: log-ratios per token, or summed. Default "mean". */
  readonly ipoReduce?: "mean" | "sum";
  /** simpo: g, the margin between lengths' means. Default 1. */
  readonly simpoGamma?: number;
  /** discopop: temperature of its gate. Default 0.05. */
  readonly discopopTemperature?: number;
  /** orpo: weight of the odds ratio's term. Default 0.1. */
  readonly orpoLambda?: number;
  /** cpo, simpo: weight of the chosen side's token-mean NLL. Default: cpo 1, simpo 0. */
  readonly nllWeight?: number;
  /** Targets of all chosen sides of the update; needed by sft, orpo and where nllWeight is above 0. */
  readonly chosenTargets?: number;
  /** [completions] from `matchUpdate`; needed by aot and aot_unpaired. */
  readonly matches?: Float64Array;
}

/** Rankings under log-probs: scores s = beta d in a listwise loss. Groups hold K completions. */
export interface ListwiseLoss extends LossOfGroups, Listwise {
  readonly kind: "listwise";
  readonly beta: number;
  /** [completions] summed log-probs under the reference. */
  readonly reference: Float64Array;
}

export type ListwiseForm = "plackett-luce" | "all-pairs" | "best-of-k";

/** How equal ranks count: all-pairs takes half and drop, plackett-luce the others. */
export type TieTreatment = "half" | "drop" | "breslow" | "average" | "marginal";

/** What a loss of K scores of one prompt needs (semantics: reward model). */
export interface Listwise {
  readonly form: ListwiseForm;
  /** Default: all-pairs "half", plackett-luce "breslow". */
  readonly ties?: TieTreatment;
  /** [completions] 1 best, equal = tie. best-of-k: 1 for the best. */
  readonly ranks: Int32Array;
  /** [groups] plackett-luce: items that have a place, the others are unordered below them; absent or 0 = all of them. */
  readonly placed?: Int32Array;
}

/** Single judged completions: groups of one completion. */
export interface UnpairedLoss extends LossOfGroups {
  readonly kind: "unpaired";
  readonly loss: "kto" | "apo_zero_unpaired" | "bco";
  readonly beta: number;
  /** kto: z0, a constant of the update; bco: delta; else unused. */
  readonly baseline: number;
  readonly desirableWeight: number;
  readonly undesirableWeight: number;
  /** [groups] 1 desirable, 0 undesirable. */
  readonly labels: Float64Array;
  /** [completions] summed log-probs under the reference. */
  readonly reference: Float64Array;
}

/** Losses of scores. Each completion has one target, whose state is scored by every head. */
export type ScoreLoss = ScoreLossBase &
  (
    | {
        /** A group of two is one pair (better, worse); a larger one lists its pairs. */
        readonly form: "bradley-terry";
        /** [2 per pair] completions of the batch, better one first; a group's loss is the mean over its pairs. */
        readonly pairs?: Int32Array;
        /** [groups] pairs of each group; with `pairs`. */
        readonly pairCounts?: Int32Array;
        /** [pairs] P(first is better), 1 when absent. */
        readonly labels?: Float64Array;
        /** [pairs] */
        readonly margins?: Float64Array;
        /**
         * [pairs] scale of each pair's comparison, not of its centring; the group's mean still counts every pair as one. 1 when
         * absent.
         */
        readonly pairWeights?: Float64Array;
        /** Coefficient of (r_c + r_r)^2. Default 0. */
        readonly centring?: number;
      }
    | Listwise
    | {
        readonly form: "rating";
        /** [completions] standardised; groups hold one completion. */
        readonly ratings: Float64Array;
      }
    | {
        /** Pairs with ties as outcomes of their own. */
        readonly form: "rao-kupper" | "davidson";
        /** [groups] 1: the first is better, 0.5: a tie, 0: the second is better. */
        readonly labels: Float64Array;
        /** eta: log theta (rao-kupper, above 0) or log nu (davidson). */
        readonly tieParameter: number;
      }
  );

interface ScoreLossBase extends LossOfGroups {
  readonly kind: "scores";
  /** [groups x heads] weight of a group for each head (bootstrap counts); 1 when absent. The loss is the mean over heads. */
  readonly headWeights?: Float64Array;
}

/**
 * What an importance ratio is taken of. "token": exp(lp - old) of each target. "sequence": exp of the completion's sum of
 * them, one term per completion (RLOO, arXiv 2402.14740). "sequence-mean": exp of their mean; every target of the
 * completion has the term (GSPO, arXiv 2507.18071).
 */
export type PolicyRatio = "token" | "sequence" | "sequence-mean";

/** Estimates of KL(policy || reference) at d = lp - reference: d, d^2 / 2, e^-d - 1 + d (Schulman). */
export type KlForm = "k1" | "k2" | "k3";

/**
 * A policy on samples of an earlier one: PPO, GRPO, RLOO, GSPO, CISPO. Loss of a target: the ratio's term + klWeight k(d) -
 * entropyWeight H; groups may hold any number of completions. All log-probs are those at `temperature`.
 * docs/losses.md, native/loss/policy_formula.h.
 */
export type PolicyLoss = PolicyLossBase &
  (
    | {
        /** max(-A min(rho, ratioCap), -A clip(rho, 1 - clipLow, 1 + clipHigh)) (arXiv 1707.06347). */
        readonly form: "clip";
        /** In [0, 1). */
        readonly clipLow: number;
        readonly clipHigh: number;
        /** GRPO's delta: bounds the ratio of a negative advantage. None when absent. */
        readonly ratioCap?: number;
      }
    | {
        /** -sg(min(rho, ratioCap)) A lp (CISPO, arXiv 2506.13585). */
        readonly form: "cispo";
        readonly ratioCap: number;
      }
  );

interface PolicyLossBase extends LossOfGroups {
  readonly kind: "policy";
  readonly ratio: PolicyRatio;
  /** [targets], or [completions] for ratios of sequences. */
  readonly advantages: Float64Array;
  /** [targets] log-probs under the policy that sampled. */
  readonly oldLogprobs: Float64Array;
  /**
   * [targets] log-probs when the update began, of samples that were stale by then: the ratio is taken to them and its term
   * multiplied by sg min(exp(start - old), 2).
   */
  readonly startLogprobs?: Float64Array;
  /** [targets]; needed where klWeight is above 0, else for the statistics only. */
  readonly referenceLogprobs?: Float64Array;
  /** GRPO's beta. Default 0. */
  readonly klWeight?: number;
  /** The gradient is that of the formula. Default "k3". */
  readonly klForm?: KlForm;
  /** Default 0. */
  readonly entropyWeight?: number;
  /** Divides the logits, as sampling did. Default 1, which greedy samples have too. */
  readonly temperature?: number;
  /** [completions] scale of a completion's terms: 1/n for means over its n tokens. 1 when absent. */
  readonly completionWeights?: Float64Array;
}

/**
 * Squared error of a value model's estimates V = w h + bias, at any number of targets per completion: V of a target is read
 * at the row that predicts its token, so batches are packed as for log-probs. A term is
 * 0.5 max((V - R)^2, (clip(V, old - clip, old + clip) - R)^2). Needs a model with one score head.
 */
export interface ValueLoss extends LossOfGroups {
  readonly kind: "value";
  /** [targets] R. */
  readonly returns: Float64Array;
  /** [targets] estimates of the rollout, bias included; needed with `clip`. */
  readonly oldValues?: Float64Array;
  /** Nothing is clipped when absent. */
  readonly clip?: number;
  /** b of the score head (`scoreNormalisation`), which is not trained. Default 0. */
  readonly bias?: number;
  /** [completions] scale of a completion's terms; 1 when absent. */
  readonly completionWeights?: Float64Array;
}

/** Losses of a step. */
export type LossSpec =
  | NllLoss
  | PairwiseLoss
  | ListwiseLoss
  | UnpairedLoss
  | ScoreLoss
  | PolicyLoss
  | ValueLoss;
