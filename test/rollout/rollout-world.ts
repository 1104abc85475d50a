// Tiny models and prompts for tests of rollouts. Must not collect any.

import { join } from "node:path";
import type { Engine, Model } from "../../lib/engine/index.js";
import { openPrompts, type RolloutPrompt } from "../../lib/rollout/index.js";
import type { Tokenizer } from "../../lib/text/index.js";
import { writeTinyModel } from "../support/tiny-model.js";

export interface RolloutWorld {
  readonly policy: Model;
  readonly reference: Model;
  /** One score head with a bias: a reward model, and the value model. */
  readonly reward: Model;
  readonly tokenizer: Tokenizer;
  readonly prompts: readonly RolloutPrompt[];
}

/** Of unequal length; the columns beside them go to reward functions. */
export const promptRows = [
  { prompt: "What are apples?", topic: "fruit" },
  { prompt: "Name a cheese.", topic: "cheese" },
  { prompt: "Why is the sky blue on a day without any clouds?", topic: "sky" },
];

export async function openRolloutWorld(engine: Engine, folder: string): Promise<RolloutWorld> {
  const at = (name: string) => join(folder, name);
  writeTinyModel({ folder: at("policy"), seed: 4 });
  writeTinyModel({ folder: at("reference"), seed: 5 });
  writeTinyModel({ folder: at("reward"), kind: "reward", seed: 6 });
  const policy = await engine.loadModel(at("policy"));
  const reward = await engine.loadModel(at("reward"));
  reward.scoreNormalisation = { bias: [0.75], mean: [0], std: [1], count: 1, dataHash: "", unitStd: false };
  const tokenizer = await policy.tokenizer();
  const { prompts } = await openPrompts({ data: promptRows, tokenizer });
  return { policy, reference: await engine.loadModel(at("reference")), reward, tokenizer, prompts };
}
