// The options that every training command shares, each declared once: type, check, flag, YAML key and docs row.
// Must not import any room.

import { z } from "zod";

/** What the command line adds to a schema: the heading in `--help` and the word for the value. */
export interface OptionMeta {
  readonly group: OptionGroup;
  /** `FILE`, `N` …: stands behind the flag in help and docs. */
  readonly value?: string;
  /** Of a list of texts: what separates them in one value. Without it only the repeated flag makes several. */
  readonly separator?: string;
}

export const optionGroups = [
  "Files",
  "Prompts",
  "Sampling",
  "Rewards",
  "Evaluation",
  "Training",
  "Rows",
  "Project",
  "Network",
  "Machine",
  "Output",
] as const;
export type OptionGroup = (typeof optionGroups)[number];

/** Attaches description and heading to a schema; the type stays that of the schema. */
export function option<T extends z.ZodType>(schema: T, description: string, meta: OptionMeta): T {
  return schema.meta({ description, ...meta }) as T;
}

const count = () => z.number().int().min(1);

const paths = () => z.array(z.string().min(1)).min(1);

export const fileOptions = {
  model: option(z.string().min(1), "Hugging Face folder or GGUF file to start from", {
    group: "Files",
    value: "PATH",
  }),
  data: option(
    paths(),
    "training rows: JSONL (plain, gzip or zstd) or Parquet; a file, a folder or a pattern such as rows/*.jsonl; may be repeated",
    { group: "Files", value: "FILE" },
  ),
  evalData: option(
    paths().optional(),
    "rows that are measured but never trained on, before the first step, every eval-every steps and at the end; may be repeated",
    { group: "Files", value: "FILE" },
  ),
  adapter: option(
    z.string().min(1).optional(),
    "PEFT folder of an adapter for this model: training goes on from it",
    { group: "Files", value: "DIR" },
  ),
  chatTemplate: option(z.string().min(1).optional(), "Jinja file in place of the model's own chat template", {
    group: "Files",
    value: "FILE",
  }),
  tokenCache: option(
    z.string().min(1).optional(),
    'folder where tokenised rows are kept between runs, or "off" (default: $XDG_CACHE_HOME/attune/tokens)',
    { group: "Files", value: "DIR|off" },
  ),
  output: option(
    z.string().min(1),
    "folder for this run: settings, metrics, checkpoints and the trained model; without --resume it must not hold a run yet",
    { group: "Files", value: "DIR" },
  ),
};

/** Low-rank adapters in place of training all weights. */
export const adapterOptions = {
  adapterRank: option(
    count().max(4096).optional(),
    "train an adapter (LoRA) of this rank instead of all weights; typical: 8 to 64",
    { group: "Training", value: "N" },
  ),
  adapterAlpha: option(
    z.number().positive().optional(),
    "scale of the adapter: its term is multiplied by alpha / rank (default: twice the rank)",
    { group: "Training", value: "X" },
  ),
  adapterTargets: option(
    paths().optional(),
    "linear layers that get an adapter, by PEFT's names such as q_proj,v_proj (default: all)",
    { group: "Training", value: "NAMES", separator: "," },
  ),
  rsLora: option(z.boolean().default(false), "scale the adapter by alpha / sqrt(rank) instead (rsLoRA)", {
    group: "Training",
  }),
};

/** Measuring rows that are never trained on. */
export const evaluationOptions = {
  evalShare: option(
    z.number().gt(0).lt(1).optional(),
    "share of the training rows that is set aside for evaluation; all rows of a prompt stay on one side",
    { group: "Rows", value: "X" },
  ),
  evalEvery: option(
    z.number().int().min(0).default(0),
    "evaluate every so many steps; 0 only before the first step and at the end",
    { group: "Training", value: "N" },
  ),
  earlyStop: option(
    count().optional(),
    "end when eval_loss was not the lowest so far for this many evaluations in a row; the trained model is then the best one",
    { group: "Training", value: "N" },
  ),
};

/** Answers to a few prompts while the model learns. */
export const sampleOptions = {
  sampleEvery: option(
    z.number().int().min(0).default(0),
    "answer a few prompts before the first step, every so many steps and at the end, into samples.jsonl; 0 never",
    { group: "Output", value: "N" },
  ),
  samplePrompts: option(
    count().default(4),
    "how many prompts are answered: the first ones of the evaluation rows, or of the training rows where there are none",
    { group: "Output", value: "N" },
  ),
  sampleTokens: option(count().default(64), "tokens of such an answer at most", {
    group: "Output",
    value: "N",
  }),
};

