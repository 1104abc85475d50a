// Sample from a model: stream one answer token by token, take several at once, stop early.
// Run: npx tsx examples/03-generate-streaming.ts [folder]

import { join } from "node:path";
import { createEngine } from "attune";
import { tinyWorld } from "./tiny-world.js";

const folder = process.argv[2] ?? "runs/example-03";
const world = await tinyWorld(join(folder, "world"));
await using engine = await createEngine();
const model = await engine.loadModel(world.model);
const prompt = "Ben: Do you sell a red lamp?\nClerk:";

// Text arrives as it is sampled; a character is never cut in two. The weights are random, and so is the text.
for await (const chunk of model.generate(prompt, { maxNewTokens: 24, temperature: 0.7, seed: 1 })) {
  process.stdout.write(chunk.text);
}
console.log();

// Many prompts and several samples of each are decoded together; each comes with its log-probs.
const answers = await model.complete([prompt, "Ema: My kettle is broken.\nClerk:"], {
  maxNewTokens: 16,
  samples: 2,
  seed: 2,
});
for (const { prompt: number, sample, ids, finish, logprobs } of answers) {
  const sum = logprobs.reduce((total, value) => total + value, 0);
  console.log(
    `prompt ${number} sample ${sample}: ${ids.length} tokens, ${finish}, log-prob ${sum.toFixed(2)}`,
  );
}

// Leaving the loop, or an AbortSignal, frees everything at once.
let tokens = 0;
for await (const chunk of model.generate(prompt, { maxNewTokens: 200, seed: 3, stopTokens: [] })) {
  tokens += chunk.ids.length;
  if (tokens >= 10) break;
}
console.log(`stopped after ${tokens} tokens`);
