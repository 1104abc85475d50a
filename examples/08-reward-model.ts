// From pairs to scores: an ensemble of heads learns what people prefer, then says how good an answer is and how sure it is.
// Run: npx tsx examples/08-reward-model.ts [folder]

import { join } from "node:path";
import { createEngine, reward } from "attune";
import { tinyWorld } from "./tiny-world.js";

const folder = process.argv[2] ?? "runs/example-08";
const world = await tinyWorld(join(folder, "world"));

// Rates of a real model are some hundred times smaller: leave learningRate out there.
const run = reward({
  model: world.model,
  data: world.pairs,
  evalShare: 0.2,
  heads: 5,
  epochs: 8,
  batchSize: 16,
  learningRate: 2e-3,
  output: join(folder, "reward"),
});
const { evaluation, model: trained } = await run.result;
const { first, last } = evaluation ?? {};
console.log(`accuracy on pairs it never saw: ${first?.eval_accuracy} -> ${last?.eval_accuracy}`);

await using engine = await createEngine();
await using judge = await engine.loadModel(trained);
const prompt = "Ida: How much is the red lamp?\nClerk:";
const rows = [
  { prompt, completion: " Gladly, it is nine coins for the red lamp." },
  { prompt, completion: " Not my job." },
];
// 0 is the mean of the better answers of the training rows. The cautious score is lower where the heads disagree.
const plain = await judge.score(rows);
const cautious = await judge.score(rows, { aggregate: "deviation", k: 1 });
for (const [i, { completion }] of rows.entries())
  console.log(`${plain[i]?.toFixed(2)} (cautious ${cautious[i]?.toFixed(2)}):${completion}`);
