// `npm run bench decode -- --model PATH`: sampling speed of a real model, as one JSON line.
// The work: --batch prompts of exactly --prompt tokens, --new tokens each at temperature 1 from the whole vocabulary;
// no token stops a sequence. The prefill is timed apart, as the same with one new token.

import { parseArgs } from "node:util";
import { spreadOf } from "../lib/cli/bench-numbers.js";
import { createEngine, type Engine, type Model } from "../lib/engine/index.js";
import { attuneVersion, machineLine } from "../lib/train/machine.js";
import { peakRssBytes } from "../lib/train/metrics.js";
import { countOf, type Dtype, dtypeOf } from "./arguments.js";

interface Work {
  readonly batch: number;
  readonly prompt: number;
  readonly threads: number;
  readonly repeat: number;
  readonly new: number;
  readonly dtype: Dtype;
}

function readArguments(args: readonly string[]): { readonly model: string; readonly work: Work } {
  const text = (fallback: string) => ({ type: "string", default: fallback }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string" },
      batch: text("8"),
      prompt: text("64"),
      new: text("64"),
      repeat: text("3"),
      threads: text("2"),
      dtype: text("fp32"),
    },
  });
  if (values.model === undefined)
    throw new Error("expected --model PATH, a Hugging Face folder or GGUF file");
  const count = (name: "batch" | "prompt" | "new" | "repeat" | "threads") =>
    countOf(`--${name}`, values[name]);
  const numbers = { batch: count("batch"), prompt: count("prompt"), new: count("new") };
  return {
    model: values.model,
    work: { ...numbers, repeat: count("repeat"), threads: count("threads"), dtype: dtypeOf(values.dtype) },
  };
}

/** Ids spread over the vocabulary: what they are does not change the work. */
function promptsOf({ batch, prompt }: Work, vocabulary: number): Int32Array[] {
  return Array.from({ length: batch }, (_, row) =>
    Int32Array.from({ length: prompt }, (_, i) => ((row * prompt + i + 1) * 2654435761) % vocabulary),
  );
}

/** Milliseconds of one whole generation. */
async function timed(model: Model, work: Work, newTokens: number): Promise<number> {
  const prompts = promptsOf(work, model.vocabularySize);
  const started = performance.now();
  const options = { maxNewTokens: newTokens, stopTokens: [], batchSize: work.batch };
  const generation = await model.startGeneration(prompts, options);
  let tokens = 0;
  for (let step = await generation.next(); step !== undefined; step = await generation.next())
    tokens += step.tokens.length;
  await generation.dispose();
  const milliseconds = performance.now() - started;
  if (tokens !== work.batch * newTokens) throw new Error(`${tokens} tokens were sampled`);
  return milliseconds;
}

const spread = (values: readonly number[]) => {
  const { least, median, most } = spreadOf(values, 5);
  return { min: least, median, max: most };
};

async function measure(engine: Engine, model: Model, work: Work) {
  await timed(model, work, 4);
  const prefill: number[] = [];
  const total: number[] = [];
  for (let i = 0; i < work.repeat; i++) {
    prefill.push(await timed(model, work, 1));
    total.push(await timed(model, work, work.new));
  }
  const step = (Math.min(...total) - Math.min(...prefill)) / Math.max(work.new - 1, 1);
  const perSecond = (milliseconds: number) =>
    Number(((1000 * work.batch * work.new) / milliseconds).toFixed(1));
  return {
    bench: "attune_generate",
    ...work,
    isa: engine.isa,
    total_ms: spread(total),
    prefill_ms: spread(prefill),
    decode_step_ms: Number(step.toFixed(2)),
    tokens_per_s: perSecond(spread(total).median),
    tokens_per_s_best: perSecond(Math.min(...total)),
    decode_tokens_per_s: Number(((1000 * work.batch) / step).toFixed(1)),
    memory: { peak_rss_mb: Math.round(peakRssBytes() / 2 ** 20) },
    versions: { attune: attuneVersion },
    machine: machineLine(),
  };
}

/** Prints the line. */
export async function benchDecode(args: readonly string[]): Promise<void> {
  const { model: path, work } = readArguments(args);
  const engine = await createEngine({ threads: work.threads });
  try {
    const model = await engine.loadModel(path, { dtype: work.dtype });
    console.log(JSON.stringify(await measure(engine, model, work)));
  } finally {
    await engine.dispose();
  }
}
