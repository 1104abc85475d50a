// Thumbs up and down: a service writes down what people said of single answers, and KTO learns from it.
// Run: npx tsx examples/09-thumbs.ts [folder]

import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { kto } from "attune";
import { tinyWorld } from "./tiny-world.js";

const folder = process.argv[2] ?? "runs/example-09";
const world = await tinyWorld(join(folder, "world"));
const thumbs = join(folder, "thumbs.jsonl");

/** What a service does on each click: one line per answer, no pairs, in whatever order people come. */
async function thumb(prompt: string, completion: string, label: boolean): Promise<void> {
  await appendFile(thumbs, `${JSON.stringify({ prompt, completion, label })}\n`);
}

// People of the toy world: some saw a good answer, some a bad one, nobody two of the same question.
const lines = (await readFile(world.pairs, "utf8")).trimEnd().split("\n");
for (const [i, line] of lines.entries()) {
  const { prompt, chosen, rejected } = JSON.parse(line);
  const isGood = i % 2 === 0;
  await thumb(prompt, isGood ? chosen : rejected, isGood);
}

const run = kto({
  model: world.model,
  data: thumbs,
  batchSize: 16,
  epochs: 3,
  // The rate of a real model is about 1e-6.
  learningRate: 1e-4,
  output: join(folder, "run"),
});
for await (const event of run) {
  if (event.type !== "start") continue;
  console.log(`${event.rows.desirable} thumbs up, ${event.rows.undesirable} down`);
}
const { first, last, model } = await run.result;
console.log(
  `reward margin ${first["rewards/margins"]?.toFixed(3)} -> ${last["rewards/margins"]?.toFixed(3)}`,
);
console.log(`KL to the start: ${last.kl?.toFixed(3)}`);
console.log(`the trained model is in ${model}`);
