// What is measured beside other software, row by row: the commands of both sides, what to read of their output, and the ratios
// that attune wants to reach on processors with AVX2 alone and with AVX-512. Must not run anything.

import { join } from "node:path";
import type { Dtype } from "./arguments.js";
import type { Agreement, JsonLine, Reading, Side } from "./compare.js";
import type { Processor } from "./kept.js";
import {
  bench,
  forwardRates,
  gpt2Reading,
  last,
  medianRate,
  number,
  object,
  ourLinear,
  type PeerMemory,
  type PeerPlaces,
  script,
  tool,
  torchLinear,
} from "./sides.js";

/** Ratios that are wanted by kind of processor; absent: nothing is. */
export type Wanted = Readonly<Partial<Record<Processor, number>>>;

export interface PeerRow {
  readonly name: string;
  /** For the table. */
  readonly what: string;
  readonly pairs: number;
  /** Of the row; a processor without one does not measure it unasked. */
  readonly target: Wanted;
  /** Of parts with wishes of their own. */
  readonly partTarget?: (part: string) => Wanted | undefined;
  /** Their peak memory divided by ours. */
  readonly memoryTarget?: Wanted;
  /** What both sides must have alike, as `compare` takes it. */
  readonly agreement?: Agreement;
  readonly ours: (places: PeerPlaces) => Side;
  readonly theirs: (places: PeerPlaces) => Side;
  /** A rate of a part as people read it, less is better where it is a time or memory. */
  readonly shown: (part: string, rate: number) => string;
}

/** Of a part, or of the row's memory. */
export function wantedOf(row: PeerRow, part: string): Wanted {
  if (part === peakMemory) return row.memoryTarget ?? {};
  return row.partTarget?.(part) ?? row.target;
}

/** The part of a table that compares the two processes' peaks. */
export const peakMemory = "peak memory";

type Algorithm = "dpo" | "sft" | "reward" | "kto";

/** M, N, K of torch_ops.py. */
const shapes = [
  [256, 768, 768],
  [256, 3072, 768],
  [256, 768, 3072],
  [256, 50257, 768],
  [1024, 3072, 768],
  [1024, 576, 576],
  [1024, 1536, 576],
  [1024, 576, 1536],
  [1024, 49152, 576],
  [2048, 2048, 2048],
] as const;

/** Of kernels of the other side: its seven calls of a small shape would be over before the machine has settled. */
const manyCalls = ["--repeat", "40"];
/** Of its head, which takes half as many calls as it is told; each is long. */
const someCalls = ["--repeat", "14"];

const inGflops = (_: string, rate: number) => `${rate} GFLOP/s`;
const inTokens = (_: string, rate: number) => `${rate} tokens/s`;

function gemm(dtype: Dtype, target: Wanted): PeerRow {
  const names = shapes.map((shape) => shape.join("x"));
  return {
    name: `gemm-${dtype}`,
    what: `${dtype} GEMM against torch's F.linear${dtype === "fp32" ? ", and against its fastest kernel" : " (oneDNN)"}`,
    pairs: 5,
    target,
    partTarget: (part) => (part.endsWith("fastest") ? { avx2: 1, avx512: 0.95 } : undefined),
    ours: (places) => tool(places, ["gemm", dtype, ...names], dtype === "fp32" ? ourLinear : forwardRates),
    // In bf16 F.linear is oneDNN's kernel.
    theirs: (places) =>
      script(
        places,
        [
          "torch_ops.py",
          ...["--ops", "linear", ...(dtype === "fp32" ? ["linear_onednn"] : [])],
          ...["--dtypes", dtype],
          ...manyCalls,
        ],
        torchLinear,
      ),
    shown: inGflops,
  };
}

