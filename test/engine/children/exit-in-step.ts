// A process that ends itself in the middle of a training step: `exit-in-step.ts FOLDER MILLISECONDS [ROWS]`.
// Run by teardown.test.ts, which looks at the exit code.

import { createEngine } from "../../../lib/engine/index.js";
import { demonstrations } from "../../support/packed-rows.js";

const [folder = "", delay = "0", rows = "60"] = process.argv.slice(2);
const engine = await createEngine({ threads: 2 });
const model = await engine.loadModel(folder);
const batch = demonstrations(Number(rows), Number(rows), Number(rows));
console.log(`on ${engine.device}`);
const settled: string[] = [];
model.step(batch, { kind: "nll", normaliser: batch.counts.targets }).then(
  () => settled.push("resolved"),
  () => settled.push("rejected"),
);
setTimeout(() => {
  // A step that was over already would prove nothing.
  process.exit(settled.length === 0 ? 7 : 8);
}, Number(delay));
