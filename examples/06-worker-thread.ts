// An engine in a worker thread: the application's thread sends prompts and gets answers. The heavy work is on the
// engine's own threads anyway; a worker keeps tokenising and bookkeeping away too. Each worker has its own engine.
// Run: npx tsx examples/06-worker-thread.ts [folder]

import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { createEngine, type Model } from "attune";
import { tinyWorld } from "./tiny-world.js";

interface Request {
  readonly id: number;
  readonly prompt: string;
}
interface Reply {
  readonly id: number;
  readonly text: string;
}

if (isMainThread) await application();
else await answering(workerData as string);

async function application(): Promise<void> {
  const folder = process.argv[2] ?? "runs/example-06";
  const world = await tinyWorld(join(folder, "world"));
  // In JavaScript: new Worker(new URL(import.meta.url), { workerData: world.model }). Workers of Node 20 do not inherit the
  // loader of TypeScript, so this one registers it before it imports this file.
  const start = `import("tsx/esm/api").then(({ register }) => { register(); return import("${import.meta.url}"); });`;
  const worker = new Worker(start, { eval: true, workerData: world.model });
  const prompts = ["Ada: When do you close?\nClerk:", "Finn: I need a blue teapot.\nClerk:"];
  for (const [id, prompt] of prompts.entries()) worker.postMessage({ id, prompt } satisfies Request);
  for (let answered = 0; answered < prompts.length; answered++) {
    const { id, text } = await new Promise<Reply>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    console.log(`answer to prompt ${id}: ${text.length} characters`);
  }
  await worker.terminate();
  console.log("done");
}

async function answering(path: string): Promise<void> {
  await using engine = await createEngine({ threads: 1 });
  const model = await engine.loadModel(path);
  for await (const request of requests()) parentPort?.postMessage(await answer(model, request));
}

async function answer(model: Model, { id, prompt }: Request): Promise<Reply> {
  const [completion] = await model.complete(prompt, { maxNewTokens: 16, seed: id });
  return { id, text: completion?.text ?? "" };
}

/** What the application sends, in order. */
async function* requests(): AsyncGenerator<Request> {
  const waiting: Request[] = [];
  let wake = () => {};
  parentPort?.on("message", (request: Request) => {
    waiting.push(request);
    wake();
  });
  for (;;) {
    const next = waiting.shift();
    if (next !== undefined) yield next;
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}
