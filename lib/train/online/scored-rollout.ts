// What becomes of a rollout's scores before anything is learned from them: missing EOS, clipping, running normalisation.
// Must not know an algorithm.

import {
  clipScores,
  completionMetrics,
  endedOf,
  type Numbers,
  noMoments,
  normaliseScores,
  type Rollout,
  type RunningMoments,
  rewardMetrics,
  treatMissingEos,
  withScores,
} from "../../rollout/index.js";
import type { OnlineSettings } from "./online-settings.js";

export class ScoreTreatment {
  readonly #settings: OnlineSettings;
  #moments: RunningMoments = noMoments;

  constructor(settings: OnlineSettings) {
    this.#settings = settings;
  }

  /** Part of a checkpoint: plain JSON. */
  get state(): RunningMoments {
    return this.#moments;
  }

  restore(moments: RunningMoments): void {
    this.#moments = moments;
  }

  /** [samples] NaN where no source gave a score. */
  treated(rollout: Rollout): Float64Array {
    const {
      missingEos,
      missingEosValue: value,
      clipScores: limit,
      normaliseScores: normalise,
    } = this.#settings;
    const ended = endedOf(rollout);
    const own = value === undefined ? {} : { value };
    let scores = treatMissingEos({ scores: rollout.scores, ended, treatment: missingEos, ...own });
    if (limit !== undefined) scores = clipScores(scores, limit);
    if (!normalise) return scores;
    this.#moments = withScores(this.#moments, scores);
    return normaliseScores(scores, this.#moments);
  }
}

/** Metrics of a rollout that every algorithm logs. `scores`: [samples] after their treatment. */
export function rolloutMetrics(rollout: Rollout, scores: Numbers) {
  return { ...rewardMetrics(rollout, scores), ...completionMetrics(rollout) };
}
