// `npm run bench ppo -- --model PATH --reward-model DIR --prompts FILE`: whole iterations of PPO on a real model, split into rollout,
// scoring and update, as one JSON line. The prompts are JSON lines with `prompt_ids`. Must not assert anything.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../lib/cli/bench-numbers.js";
import { type PpoMetrics, ppo } from "../lib/train/index.js";
import { machineLine } from "../lib/train/machine.js";
import { countOf, dtypeOf } from "./arguments.js";

/** Every answer has `new` tokens, so that both sides of a comparison do the same work. */
export async function benchPpo(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string" },
      "reward-model": { type: "string" },
      prompts: { type: "string" },
      new: { type: "string", default: "48" },
      minibatch: { type: "string", default: "8" },
      iterations: { type: "string", default: "3" },
      dtype: { type: "string", default: "fp32" },
      "adapter-rank": { type: "string" },
      "micro-batch-tokens": { type: "string" },
      threads: { type: "string", default: "2" },
      "learning-rate": { type: "string", default: "1e-6" },
    },
  });
  const { model, prompts: file } = values;
  const rewardModel = values["reward-model"];
  if (model === undefined || file === undefined || rewardModel === undefined)
    throw new Error("bench ppo needs --model PATH, --reward-model DIR and --prompts FILE");
  const prompts = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => ({ prompt: (JSON.parse(line) as { prompt_ids: number[] }).prompt_ids }));
  const dtype = dtypeOf(values.dtype);
  const output = mkdtempSync(join(tmpdir(), "attune-bench-"));
  const rank = values["adapter-rank"];
  const tokens = values["micro-batch-tokens"];
  const steps: PpoMetrics[] = [];
  try {
    const run = ppo({
      model,
      data: prompts,
      rewardModel: [rewardModel],
      output: join(output, "run"),
      batchSize: prompts.length,
      minibatches: Math.ceil(prompts.length / Number(values.minibatch)),
      updateEpochs: 1,
      epochs: Number(values.iterations),
      maxNewTokens: Number(values.new),
      temperature: 1,
      ignoreEos: true,
      missingEos: "none",
      schedule: "constant",
      shuffle: false,
      learningRate: Number(values["learning-rate"]),
      dtype,
      threads: countOf("--threads", values.threads),
      ...(rank === undefined ? {} : { adapterRank: Number(rank) }),
      ...(tokens === undefined ? {} : { microBatchTokens: Number(tokens) }),
    });
    for await (const event of run) if (event.type === "step") steps.push(event.metrics);
    await run.result;
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
  // The first iteration touches memory for the first time.
  const warm = steps.length > 1 ? steps.slice(1) : steps;
  const seconds = (of: (metrics: PpoMetrics) => number) => Number((median(warm.map(of)) / 1000).toFixed(3));
  const report = {
    bench: "ppo_iteration",
    prompts: prompts.length,
    new: Number(values.new),
    dtype,
    ...(rank === undefined ? {} : { adapter_rank: Number(rank) }),
    seconds: {
      rollout: seconds((metrics) => metrics["time/rollout_ms"]),
      scoring: seconds((metrics) => metrics["time/scoring_ms"]),
      update: seconds((metrics) => metrics["time/update_ms"]),
    },
    total_s: seconds(({ step_ms }) => step_ms),
    log: steps.map((metrics) => ({
      kl: metrics["objective/kl"],
      policy_loss: metrics["loss/policy"],
      value_loss: metrics["loss/value"],
      grad_norm: metrics.grad_norm,
      ratio: metrics["val/ratio"],
    })),
    peak_rss_mb: Math.round((steps.at(-1)?.peak_rss_bytes ?? 0) / 2 ** 20),
    machine: machineLine(),
  };
  console.log(JSON.stringify(report));
}
