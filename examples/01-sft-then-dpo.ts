// Imitate first, then prefer: SFT on demonstrations, DPO on pairs, one model in memory all the way.
// Run: npx tsx examples/01-sft-then-dpo.ts [folder]

import { join } from "node:path";
import { createEngine, dpo, sft } from "attune";
import { tinyWorld } from "./tiny-world.js";

const folder = process.argv[2] ?? "runs/example-01";
const world = await tinyWorld(join(folder, "world"));

await using engine = await createEngine();
// A loaded model is trained in place: DPO starts where SFT ended. Weights and rates of a real model are other ones.
const model = await engine.loadModel(world.model, { dtype: "fp32" });

const imitation = sft({
  model,
  data: world.demonstrations,
  epochs: 4,
  batchSize: 16,
  learningRate: 3e-3,
  output: join(folder, "sft"),
});
for await (const event of imitation) {
  if (event.type === "step" && event.step % 10 === 0)
    console.log(`sft ${event.step}: loss ${event.metrics.loss}`);
}

const preference = dpo({
  model,
  data: world.pairs,
  batchSize: 16,
  learningRate: 5e-4,
  beta: 0.1,
  output: join(folder, "dpo"),
});
const { first, last, model: trained } = await preference.result;
console.log(`dpo: reward accuracy ${first["rewards/accuracies"]} -> ${last["rewards/accuracies"]}`);
console.log(`the trained model is in ${trained}`);
