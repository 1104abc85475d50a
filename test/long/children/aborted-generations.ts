// Starts and aborts generations over and over and prints the growth of this process's own memory in bytes:
// `aborted-generations.ts FOLDER COUNT`. Run by aborted-generations.test.ts in a process of its own, under --expose-gc.

import { readFileSync } from "node:fs";
import { createEngine } from "../../../lib/engine/index.js";

const [folder = "", count = ""] = process.argv.slice(2);

function residentBytes(): number {
  globalThis.gc?.();
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

const engine = await createEngine({ threads: 2 });
const model = await engine.loadModel(folder);
const options = { samples: 8, maxNewTokens: 100, stopTokens: [] };

/** Half of them are aborted while a step runs, half by leaving the loop; each at another token. */
async function abortOne(i: number): Promise<number> {
  const controller = new AbortController();
  let tokens = 0;
  try {
    for await (const _ of model.generate(["One", "Two two"], { ...options, signal: controller.signal })) {
      tokens += 1;
      if (tokens < 1 + (i % 60)) continue;
      if (i % 2 === 0) break;
      setImmediate(() => controller.abort());
    }
  } catch (error) {
    if (error !== controller.signal.reason) throw error;
  }
  return tokens;
}

let tokens = 0;
// The heap and the compiler settle first.
for (let i = 0; i < 300; i++) await abortOne(i);
const before = residentBytes();
for (let i = 0; i < Number(count); i++) tokens += await abortOne(i);
console.log(JSON.stringify({ grown: residentBytes() - before, tokens }));
await engine.dispose();