/** The same GEMMs beside the machine's multiply-adds: the ratio is the share of the peak of the same instructions. */
function gemmOfPeak(dtype: Dtype, target: Wanted): PeerRow {
  const names = shapes.map((shape) => shape.join("x"));
  return {
    name: `peak-${dtype}`,
    what: `${dtype} GEMM as a share of the multiply-adds that the machine reaches from registers`,
    pairs: 5,
    target,
    // Clocks differ a little between the two processes.
    agreement: { mostRatio: 1.02 },
    ours: (places) => tool(places, ["gemm", dtype, ...names], (lines) => forwardRates(lines)),
    theirs: (places) =>
      tool(places, ["peak"], (lines) => {
        const own = lines.filter(({ op, isa }) => op === "peak_arithmetic" && isa === places.isa);
        // Without instructions for bf16 it is a format of memory, and fp32 is computed.
        const same = own.filter((line) => line.dtype === dtype);
        const peaks = same.length > 0 ? same : own.filter((line) => line.dtype === "fp32");
        const peak = Math.max(...peaks.map((line) => number(line, "gflops_median")));
        return { rates: Object.fromEntries(names.map((name) => [name, peak])) };
      }),
    shown: inGflops,
  };
}

function attention(dtype: Dtype, target: Wanted): PeerRow {
  return {
    name: `attention-${dtype}`,
    what: `causal attention, ${dtype}, T = 1024, 12 heads of 64, against SDPA`,
    pairs: 5,
    target,
    ours: (places) =>
      tool(places, ["attention", dtype, "1024 H12 G12 D64"], (lines) => ({
        rates: Object.fromEntries(lines.map((line) => [String(line.op), number(line, "gflops_median")])),
      })),
    theirs: (places) =>
      script(places, ["torch_ops.py", "--ops", "sdpa", "--dtypes", dtype, ...manyCalls], (lines) => {
        const own = lines.filter(({ op }) => String(op).startsWith("sdpa"));
        const nameOf = ({ op }: JsonLine) => String(op).replace("sdpa", "attention");
        return {
          rates: Object.fromEntries(own.map((line) => [nameOf(line), medianRate(line, "gflops")])),
        };
      }),
    shown: inGflops,
  };
}

function trainStep(
  algorithm: Algorithm,
  {
    dtype,
    order,
    target,
  }: { readonly dtype: Dtype; readonly order: "file" | "length"; readonly target: Wanted },
): PeerRow {
  const read = (lines: readonly JsonLine[]): Reading => {
    const line = last(lines);
    const memory = object(line.memory);
    const after = "after" in memory ? object(memory.after) : memory;
    return {
      rates: { tokens_per_s: number(line, "tokens_per_s") },
      losses: line.loss as readonly number[],
      work: String(line.work),
      peakMb: number(after, "peak_rss_mb"),
    };
  };
  const folder = (places: PeerPlaces) => (order === "file" ? places.work : places.workByLength);
  return {
    name: `${algorithm}-${dtype}-${order}`,
    what: `${algorithm === "kto" || algorithm === "dpo" || algorithm === "sft" ? algorithm.toUpperCase() : algorithm} step, SmolLM2-135M, ${dtype}, ${order} order, TRL without gradient checkpointing`,
    pairs: 3,
    target,
    // In bf16 the other side keeps even its logits so, and its weights: they part after the first step.
    agreement: dtype === "bf16" ? { lossTolerance: 1e-2 } : { losses: "all" },
    ...(algorithm === "dpo" ? { memoryTarget: { avx2: 4, avx512: 4 } } : {}),
    ours: (places) =>
      bench(
        places,
        [
          "train-step",
          ...["--algo", algorithm, "--model", places.model, "--work", folder(places)],
          ...["--dtype", dtype],
        ],
        read,
      ),
    theirs: (places) =>
      script(
        places,
        [
          "trl_step.py",
          ...["--work", folder(places), "--algo", algorithm, "--dtype", dtype, "--preset", "fast"],
        ],
        read,
      ),
    shown: inTokens,
  };
}

