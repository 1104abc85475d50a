// A world for loops on the engine: a tiny model that answers in random words of the toy world, and people who like words of
// the first half of the alphabet. Must not start a loop.

import type { Engine } from "../../lib/engine/index.js";
import { type SimulatedRater, simulatedRater } from "../../lib/feedback/index.js";
import { writeTinyModel } from "../../lib/world/index.js";

export const generation = { maxNewTokens: 8 } as const;

export const loopPrompts = Array.from(
  { length: 40 },
  (_, i) => `${"Ada Ben Chloe Dan".split(" ")[i % 4]}: ${i}?`,
);

const shared = { batchSize: 8, learningRate: 1e-2, schedule: "constant", logEvery: 10 } as const;

/** A few steps, each of which is felt. */
export const trainers = {
  dpo: { ...shared, epochs: 2 },
  kto: { ...shared, epochs: 3, learningRate: 2e-3 },
  reward: { ...shared, batchSize: 4, epochs: 4, learningRate: 1e-3 },
  ppo: { ...shared, epochs: 2, learningRate: 1e-3, missingEos: "none" },
} as const;

/** Log-odds: words of the first half of the alphabet are liked. */
export function wordWorth(text: string): number {
  const letters = text.toLowerCase().match(/\b[a-z]/g) ?? [];
  return letters.reduce((sum, letter) => sum + (letter < "m" ? 1 : -1), 0);
}

export function wordRaters(count: number): readonly SimulatedRater[] {
  const worth = (_: unknown, answer: unknown) => wordWorth(String(answer));
  return Array.from({ length: count }, (_, number) => simulatedRater({ seed: 2, number, worth }));
}

/** A folder with a model of random weights. */
export async function wordModel(folder: string): Promise<string> {
  await writeTinyModel({ folder, seed: 3, tokens: "words" });
  return folder;
}

/** What people think of a policy's answers. */
export async function meanWorth(engine: Engine, place: string): Promise<number> {
  const model = await engine.loadModel(place);
  try {
    const answers = await model.complete([...loopPrompts], { ...generation, samples: 4, seed: 5 });
    return answers.reduce((sum, { text }) => sum + wordWorth(text), 0) / answers.length;
  } finally {
    await model.dispose();
  }
}

/** A folder with a reward model that knows nothing yet: two heads on a policy. */
export async function wordRewardModel(engine: Engine, policy: string, folder: string): Promise<string> {
  const model = await engine.loadModel(policy, { scoreHead: { heads: 2, seed: 4 } });
  try {
    await model.save(folder);
    return folder;
  } finally {
    await model.dispose();
  }
}
