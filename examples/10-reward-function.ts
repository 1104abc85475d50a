// Reinforcement learning with a function as reward: a clerk learns to help gladly, from eight answers of its own to each question.
// Run: npx tsx examples/10-reward-function.ts [folder]

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createEngine, grpo, type RewardFunction, sft } from "attune";
import { tinyWorld } from "./tiny-world.js";

const folder = process.argv[2] ?? "runs/example-10";
const world = await tinyWorld(join(folder, "world"));
const lines = (await readFile(world.demonstrations, "utf8")).trimEnd().split("\n");
const prompts = lines.slice(0, 64).map((line) => ({ prompt: JSON.parse(line).prompt as string }));

await using engine = await createEngine();
const model = await engine.loadModel(world.model);
// Half of the clerks that it imitates are rude.
await sft({
  model,
  data: world.demonstrations,
  epochs: 10,
  batchSize: 16,
  learningRate: 3e-3,
  output: join(folder, "sft"),
}).result;

/** All answers of a rollout at once; it may be async, and ask another service. */
const gladly: RewardFunction = (samples) =>
  samples.map(({ text, finish }) => Number(text.startsWith(" Gladly,") && finish === "stop"));

const run = grpo({
  model,
  data: prompts,
  rewards: gladly,
  samples: 8,
  batchSize: 8,
  epochs: 3,
  maxNewTokens: 64,
  // The rate of a real model is about 1e-6.
  learningRate: 1e-3,
  schedule: "constant",
  output: join(folder, "grpo"),
});
for await (const event of run) {
  if (event.type === "step" && event.step % 4 === 0)
    console.log(`step ${event.step}: reward ${event.metrics.reward?.toFixed(2)}`);
}
const { first, last, model: trained } = await run.result;
console.log(`reward ${first.reward?.toFixed(2)} -> ${last.reward?.toFixed(2)}`);
console.log(`the trained model is in ${trained}`);
