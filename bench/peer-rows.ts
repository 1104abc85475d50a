// What is measured beside other software, row by row: the commands of both sides, what to read of their output, and the ratios
// that attune wants to reach on processors with AVX2 alone and with AVX-512. Must not run anything.

import { join } from "node:path";
import type { JsonLine, Reading, Side } from "./compare.js";

/** Where things lie. */
export interface PeerPlaces {
  /** This project. */
  readonly root: string;
  /** A Python with torch, transformers and trl. */
  readonly python: string;
  /** The folder of the scripts of the other side. */
  readonly peers: string;
  /** Weights that both sides begin with, a GGUF file. */
  readonly model: string;
  /** Folders that work.py wrote: rows in file order, and by length. */
  readonly work: string;
  readonly workByLength: string;
  /** A reward model with a head of random weights. */
  readonly rewardModel: string;
  readonly threads: number;
}

export interface PeerRow {
  readonly name: string;
  /** For the table. */
  readonly what: string;
  readonly pairs: number;
  /** Ratios that are wanted; undefined: not on such a processor. */
  readonly target: { readonly avx2: number | undefined; readonly avx512: number | undefined };
  readonly ours: (places: PeerPlaces) => Side;
  readonly theirs: (places: PeerPlaces) => Side;
}

type Dtype = "fp32" | "bf16";
type Algorithm = "dpo" | "sft" | "reward" | "kto";

const number = (line: JsonLine, key: string): number => Number(line[key]);
const object = (value: unknown): JsonLine =>
  (typeof value === "object" && value !== null ? value : {}) as JsonLine;
const last = (lines: readonly JsonLine[]): JsonLine => lines.at(-1) ?? {};

/** This project's bench, in a process of its own. */
function bench({ root }: PeerPlaces, args: readonly string[], read: Side["read"]): Side {
  return { command: process.execPath, args: ["--import", "tsx", "bench/main.ts", ...args], cwd: root, read };
}

/** A script of the other side. */
function script({ python, peers }: PeerPlaces, args: readonly string[], read: Side["read"]): Side {
  const [name = "", ...more] = args;
  return { command: python, args: [join(peers, name), ...more], cwd: peers, read };
}

/** The C++ runner. */
function tool({ root, threads }: PeerPlaces, args: readonly string[], read: Side["read"]): Side {
  const command = join(root, "build-cmake", "attune-tool");
  return { command, args: ["bench", ...args, "--threads", String(threads)], cwd: root, read };
}

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

const shapeName = (line: JsonLine) => [line.M, line.N, line.K].join("x");

/** Of F.linear, and of the faster of it and oneDNN's kernel. */
function torchLinear(lines: readonly JsonLine[]): Reading {
  const rates: Record<string, number> = {};
  for (const line of lines) {
    const name = shapeName(object(line.shape));
    const rate = number(line, "gflops");
    if (line.op === "linear") rates[name] = rate;
    if (line.op === "linear" || line.op === "linear_onednn")
      rates[`${name} fastest`] = Math.max(rates[`${name} fastest`] ?? 0, rate);
  }
  return { rates };
}

function ourLinear(lines: readonly JsonLine[]): Reading {
  const forward = lines.filter(({ op }) => op === "linear_forward");
  const rates = forward.flatMap((line) => {
    const rate = number(line, "gflops");
    return [
      [shapeName(line), rate],
      [`${shapeName(line)} fastest`, rate],
    ] as const;
  });
  return { rates: Object.fromEntries(rates) };
}

function gemm(dtype: Dtype, target: PeerRow["target"]): PeerRow {
  const names = shapes.map((shape) => shape.join("x"));
  return {
    name: `gemm-${dtype}`,
    what: `${dtype} GEMM against torch (F.linear, and its fastest kernel)`,
    pairs: 5,
    target,
    ours: (places) => tool(places, ["gemm", dtype, ...names], ourLinear),
    theirs: (places) =>
      script(
        places,
        [
          "torch_ops.py",
          "--ops",
          "linear",
          "linear_onednn",
          "--dtypes",
          dtype,
          "--threads",
          String(places.threads),
        ],
        torchLinear,
      ),
  };
}

