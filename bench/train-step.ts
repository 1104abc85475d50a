// `npm run bench train-step -- --algo dpo --model PATH --work DIR`: whole training steps on rows of a work folder, as one JSON line.
// The work: pairs_text.jsonl or kto_text.jsonl in file order, so many pairs a step as summary.json says, and the tokens of
// each step counted from the ids beside them: prompt, answer and EOS, each sequence once. Must not assert anything.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../lib/cli/bench-numbers.js";
import { dpo, kto, reward, type SharedMetrics, sft, type TrainRun } from "../lib/train/index.js";
import { attuneVersion, machineLine } from "../lib/train/machine.js";
import { countOf, type Dtype, dtypeOf } from "./arguments.js";

type Algorithm = "sft" | "dpo" | "reward" | "kto";

interface Summary {
  readonly steps: number;
  readonly pairs_per_step: number;
  readonly max_length: number;
  readonly pairs_sha256: string;
}

interface WorkRow {
  readonly step: number;
  readonly prompt_ids: readonly number[];
  readonly chosen_ids?: readonly number[];
  readonly rejected_ids?: readonly number[];
  readonly completion_ids?: readonly number[];
}

/** Constant, as on the other side of a comparison. */
const learningRates: Readonly<Record<Algorithm, number>> = { sft: 2e-5, dpo: 1e-6, kto: 1e-6, reward: 1e-5 };
const sidesOf: Readonly<Record<Algorithm, readonly (keyof WorkRow)[]>> = {
  sft: ["chosen_ids"],
  dpo: ["chosen_ids", "rejected_ids"],
  reward: ["chosen_ids", "rejected_ids"],
  kto: ["completion_ids"],
};

function linesOf<Row>(path: string): readonly Row[] {
  return readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
}

/** [steps] */
function tokensOf(algorithm: Algorithm, work: string, steps: number): readonly number[] {
  const tokens = new Array<number>(steps).fill(0);
  for (const row of linesOf<WorkRow>(join(work, algorithm === "kto" ? "kto.jsonl" : "pairs.jsonl")))
    for (const side of sidesOf[algorithm])
      tokens[row.step] =
        (tokens[row.step] ?? 0) + row.prompt_ids.length + (row[side] as readonly number[]).length;
  return tokens;
}

interface TrainStep {
  readonly algorithm: Algorithm;
  readonly model: string;
  readonly work: string;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly output: string;
}

function started(request: TrainStep, { pairs_per_step: pairs, max_length: maxLength }: Summary) {
  const { algorithm, model, work, dtype, threads, output } = request;
  const shared = {
    model,
    output,
    dtype,
    threads,
    maxLength,
    epochs: 1,
    schedule: "constant",
    shuffle: false,
    learningRate: learningRates[algorithm],
    tokenCache: "off",
  } as const;
  const pairRows = () =>
    linesOf<{ prompt: string; chosen: string; rejected: string }>(join(work, "pairs_text.jsonl"));
  if (algorithm === "sft") {
    const data = pairRows().map(({ prompt, chosen }) => ({ prompt, completion: chosen }));
    return sft({ ...shared, data, batchSize: pairs }) as TrainRun<SharedMetrics>;
  }
  if (algorithm === "kto") {
    const data = linesOf<{ prompt: string; completion: string; label: boolean }>(
      join(work, "kto_text.jsonl"),
    );
    return kto({ ...shared, data, batchSize: 2 * pairs, cache: "off" }) as TrainRun<SharedMetrics>;
  }
  if (algorithm === "reward")
    return reward({
      ...shared,
      data: pairRows(),
      batchSize: pairs,
      headInit: "zero",
      normalise: "none",
    }) as TrainRun<SharedMetrics>;
  return dpo({ ...shared, data: pairRows(), batchSize: pairs, cache: "off" }) as TrainRun<SharedMetrics>;
}

/** The first step is warm-up. */
export async function benchTrainStep(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      algo: { type: "string" },
      model: { type: "string" },
      work: { type: "string" },
      dtype: { type: "string", default: "fp32" },
      threads: { type: "string", default: "2" },
    },
  });
  const { algo, model, work } = values;
  if (algo === undefined || !(algo in learningRates) || model === undefined || work === undefined)
    throw new Error("bench train-step needs --algo sft, dpo, reward or kto, --model PATH and --work DIR");
  const algorithm = algo as Algorithm;
  const dtype = dtypeOf(values.dtype);
  const threads = countOf("--threads", values.threads);
  const summary = JSON.parse(readFileSync(join(work, "summary.json"), "utf8")) as Summary;
  const folder = mkdtempSync(join(tmpdir(), "attune-bench-"));
  const steps: SharedMetrics[] = [];
  try {
    const run = started({ algorithm, model, work, dtype, threads, output: join(folder, "run") }, summary);
    for await (const event of run) if (event.type === "step") steps.push(event.metrics);
    await run.result;
  } finally {
    rmSync(folder, { recursive: true });
  }
  const tokens = tokensOf(algorithm, work, summary.steps);
  const warm = steps.slice(1);
  const milliseconds = warm.reduce((sum, { step_ms }) => sum + step_ms, 0);
  const counted = warm.reduce((sum, { step }) => sum + (tokens[step - 1] ?? 0), 0);
  const report = {
    bench: "train_step",
    algo: algorithm,
    dtype,
    threads,
    work: summary.pairs_sha256.slice(0, 12),
    step_ms: {
      median: median(warm.map(({ step_ms }) => step_ms)),
      each: steps.map(({ step_ms }) => Math.round(step_ms)),
    },
    tokens_each: tokens,
    tokens_per_s: Number(((1000 * counted) / milliseconds).toFixed(1)),
    loss: steps.map(({ loss }) => Number(loss.toFixed(5))),
    memory: { peak_rss_mb: Math.round((steps.at(-1)?.peak_rss_bytes ?? 0) / 2 ** 20) },
    versions: { attune: attuneVersion },
    machine: machineLine(),
  };
  console.log(JSON.stringify(report));
}
