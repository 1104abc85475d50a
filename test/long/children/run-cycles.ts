// Loads, trains and lets go of a tiny model many times and prints how resident memory grew, in bytes:
// `run-cycles.ts FOLDER COUNT`, under --expose-gc. Every other run trains an adapter.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { dpo } from "../../../lib/train/index.js";
import { pairs } from "../../train/training-rows.js";

const [folder = "", count = "0"] = process.argv.slice(2);

async function cycle(index: number): Promise<void> {
  const output = join(folder, "run");
  const kind = index % 2 === 0 ? {} : { adapterRank: 8 };
  const shared = {
    model: join(folder, "model"),
    data: pairs,
    output,
    batchSize: 2,
    saveEvery: 1,
    threads: 2,
  };
  await dpo({ ...shared, ...kind }).result;
  rmSync(output, { recursive: true });
}

async function resident(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await setTimeout(20);
  }
  return process.memoryUsage.rss();
}

// The first ones fill caches of code and of the allocator.
for (let i = 0; i < 20; i++) await cycle(i);
const before = await resident();
for (let i = 0; i < Number(count); i++) await cycle(i);
console.log((await resident()) - before);