function attention(dtype: Dtype, target: PeerRow["target"]): PeerRow {
  return {
    name: `attention-${dtype}`,
    what: `causal attention, ${dtype}, T = 1024, 12 heads of 64, against SDPA`,
    pairs: 5,
    target,
    ours: (places) =>
      tool(places, ["attention", dtype], (lines) => {
        const own = lines.filter(({ shape }) => shape === "1024 H12 G12 D64");
        return { rates: Object.fromEntries(own.map((line) => [String(line.op), number(line, "gflop_s")])) };
      }),
    theirs: (places) =>
      script(
        places,
        ["torch_ops.py", "--ops", "sdpa", "--dtypes", dtype, "--threads", String(places.threads)],
        (lines) => {
          const own = lines.filter(({ op }) => String(op).startsWith("sdpa"));
          const nameOf = ({ op }: JsonLine) => String(op).replace("sdpa", "attention");
          return { rates: Object.fromEntries(own.map((line) => [nameOf(line), number(line, "gflops")])) };
        },
      ),
  };
}

function trainStep(
  algorithm: Algorithm,
  {
    dtype,
    order,
    target,
  }: { readonly dtype: Dtype; readonly order: "file" | "length"; readonly target: PeerRow["target"] },
): PeerRow {
  const read = (lines: readonly JsonLine[]): Reading => {
    const line = last(lines);
    const memory = object(line.memory);
    const after = "after" in memory ? object(memory.after) : memory;
    return {
      rates: { tokens_per_s: number(line, "tokens_per_s") },
      losses: line.loss as readonly number[],
      peakMb: number(after, "peak_rss_mb"),
    };
  };
  const folder = (places: PeerPlaces) => (order === "file" ? places.work : places.workByLength);
  return {
    name: `${algorithm}-${dtype}-${order}`,
    what: `${algorithm === "kto" || algorithm === "dpo" || algorithm === "sft" ? algorithm.toUpperCase() : algorithm} step, SmolLM2-135M, ${dtype}, ${order} order, TRL without gradient checkpointing`,
    pairs: 3,
    target,
    ours: (places) =>
      bench(
        places,
        [
          "train-step",
          ...["--algo", algorithm, "--model", places.model, "--work", folder(places)],
          ...["--dtype", dtype, "--threads", String(places.threads)],
        ],
        read,
      ),
    theirs: (places) =>
      script(
        places,
        [
          "trl_step.py",
          ...["--work", folder(places), "--algo", algorithm, "--dtype", dtype, "--preset", "fast"],
          ...["--threads", String(places.threads)],
        ],
        read,
      ),
  };
}

function decode(batch: number, dtype: Dtype, target: PeerRow["target"]): PeerRow {
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
    ours: (places) =>
      bench(places, ["decode", "--model", places.model, ...work, "--threads", String(places.threads)], read),
    theirs: (places) =>
      script(places, ["hf_generate.py", ...work, "--threads", String(places.threads)], read),
  };
}

