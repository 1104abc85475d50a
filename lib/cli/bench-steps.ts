// Whole steps of the embedded toy model: training steps through the public trainers, and sampling. What the package does
// around its kernels is in these times. Must not judge them.

import { join } from "node:path";
import { createEngine } from "../engine/index.js";
import { dpo, type SharedMetrics, sft, type TrainRun } from "../train/index.js";
import { cornerShop, writeTinyModel } from "../world/index.js";
import type { TimedRow } from "./bench-report.js";

export interface StepWork {
  /** Where models and runs may be written. */
  readonly folder: string;
  readonly device: "cpu" | "cuda";
  readonly threads: number | undefined;
  readonly quick: boolean;
}

type DType = "fp32" | "bf16";
const dtypes: readonly DType[] = ["fp32", "bf16"];
/** Rows of a step; sequences that are sampled at once, and their new tokens. */
const [rows, sequences, newTokens] = [16, 8, 32];

/** Warm-up comes first and is left out. */
export async function timeSteps(work: StepWork): Promise<readonly TimedRow[]> {
  const model = join(work.folder, "toy");
  await writeTinyModel({ folder: model, seed: 1 });
  const { pairs } = cornerShop({ seed: 1, count: rows });
  const timed: TimedRow[] = [];
  for (const dtype of dtypes) {
    const steps = work.quick ? 2 : 24;
    const shared = {
      model,
      dtype,
      device: work.device,
      ...(work.threads === undefined ? {} : { threads: work.threads }),
      batchSize: rows,
      // Every step has the same rows.
      epochs: steps,
      shuffle: false,
      schedule: "constant",
      tokenCache: "off",
    } as const;
    const output = (name: string) => join(work.folder, `${name}-${dtype}`);
    const demonstrations = pairs.map(({ prompt, chosen }) => ({ prompt, completion: chosen }));
    timed.push(
      await timeRun("sft step", dtype, sft({ ...shared, data: demonstrations, output: output("sft") })),
      // The reference is computed in every step, as in the first epoch of a run.
      await timeRun("dpo step", dtype, dpo({ ...shared, data: pairs, cache: "off", output: output("dpo") })),
      await timeSampling(work, model, dtype),
    );
  }
  return timed;
}

async function timeRun<Metrics extends SharedMetrics>(
  op: string,
  dtype: DType,
  run: TrainRun<Metrics>,
): Promise<TimedRow> {
  const steps: SharedMetrics[] = [];
  for await (const event of run) if (event.type === "step") steps.push(event.metrics);
  await run.result;
  const tokens = steps[0]?.tokens ?? 0;
  const ms = steps.slice(1).map(({ step_ms }) => step_ms);
  return { op, shape: `${rows} rows, ${tokens} tokens`, dtype, ms, flop: 0, bytes: 0, tokens };
}

async function timeSampling(
  { device, threads, quick }: StepWork,
  path: string,
  dtype: DType,
): Promise<TimedRow> {
  const engine = await createEngine({ device, ...(threads === undefined ? {} : { threads }) });
  try {
    const model = await engine.loadModel(path, { dtype });
    const prompts = Array.from({ length: sequences }, (_, row) =>
      Int32Array.from({ length: 16 }, (__, i) => (row + 7 * i) % 128),
    );
    const ms: number[] = [];
    for (let i = 0; i <= (quick ? 1 : 12); i++) {
      const began = performance.now();
      const options = { maxNewTokens: newTokens, stopTokens: [], batchSize: sequences };
      const generation = await model.startGeneration(prompts, options);
      while ((await generation.next()) !== undefined);
      await generation.dispose();
      if (i > 0) ms.push(performance.now() - began);
    }
    const shape = `${sequences} x ${newTokens} tokens`;
    return { op: "sampling", shape, dtype, ms, flop: 0, bytes: 0, tokens: sequences * newTokens };
  } finally {
    await engine.dispose();
  }
}
