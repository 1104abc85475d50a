// One process that answers and learns: POST /generate streams an answer, POST /feedback takes what people prefer, and
// every few judgements an adapter is trained while answers go on. Training runs on the engine's thread, so the server
// stays responsive; the next answers come from the newly trained adapter.
// Run: npx tsx examples/05-serve-and-train.ts [folder] [port]

import { join } from "node:path";
import { serve } from "@hono/node-server";
import { createEngine, dpo } from "attune";
import { Hono } from "hono";
import { streamText } from "hono/streaming";
import { tinyWorld } from "./tiny-world.js";

const folder = process.argv[2] ?? "runs/example-05";
const port = Number(process.argv[3] ?? 8080);
const pairsPerRun = 8;

const world = await tinyWorld(join(folder, "world"));
const engine = await createEngine();
const base = await engine.loadModel(world.model);
// Adapters share the weights of the base: the one that answers and the one that learns cost little more than one model.
let model = await base.addAdapter({ rank: 8 });

interface Pair {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}
const waiting: Pair[] = [];
let runs = 0;
let training: Promise<void> | undefined;

/** Trains on what has been gathered; the tuned adapter then takes over. */
async function train(pairs: readonly Pair[]): Promise<void> {
  runs += 1;
  const output = join(folder, `run-${runs}`);
  const start = join(folder, `start-${runs}`);
  await model.save(start);
  const learner = await base.addAdapter(start);
  await dpo({ model: learner, data: pairs, epochs: 20, batchSize: 4, learningRate: 1e-3, output }).result;
  // Answers that are being given keep the old adapter until they end; it goes away with the engine.
  model = learner;
}

const app = new Hono();

app.post("/generate", async (context) => {
  const { prompt } = await context.req.json<{ prompt: string }>();
  return streamText(context, async (stream) => {
    const signal = context.req.raw.signal;
    for await (const chunk of model.generate(prompt, { maxNewTokens: 32, temperature: 0.8, signal })) {
      await stream.write(chunk.text);
    }
  });
});

app.post("/feedback", async (context) => {
  waiting.push(await context.req.json<Pair>());
  if (waiting.length >= pairsPerRun && training === undefined) {
    training = train(waiting.splice(0)).finally(() => {
      training = undefined;
    });
    training.catch((error: unknown) => console.error("training failed:", error));
  }
  return context.json({ waiting: waiting.length, training: training !== undefined, runs });
});

app.get("/state", (context) =>
  context.json({ waiting: waiting.length, training: training !== undefined, runs }),
);

const server = serve({ fetch: app.fetch, port }, ({ port: bound }) => console.log(`listening on ${bound}`));

process.once("SIGTERM", async () => {
  server.close();
  await training;
  await engine.dispose();
});
