// Starts workers one after another and terminates each in the middle of a training step:
// `terminate-in-step.ts FOLDER TIMES [ROWS]`. Run by teardown.test.ts, which reads the last line.

import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { createEngine } from "../../../lib/engine/index.js";
import { demonstrations } from "../../support/packed-rows.js";

if (isMainThread) {
  const [folder, times = "1", rows = "60"] = process.argv.slice(2);
  let terminated = 0;
  for (let i = 0; i < Number(times); i++) {
    const worker = new Worker(new URL("typescript-worker.mjs", import.meta.url), {
      workerData: { file: import.meta.url, folder, rows: Number(rows) },
    });
    const messages: unknown[] = [];
    worker.on("message", (message: unknown) => messages.push(message));
    await once(worker, "message");
    await setTimeout(1 + (i % 10) * 3);
    await worker.terminate();
    // The step must not have ended before the worker did.
    if (messages.length === 1) terminated += 1;
  }
  // This thread's own engine still works beside the dead ones.
  await using engine = await createEngine({ threads: 2 });
  const model = await engine.loadModel(folder ?? "");
  const small = demonstrations(1);
  const { loss } = await model.step(small, { kind: "nll", normaliser: small.counts.targets });
  console.log(`terminated ${terminated}, then a loss of ${Number.isFinite(loss) ? "some" : "no"} value`);
} else {
  const { folder, rows } = workerData;
  const engine = await createEngine({ threads: 2 });
  const model = await engine.loadModel(folder);
  const batch = demonstrations(rows, rows, rows);
  const pending = model.step(batch, { kind: "nll", normaliser: batch.counts.targets });
  parentPort?.postMessage("stepping");
  await pending;
  parentPort?.postMessage("ended");
}
