// Prompts to a whole rollout: samples, what reference and value model say of them, scores.
// Must not train, and must not choose prompts.

import type { Tokenizer } from "../text/index.js";
import type { Rollout } from "./rollout.js";
import type { RolloutPrompt } from "./rollout-prompts.js";
import { type SampleRollout, sampleRollout } from "./sample-rollout.js";
import { namedSources, type RewardSources, scoreRollout } from "./score-rollout.js";

export interface CollectRollout extends SampleRollout {
  readonly prompts: readonly RolloutPrompt[];
  readonly rewards: RewardSources;
  /** The policy's. */
  readonly tokenizer: Tokenizer;
}

/**
 * Samples `sampling.samples` answers to every prompt and scores them. The same policy, prompts, options and seed give the same
 * bits, whatever `batchSize`, `microBatchTokens` and the number of threads are. Throws ATTUNE_REWARD naming the source, and
 * what `sampleRollout` throws; reward sources are checked before anything is sampled.
 */
export async function collectRollout(options: CollectRollout): Promise<Rollout> {
  namedSources(options.rewards);
  return scoreRollout({ ...options, rollout: await sampleRollout(options) });
}