function ppoIteration(target: PeerRow["target"]): PeerRow {
  return {
    name: "ppo-fp32",
    what: "PPO iteration, SmolLM2-135M, fp32, 16 prompts of 48 new tokens, against plain PyTorch",
    pairs: 3,
    target,
    ours: (places) =>
      bench(
        places,
        [
          "ppo",
          ...["--model", places.model, "--reward-model", places.rewardModel],
          ...["--prompts", join(places.work, "prompts.jsonl"), "--threads", String(places.threads)],
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
      script(
        places,
        ["ppo_iter.py", "--work", places.work, "--iters", "3", "--threads", String(places.threads)],
        (lines) => {
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
        },
      ),
  };
}

function fusedHead(dtype: Dtype, target: PeerRow["target"]): PeerRow {
  const read = (op: string, width: string) => (lines: readonly JsonLine[]) => {
    const own = lines.filter((line) => line.op === op);
    const nameOf = (line: JsonLine) => {
      const shape = { ...line, ...object(line.shape) } as JsonLine;
      return [shape.T, shape[width], shape.V].join("x");
    };
    const rates = own.flatMap((line) => {
      const memory = number(line, op === "head" ? "peak_extra_mb" : "extra_mb");
      return [
        [nameOf(line), number(line, "gflops")],
        // Less is better.
        [`${nameOf(line)} memory`, 1 / memory],
      ] as const;
    });
    return { rates: Object.fromEntries(rates) };
  };
  return {
    name: `head-${dtype}`,
    what: `LM head with loss and backward, ${dtype}, against torch's eager one: speed and memory`,
    pairs: 5,
    target,
    ours: (places) => tool(places, ["fused_head", dtype], read("fused_head", "C")),
    theirs: (places) =>
      script(
        places,
        ["torch_ops.py", "--ops", "head", "--dtypes", dtype, "--threads", String(places.threads)],
        read("head", "d"),
      ),
  };
}

function gpt2Step(dtype: Dtype, target: PeerRow["target"]): PeerRow {
  const read = (lines: readonly JsonLine[]) => {
    const line = lines.find(({ op, bench: name }) => (op ?? name) === "gpt2_step") ?? {};
    const memory = object(line.memory);
    return { rates: { tokens_per_s: number(line, "tokens_per_s") }, peakMb: number(memory, "peak_rss_mb") };
  };
  return {
    name: `gpt2-${dtype}`,
    what: `training step of a GPT-2 of 124 M parameters, 4 rows of 64 tokens, ${dtype}, against torch eager`,
    pairs: 5,
    target,
    ours: (places) =>
      bench(places, ["gpt2-step", "--dtype", dtype, "--threads", String(places.threads)], read),
    theirs: (places) =>
      script(
        places,
        ["torch_ops.py", "--ops", "gpt2_step", "--dtypes", dtype, "--threads", String(places.threads)],
        read,
      ),
  };
}

/** The whole table, cheap rows first. */
export const peerRows: readonly PeerRow[] = [
  gemm("fp32", { avx2: 1, avx512: 2.1 }),
  gemm("bf16", { avx2: undefined, avx512: 1 }),
  attention("fp32", { avx2: 1.6, avx512: 2 }),
  attention("bf16", { avx2: undefined, avx512: 2 }),
  fusedHead("fp32", { avx2: 1.3, avx512: 2.5 }),
  fusedHead("bf16", { avx2: undefined, avx512: 2.5 }),
  gpt2Step("fp32", { avx2: 1.2, avx512: 2.5 }),
  gpt2Step("bf16", { avx2: undefined, avx512: 1.4 }),
  decode(1, "fp32", { avx2: 1.8, avx512: 1.8 }),
  decode(32, "fp32", { avx2: 1.7, avx512: 3 }),
  decode(1, "bf16", { avx2: undefined, avx512: 3 }),
  decode(32, "bf16", { avx2: undefined, avx512: 3 }),
  trainStep("dpo", { dtype: "fp32", order: "file", target: { avx2: 3.5, avx512: 7 } }),
  trainStep("dpo", { dtype: "fp32", order: "length", target: { avx2: 2.3, avx512: 4.5 } }),
  trainStep("dpo", { dtype: "bf16", order: "file", target: { avx2: undefined, avx512: 4 } }),
  trainStep("dpo", { dtype: "bf16", order: "length", target: { avx2: undefined, avx512: 2.5 } }),
  trainStep("reward", { dtype: "fp32", order: "file", target: { avx2: 1.6, avx512: 3 } }),
  trainStep("reward", { dtype: "bf16", order: "file", target: { avx2: undefined, avx512: 1.6 } }),
  trainStep("kto", { dtype: "fp32", order: "file", target: { avx2: 2, avx512: 4 } }),
  trainStep("kto", { dtype: "bf16", order: "file", target: { avx2: undefined, avx512: 2 } }),
  trainStep("sft", { dtype: "fp32", order: "file", target: { avx2: 2, avx512: 4 } }),
  trainStep("sft", { dtype: "bf16", order: "file", target: { avx2: undefined, avx512: 2 } }),
  ppoIteration({ avx2: 2, avx512: 4 }),
];