/** Stopping and going on. */
export const checkpointOptions = {
  saveEvery: option(
    z.number().int().min(0).default(0),
    "save a checkpoint every so many steps; 0 only when the run is stopped",
    { group: "Output", value: "N" },
  ),
  keepCheckpoints: option(
    z.number().int().min(0).default(2),
    "checkpoints that are kept, the newest ones; 0 keeps all",
    { group: "Output", value: "N" },
  ),
  resume: option(
    z.boolean().default(false),
    "continue the run in --output from its newest complete checkpoint, as if it had never stopped",
    { group: "Output" },
  ),
  allowChanges: option(
    z.boolean().default(false),
    "with --resume: go on although data, model or options differ from those of the checkpoint",
    { group: "Output" },
  ),
};

export const loopOptions = {
  epochs: option(count().default(1), "passes over the rows", { group: "Training", value: "N" }),
  maxSteps: option(count().optional(), "stop after this many optimiser steps, also inside an epoch", {
    group: "Training",
    value: "N",
  }),
  batchSize: option(count().default(8), "rows (pairs) of one optimiser step", {
    group: "Training",
    value: "N",
  }),
  microBatchTokens: option(
    count().optional(),
    "tokens computed at once; a step is split into as many micro-batches as it needs, with the same result " +
      "(default: 2048; of an adapter 1024, as activations are most of its memory)",
    { group: "Training", value: "N" },
  ),
  schedule: option(
    z.enum(["constant", "linear", "cosine"]).default("linear"),
    "course of the learning rate after warm-up: constant, or falling to 0 in a line or half a cosine",
    { group: "Training" },
  ),
  warmupRatio: option(
    z.number().min(0).lt(1).default(0),
    "share of the steps in which the learning rate rises from 0",
    { group: "Training", value: "X" },
  ),
  weightDecay: option(z.number().min(0).default(0), "AdamW's decay, on tensors of two or more dimensions", {
    group: "Training",
    value: "X",
  }),
  maxGradNorm: option(
    z.number().min(0).default(1),
    "gradients are scaled down to this L2 norm; 0 leaves them as they are",
    { group: "Training", value: "X" },
  ),
  seed: option(z.number().int().min(0).default(0), "orders the rows; the same seed gives the same bits", {
    group: "Training",
    value: "N",
  }),
};

export const rowOptions = {
  shuffle: option(
    z.boolean().default(true),
    "draw a new order of the rows every epoch (file order instead)",
    {
      group: "Rows",
    },
  ),
  maxLength: option(
    z.number().int().min(2).default(1024),
    "tokens of prompt and completion together; longer rows are dropped or cut, and counted",
    { group: "Rows", value: "N" },
  ),
  skipBadRows: option(
    z.number().int().min(0).default(0),
    "tolerate up to this many bad rows and count them; the next one stops the run",
    { group: "Rows", value: "N" },
  ),
};

export const machineOptions = {
  dtype: option(
    z.enum(["fp32", "bf16"]).default("fp32"),
    "type of weights and activations in the arithmetic; bf16 keeps fp32 master weights",
    { group: "Machine" },
  ),
  threads: option(
    count().max(1024).optional(),
    "threads of the engine (default: ATTUNE_THREADS, else all cores)",
    {
      group: "Machine",
      value: "N",
    },
  ),
  device: option(z.enum(["auto", "cpu", "cuda"]).default("auto"), "where to compute", { group: "Machine" }),
};

/** Frozen models whose weights the host keeps. */
export const offloadOptions = {
  referenceOffload: option(
    z.boolean().default(false),
    "keep the reference's layers in the host's memory and copy them to the GPU one by one, beside the arithmetic: less of " +
      "the GPU's memory, the same bits; no effect on the CPU, or where the reference is the base of the trained adapter",
    { group: "Machine" },
  ),
};

export const outputOptions = {
  logEvery: option(count().default(1), "a metrics line and a progress line every so many steps", {
    group: "Output",
    value: "N",
  }),
};

/** Options of the command line only: they change what is printed or read, never what is trained. */
export const commandOptions = {
  config: option(z.string().min(1).optional(), "YAML file with any of these options; flags override it", {
    group: "Files",
    value: "FILE",
  }),
  json: option(z.boolean().default(false), "print the final summary as one JSON object on standard output", {
    group: "Output",
  }),
  tensorboard: option(
    z.boolean().default(false),
    "write the metrics as TensorBoard event files too, into OUTPUT/tensorboard",
    { group: "Output" },
  ),
};

/** Options of `quickstart`; it has no configuration file. */
export const quickstartOptions = z.strictObject({
  output: option(
    z.string().min(1).optional(),
    "folder for the toy world and its runs (default: the next free runs/quickstart-N)",
    { group: "Files", value: "DIR" },
  ),
  seed: loopOptions.seed,
  threads: machineOptions.threads,
  json: commandOptions.json,
});

/** Options of `doctor`. */
export const doctorOptions = z.strictObject({ json: commandOptions.json });
