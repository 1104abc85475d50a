// Loads a model file and prints, as JSON, the time and the growth of this process's own memory: `load-memory.ts FILE DTYPE`.
// Run by load-memory.test.ts in a process of its own, under --expose-gc.

import { readFileSync } from "node:fs";
import { createEngine } from "../../../lib/engine/index.js";
import { loadTokenizer } from "../../../lib/text/index.js";

const [file = "", dtype = ""] = process.argv.slice(2);

function anonymousBytes(): number {
  globalThis.gc?.();
  return 1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

const engine = await createEngine({ threads: 2 });
const before = anonymousBytes();
const started = performance.now();
const model = await engine.loadModel(file, { dtype: dtype === "bf16" ? "bf16" : "fp32" });
const milliseconds = performance.now() - started;
const loaded = anonymousBytes();
const tokenizer = await loadTokenizer({ path: file });
const { length } = tokenizer.encode("a text");
const { weightsBf16, weightsFp32 } = model.memory();
console.log(
  JSON.stringify({
    milliseconds,
    weights: weightsBf16 + weightsFp32,
    grown: loaded - before,
    tokenizer: anonymousBytes() - loaded,
    tokens: length,
  }),
);
await engine.dispose();
