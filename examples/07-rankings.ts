// Learn from rankings: several answers to a prompt in their order, two of them equally bad, measured on prompts set aside.
// Run: npx tsx examples/07-rankings.ts [folder]

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createEngine, dpo, sft } from "attune";
import { tinyWorld } from "./tiny-world.js";

const folder = process.argv[2] ?? "runs/example-07";
const world = await tinyWorld(join(folder, "world"));
const pairs = (await readFile(world.pairs, "utf8")).trim().split("\n");
const rankings = pairs.map((line) => {
  const { prompt, chosen, rejected } = JSON.parse(line) as Record<"prompt" | "chosen" | "rejected", string>;
  return { prompt, completions: [rejected, chosen, " Hm."], ranks: [2, 1, 2] };
});

await using engine = await createEngine();
const model = await engine.loadModel(world.model);
await sft({
  model,
  data: world.demonstrations,
  batchSize: 16,
  learningRate: 3e-3,
  output: join(folder, "sft"),
}).result;

// The order as a whole; "all-pairs" and "best-of-k" read the same rows.
const run = dpo({
  model,
  data: rankings,
  evalShare: 0.2,
  loss: "plackett-luce",
  ties: "average",
  batchSize: 16,
  learningRate: 1e-3,
  output: join(folder, "ranked"),
});
const { evaluation } = await run.result;
const share = (when: "first" | "last") => evaluation?.[when]["eval_rewards/accuracies"]?.toFixed(2);
console.log(`pairs in the right order: ${share("first")} before, ${share("last")} after`);
