// Stop a run in the middle and go on later, as if nothing had happened: the weights are the same, bit for bit.
// Run: npx tsx examples/04-stop-and-resume.ts [folder]

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dpo } from "attune";
import { tinyWorld } from "./tiny-world.js";

const folder = process.argv[2] ?? "runs/example-04";
const world = await tinyWorld(join(folder, "world"));
const options = {
  model: world.model,
  data: world.pairs,
  adapterRank: 4,
  epochs: 2,
  batchSize: 16,
  learningRate: 1e-3,
} as const;

// A run that nobody disturbs.
const whole = await dpo({ ...options, output: join(folder, "whole") }).result;

// The same run, stopped after a few steps: stop() finishes the step and writes a checkpoint, as Ctrl-C does.
const stopped = dpo({ ...options, output: join(folder, "stopped") });
for await (const event of stopped) {
  if (event.type === "step" && event.step === 5) void stopped.stop();
}
console.log(`${(await stopped.result).status} after ${(await stopped.result).steps} steps`);

// Later, perhaps in another process: the same options and `resume`.
const resumed = await dpo({ ...options, output: join(folder, "stopped"), resume: true }).result;
console.log(`${resumed.status} after ${resumed.steps} steps`);

const weights = (result: { readonly model: string }) =>
  readFile(join(result.model, "adapter_model.safetensors"));
const same = (await weights(whole)).equals(await weights(resumed));
console.log(`the same weights: ${same}`);
