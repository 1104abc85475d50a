// `npm run bench scaling`: times kernels on one core and on all, and whole steps of a GPT-2 of 124 M parameters, and keeps both in
// bench/results beside what the cost model makes of the kernels. Must not hold the model.

import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Spread, spreadOf } from "../lib/cli/bench-numbers.js";
import { countOf } from "./arguments.js";
import { type JsonLine, jsonLines, type Side } from "./compare.js";
import { type Processor, type Shape, stepCost } from "./cost-model.js";
import { gpt2Size } from "./gpt2-step.js";
import { isaHere, keepingRows, root } from "./kept.js";
import { bench, number, object, tool } from "./sides.js";

/** Rows of the kept file: the kernels, and each step with each number of threads. */
export type ScalingRow = CalibrationRow | StepRow;

interface CalibrationRow {
  readonly processor: Processor;
}

export interface StepRow {
  readonly shape: Shape;
  readonly threads: number;
  /** Milliseconds of a step: median of each run. */
  readonly measured: Spread;
}

/** A batch of gpt2-step. */
function gpt2(sequences: number, length: number): Shape {
  const { vocabulary, width, layers, heads } = gpt2Size;
  return {
    name: `GPT-2 124M, ${sequences} rows of ${length} tokens`,
    ...{ vocabulary, width, layers, heads },
    ...{ qkvWidth: 3 * width, mlpWidth: 4 * width, upWidth: 4 * width, headWidth: width / heads },
    rows: sequences * length,
    targets: sequences * (length - 1),
    length,
    references: 0,
  };
}

const batches = [
  [4, 64],
  [8, 256],
] as const;

const usage = `usage: npm run bench scaling [-- --rounds N] [--threads N]

Kernels on one core and on all, and whole training steps, beside what the cost model makes of them; kept in bench/results.`;

export async function benchScaling(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "3" },
      threads: { type: "string", default: String(availableParallelism()) },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const rounds = countOf("--rounds", values.rounds);
  const most = countOf("--threads", values.threads);
  const isa = await isaHere();
  const keeping = keepingRows("scaling", isa, most);
  const processor = calibrate(most, isa);
  keeping.keep<ScalingRow>("kernels", { processor });
  console.log(JSON.stringify(processor));
  const counts = [...new Set([1, most])];
  const cases = batches.flatMap((batch) => counts.map((threads) => ({ batch, threads, ms: [] as number[] })));
  for (let round = 0; round < rounds; round++)
    for (const one of round % 2 === 0 ? cases : cases.toReversed()) {
      const [rows, length] = one.batch;
      const step = ["gpt2-step", "--rows", String(rows), "--length", String(length), "--repeat", "3"];
      const [line = {}] = run(bench({ root, threads: one.threads }, step, nothing));
      one.ms.push(number(object(line.ms), "median"));
    }
  for (const { batch, threads, ms } of cases) {
    const [sequences, length] = batch;
    const shape = gpt2(sequences, length);
    const measured = spreadOf(ms);
    keeping.keep<ScalingRow>(`${batch.join("x")}-${threads}`, { shape, threads, measured });
    const { milliseconds } = stepCost(shape, processor, threads);
    console.log(
      `${shape.name}, ${threads} threads: ${measured.median} ms; the model says ${milliseconds.toFixed(0)} ms`,
    );
  }
}

/** Kernels on one core and on all: fp32, in cache or streaming. */
function calibrate(threads: number, isa: string): Processor {
  const kernel = (count: number, args: readonly string[], op: string, key: string) => {
    const line = run(tool({ root, threads: count }, args, nothing)).find((one) => one.op === op);
    if (line === undefined) throw new Error(`nothing was measured of ${op}`);
    return number(line, key);
  };
  const streaming = (count: number) => kernel(count, ["rows", "fp32", "optimizer"], "adamw", "gbps_median");
  return {
    name: "this machine",
    cores: threads,
    coresPerL3: threads,
    gemmGflops: kernel(1, ["gemm", "fp32", "256x768x768"], "linear_forward", "gflops_median"),
    attentionGflops: kernel(
      1,
      ["attention", "fp32", "1024 H12 G12 D64"],
      "attention_forward",
      "gflops_median",
    ),
    gbPerSecondPerCore: streaming(1),
    gbPerSecond: streaming(threads),
    tileRows: isa.startsWith("avx512") ? 12 : 6,
    nodes: 1,
    linkGbPerSecond: 0,
  };
}

const nothing: Side["read"] = () => ({ rates: {} });

function run({ command, args, cwd }: Side): readonly JsonLine[] {
  return jsonLines(execFileSync(command, [...args], { cwd, encoding: "utf8", maxBuffer: 1 << 28 }));
}
