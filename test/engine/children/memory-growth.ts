// Loads, trains and lets go of models many times and prints how the process's own memory grew, in MiB:
// `memory-growth.ts FOLDER dispose|forget`, under --expose-gc. Run by teardown.test.ts.

import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { createEngine, type Engine } from "../../../lib/engine/index.js";
import { demonstrations } from "../../support/packed-rows.js";

const [folder = "", way = "dispose"] = process.argv.slice(2);
const batch = demonstrations(2);

function anonymousMebibytes(): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
}

async function useOnce(engine: Engine): Promise<void> {
  const model = await engine.loadModel(folder);
  await model.step(batch, { kind: "nll", normaliser: batch.counts.targets });
  await model.update({ learningRate: 1e-3 });
  if (way === "dispose") await model.dispose();
}

async function collect(): Promise<void> {
  // Finalizers run in a later turn, and the weights go on the command thread.
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await setTimeout(20);
  }
}

const engine = await createEngine({ threads: 2 });
for (let i = 0; i < 4; i++) await useOnce(engine);
await collect();
const before = anonymousMebibytes();
for (let i = 0; i < 25; i++) {
  await useOnce(engine);
  if (way === "forget") await collect();
}
await collect();
console.log(Math.round(anonymousMebibytes() - before));
