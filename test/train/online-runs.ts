// Prompts, rewards and options for tests of PPO on a tiny model. Must not start a run.

import type { RewardSample } from "../../lib/rollout/index.js";
import type { PpoOptions } from "../../lib/train/index.js";
import type { Place } from "./training-rows.js";

export const questions = [
  { prompt: "What are apples?" },
  { prompt: "Name a cheese." },
  { prompt: "Why is the sky blue?" },
  { prompt: "Who sings?" },
];

/** Of each answer the share of ids below 64, which a policy can learn within a few steps. */
export function lowIds(samples: readonly RewardSample[]): number[] {
  return samples.map(({ completion }) => completion.filter((id) => id < 64).length / completion.length);
}

/** Short runs of real optimiser steps: a step is 8 answers in 2 x 2 minibatches. The tiny model hardly ever ends an answer. */
export function ppoOptions(place: Place, more: Partial<PpoOptions> = {}): PpoOptions {
  return {
    model: place.model,
    data: questions,
    output: place.output(),
    rewards: lowIds,
    valueModel: "policy",
    missingEos: "none",
    maxSteps: 4,
    epochs: 100,
    batchSize: 4,
    samples: 2,
    maxNewTokens: 5,
    temperature: 1,
    updateEpochs: 2,
    minibatches: 2,
    learningRate: 3e-3,
    schedule: "constant",
    threads: 1,
    ...more,
  };
}