function decode(batch: number, dtype: Dtype, target: Wanted): PeerRow {
  const read = (lines: readonly JsonLine[]): Reading => {
    const line = last(lines);
    return {
      rates: {
        decode_tokens_per_s: number(line, "decode_tokens_per_s"),
        tokens_per_s: number(line, "tokens_per_s"),
      },
    };
  };
  const work = ["--batch", String(batch), "--prompt", "64", "--new", "64", "--dtype", dtype];
  return {
    name: `decode-${batch}-${dtype}`,
    what: `decoding, ${batch} ${batch === 1 ? "sequence" : "sequences"} at once, SmolLM2-135M, ${dtype}, against transformers' generate`,
    pairs: 5,
    target,
    partTarget: (part) => (part === "tokens_per_s" ? {} : undefined),
    ours: (places) => bench(places, ["decode", "--model", places.model, ...work], read),
    theirs: (places) => script(places, ["hf_generate.py", ...work], read),
    shown: inTokens,
  };
}

function ppoIteration(target: Wanted): PeerRow {
  return {
    name: "ppo-fp32",
    what: "PPO iteration, SmolLM2-135M, fp32, 16 prompts of 48 new tokens, against plain PyTorch",
    pairs: 3,
    target,
    partTarget: (part) => (part === "iteration" ? undefined : {}),
    ours: (places) =>
      bench(
        places,
        [
          "ppo",
          ...["--model", places.model, "--reward-model", places.rewardModel],
          ...["--prompts", join(places.work, "prompts.jsonl")],
        ],
        (lines) => {
          const line = last(lines);
          const seconds = object(line.seconds);
          return {
            rates: {
              iteration: 1 / number(line, "total_s"),
              rollout: 1 / number(seconds, "rollout"),
              scoring: 1 / number(seconds, "scoring"),
              update: 1 / number(seconds, "update"),
            },
            peakMb: number(line, "peak_rss_mb"),
          };
        },
      ),
    theirs: (places) =>
      script(places, ["ppo_iter.py", "--work", places.work, "--iters", "3"], (lines) => {
        const line = last(lines);
        const seconds = object(line.seconds);
        const medianOf = (key: string) => number(object(seconds[key]), "median");
        return {
          rates: {
            iteration: 1 / number(object(line.total_s), "median"),
            rollout: 1 / medianOf("rollout"),
            scoring: 1 / medianOf("score"),
            update: 1 / medianOf("update"),
          },
          peakMb: number(object(line.memory), "peak_rss_mb"),
        };
      }),
    shown: (_, rate) => `${(1 / rate).toPrecision(3)} s`,
  };
}

/**
 * Against a torch that keeps its memory, speed alone: what it holds cannot be told from what it kept. Against torch as it comes,
 * memory too.
 */
function fusedHead(
  dtype: Dtype,
  { memory, target }: { readonly memory: PeerMemory; readonly target: Wanted },
): PeerRow {
  const readingOf = (
    lines: readonly JsonLine[],
    op: string,
    of: (line: JsonLine) => { readonly name: string; readonly rate: number; readonly megabytes: number },
  ): Reading => {
    const own = lines.filter((line) => line.op === op);
    const rates = own.map(of).flatMap(({ name, rate, megabytes }) => [
      [name, rate] as const,
      // Less is better.
      ...(memory === "default" ? [[`${name} memory`, 1 / megabytes] as const] : []),
    ]);
    return { rates: Object.fromEntries(rates) };
  };
  const theirShape = (line: JsonLine) => {
    const { T, d, V } = object(line.shape);
    return [T, d, V].join("x");
  };
  return {
    name: `head-${dtype}${memory === "kept" ? "" : "-default"}`,
    what: `LM head with loss and backward, ${dtype}, against torch's eager one, ${memory === "kept" ? "which keeps its memory: speed" : "as it comes: speed and memory"}`,
    pairs: 5,
    target,
    partTarget: (part) => (part.endsWith("memory") ? { avx2: 4, avx512: 4 } : undefined),
    ours: (places) =>
      tool(places, ["fused_head", dtype], (lines) =>
        readingOf(lines, "fused_head", (line) => ({
          name: String(line.shape),
          rate: number(line, "gflops_median"),
          megabytes: number(line, "extra_mb"),
        })),
      ),
    theirs: (places) =>
      script(
        places,
        ["torch_ops.py", "--ops", "head", "--dtypes", dtype, ...someCalls],
        (lines) =>
          readingOf(lines, "head", (line) => ({
            name: theirShape(line),
            rate: medianRate(line, "gflops"),
            // They count in units of 2^20.
            megabytes: (number(line, "peak_extra_mb") * 2 ** 20) / 1e6,
          })),
        memory,
      ),
    shown: (part, rate) =>
      part.endsWith("memory") ? `${(1 / rate).toPrecision(3)} MB` : inGflops(part, rate),
  };
}

