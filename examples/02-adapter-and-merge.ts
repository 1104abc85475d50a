// Train an adapter instead of the weights, load it beside its base, and merge it into a model that needs no adapter.
// Run: npx tsx examples/02-adapter-and-merge.ts [folder]

import { join } from "node:path";
import { createEngine, dpo } from "attune";
import { tinyWorld } from "./tiny-world.js";

const folder = process.argv[2] ?? "runs/example-02";
const world = await tinyWorld(join(folder, "world"));
const rows = [
  { prompt: "Ada: When do you close?\nClerk:", completion: " We close at six, so take your time." },
];

// With a path the run loads the model itself and lets it go at the end; the adapter is a PEFT folder.
const run = dpo({
  model: world.model,
  data: world.pairs,
  adapterRank: 8,
  batchSize: 16,
  learningRate: 2e-3,
  output: join(folder, "run"),
});
const { model: adapter } = await run.result;
console.log(`the adapter is in ${adapter}`);

await using engine = await createEngine();
const tuned = await engine.loadModel(world.model, { adapter });
console.log(`${tuned.trainableParameters} of ${tuned.parameters} numbers are the adapter's`);

const merged = join(folder, "merged");
await tuned.saveMerged(merged);
const whole = await engine.loadModel(merged);

const total = (values: readonly Float32Array[]) => values[0]?.reduce((sum, value) => sum + value, 0) ?? 0;
console.log(`log-prob with the adapter: ${total(await tuned.logprobs(rows)).toFixed(4)}`);
console.log(`log-prob after merging:    ${total(await whole.logprobs(rows)).toFixed(4)}`);
