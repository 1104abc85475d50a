// The main job on the toy world: write a tiny model and rows, imitate, then prefer; measured on rows nobody trained on.
// Must not print.

import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createEngine } from "../engine/index.js";
import { makeFolder, removeMade } from "../engine/make-folder.js";
import { fail, reasonOf } from "../errors/index.js";
import {
  type DpoMetrics,
  dpo,
  type SftMetrics,
  sft,
  type TrainEvent,
  type TrainResult,
  type TrainRun,
} from "../train/index.js";
import { cornerShop } from "./corner-shop.js";
import { demonstrationLoss, pairAccuracy } from "./measure.js";
import { writeTinyModel } from "./tiny-model.js";

export interface QuickstartOptions {
  /** Receives everything: start model, rows, the two runs. Must not exist yet, or be empty. */
  readonly output: string;
  readonly seed: number;
  readonly threads?: number;
  readonly onEvent?: (stage: "sft" | "dpo", event: TrainEvent<SftMetrics> | TrainEvent<DpoMetrics>) => void;
  /** Told about each run when it starts, so that it can be stopped. */
  readonly onRun?: (run: { stop(): Promise<unknown> }) => void;
}

/** Before and after, on rows that were held out. */
export interface QuickstartResult {
  readonly status: "done" | "interrupted";
  readonly output: string;
  /** The final model. */
  readonly model: string;
  /** Nats per token of demonstrations: start model, after SFT. */
  readonly loss: { readonly before: number; readonly after: number };
  /** Share of pairs in which the better answer is likelier per token: after SFT, after DPO. */
  readonly accuracy: { readonly before: number; readonly after: number };
  /** Share of pairs of the last DPO step whose reward favours the chosen answer. */
  readonly rewardAccuracy: number;
  readonly seconds: number;
}

const rows = { training: 320, heldOut: 80 };
const heldOutSeed = 1_000_003;

/** Writes the world, trains twice, measures. @throws ATTUNE_OUTPUT_EXISTS when `output` holds something */
export async function quickstart(options: QuickstartOptions): Promise<QuickstartResult> {
  const started = performance.now();
  const { output, seed } = options;
  const paths = await writeWorld(output, seed);
  const heldOut = cornerShop({ seed: seed + heldOutSeed, count: rows.heldOut });
  const engine = await createEngine({
    device: "auto",
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  try {
    const model = await engine.loadModel(paths.model, { dtype: "fp32" });
    const lossBefore = await demonstrationLoss({ model, data: heldOut.demonstrations });
    const imitation = sft({
      ...trainingSettings.sft,
      model,
      data: paths.demonstrations,
      evalData: heldOut.demonstrations,
      output: paths.sft,
      seed,
    });
    const imitated = await followRun("sft", imitation, options);
    const lossAfter = await demonstrationLoss({ model, data: heldOut.demonstrations });
    const accuracyBefore = await pairAccuracy({ model, data: heldOut.pairs });
    if (imitated.status === "interrupted") {
      const accuracy = { before: accuracyBefore, after: accuracyBefore };
      const loss = { before: lossBefore, after: lossAfter };
      return {
        ...ended(started),
        status: "interrupted",
        output,
        model: imitated.model,
        loss,
        accuracy,
        rewardAccuracy: 0,
      };
    }
    const pairs = { data: paths.pairs, evalData: heldOut.pairs };
    const preference = dpo({ ...trainingSettings.dpo, ...pairs, model, output: paths.dpo, seed });
    const preferred = await followRun("dpo", preference, options);
    return {
      ...ended(started),
      status: preferred.status,
      output,
      model: preferred.model,
      loss: { before: lossBefore, after: lossAfter },
      accuracy: {
        before: accuracyBefore,
        after: await pairAccuracy({ model, data: heldOut.pairs }),
      },
      rewardAccuracy: preferred.last["rewards/accuracies"],
    };
  } finally {
    await engine.dispose();
  }
}

/** What a report of the runs shows: answers before and after, and a few evaluations between. */
const shown = { logEvery: 5, sampleEvery: 1000, samplePrompts: 2, sampleTokens: 40 } as const;

/** A tiny model from random weights learns with rates far above those of a trained one. */
const trainingSettings = {
  sft: {
    ...shown,
    epochs: 10,
    batchSize: 16,
    learningRate: 3e-3,
    schedule: "cosine",
    warmupRatio: 0.05,
    evalEvery: 40,
  },
  dpo: {
    ...shown,
    epochs: 3,
    batchSize: 16,
    learningRate: 5e-4,
    schedule: "linear",
    beta: 0.1,
    evalEvery: 15,
  },
} as const;

function ended(started: number): { readonly seconds: number } {
  return { seconds: (performance.now() - started) / 1000 };
}

async function followRun<Metrics extends SftMetrics | DpoMetrics>(
  stage: "sft" | "dpo",
  run: TrainRun<Metrics>,
  { onEvent, onRun }: QuickstartOptions,
): Promise<TrainResult<Metrics>> {
  onRun?.(run);
  for await (const event of run) onEvent?.(stage, event as TrainEvent<SftMetrics> | TrainEvent<DpoMetrics>);
  return run.result;
}

async function writeWorld(output: string, seed: number) {
  const paths = {
    model: join(output, "start-model"),
    demonstrations: join(output, "demonstrations.jsonl"),
    pairs: join(output, "pairs.jsonl"),
    sft: join(output, "sft"),
    dpo: join(output, "dpo"),
  };
  for (const path of Object.values(paths)) {
    if (!existsSync(path)) continue;
    throw fail(
      "ATTUNE_OUTPUT_EXISTS",
      `Expected output to be a new folder, but ${path} exists already. Choose another.`,
    );
  }
  const shop = cornerShop({ seed, count: rows.training });
  const lines = (items: readonly object[]) => items.map((item) => `${JSON.stringify(item)}\n`).join("");
  let made: readonly string[] = [];
  try {
    made = makeFolder(resolve(output));
    await writeTinyModel({ folder: paths.model, seed, tokens: "words" });
    await writeFile(paths.demonstrations, lines(shop.demonstrations));
    await writeFile(paths.pairs, lines(shop.pairs));
  } catch (error) {
    // None of them was there before.
    for (const path of Object.values(paths)) await rm(path, { recursive: true, force: true });
    removeMade(made);
    const advice = "Choose a folder that you may write, with enough free space.";
    throw fail("ATTUNE_OUTPUT", `Cannot write the output folder ${output}: ${reasonOf(error)}. ${advice}`, {
      cause: error,
    });
  }
  return paths;
}