function gpt2Step(dtype: Dtype, target: Wanted): PeerRow {
  return {
    name: `gpt2-${dtype}`,
    what: `training step of a GPT-2 of 124 M parameters, 4 rows of 64 tokens, ${dtype}, against torch eager`,
    pairs: 5,
    target,
    // Each side's own random weights: both begin near the logarithm of the vocabulary.
    agreement: { lossTolerance: 0.02 },
    ours: (places) => bench(places, ["gpt2-step", "--dtype", dtype], gpt2Reading),
    theirs: (places) =>
      script(places, ["torch_ops.py", "--ops", "gpt2_step", "--dtypes", dtype], gpt2Reading),
    shown: inTokens,
  };
}

/** The whole table, cheap rows first. */
export const peerRows: readonly PeerRow[] = [
  gemm("fp32", { avx2: 1, avx512: 2.1 }),
  gemm("bf16", { avx512: 1 }),
  gemmOfPeak("fp32", { avx2: 0.85, avx512: 0.85 }),
  gemmOfPeak("bf16", {}),
  attention("fp32", { avx2: 1.6, avx512: 2 }),
  attention("bf16", { avx512: 2 }),
  fusedHead("fp32", { memory: "default", target: { avx2: 1.3, avx512: 2.5 } }),
  fusedHead("bf16", { memory: "default", target: { avx512: 2.5 } }),
  fusedHead("fp32", { memory: "kept", target: { avx2: 1.3, avx512: 2.5 } }),
  fusedHead("bf16", { memory: "kept", target: { avx512: 2.5 } }),
  gpt2Step("fp32", { avx2: 1.2, avx512: 2.5 }),
  gpt2Step("bf16", { avx512: 1.4 }),
  decode(1, "fp32", { avx2: 1.8, avx512: 1.8 }),
  decode(32, "fp32", { avx2: 1.7, avx512: 3 }),
  decode(1, "bf16", { avx512: 3 }),
  decode(32, "bf16", { avx512: 3 }),
  trainStep("dpo", { dtype: "fp32", order: "file", target: { avx2: 3.5, avx512: 7 } }),
  trainStep("dpo", { dtype: "fp32", order: "length", target: { avx2: 2.3, avx512: 4.5 } }),
  trainStep("dpo", { dtype: "bf16", order: "file", target: { avx512: 4 } }),
  trainStep("dpo", { dtype: "bf16", order: "length", target: { avx512: 2.5 } }),
  trainStep("reward", { dtype: "fp32", order: "file", target: { avx2: 1.6, avx512: 3 } }),
  trainStep("reward", { dtype: "bf16", order: "file", target: { avx512: 1.6 } }),
  trainStep("kto", { dtype: "fp32", order: "file", target: { avx2: 2, avx512: 4 } }),
  trainStep("kto", { dtype: "bf16", order: "file", target: { avx512: 2 } }),
  trainStep("sft", { dtype: "fp32", order: "file", target: { avx2: 2, avx512: 4 } }),
  trainStep("sft", { dtype: "bf16", order: "file", target: { avx512: 2 } }),
  ppoIteration({ avx2: 2, avx512: 4 }),
];
