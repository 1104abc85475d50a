// `npm run bench gpt2-step`: whole training steps of a GPT-2 of 124 M random parameters, by default on 4 rows of 64 tokens, as one
// JSON line: forward, loss, backward, AdamW. Must not assert anything.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { spreadOf } from "../lib/cli/bench-numbers.js";
import { packStep } from "../lib/data/index.js";
import { createEngine } from "../lib/engine/index.js";
import { attuneVersion, machineLine } from "../lib/train/machine.js";
import { peakRssBytes } from "../lib/train/metrics.js";
import { countOf, dtypeOf } from "./arguments.js";
import { writeRandomModel } from "./random-model.js";

/** Of the model. */
export const gpt2Size = { vocabulary: 50_257, positions: 1024, width: 768, layers: 12, heads: 12 } as const;

/** Ids spread over the vocabulary, the same in every run. */
function tokensOf(row: number, length: number): Int32Array {
  return Int32Array.from(
    { length },
    (_, i) => ((row * length + i + 1) * 2_654_435_761) % gpt2Size.vocabulary,
  );
}

export async function benchGpt2Step(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      dtype: { type: "string", default: "fp32" },
      threads: { type: "string", default: "2" },
      repeat: { type: "string", default: "5" },
      rows: { type: "string", default: "4" },
      length: { type: "string", default: "64" },
    },
  });
  const rows = countOf("--rows", values.rows);
  const length = countOf("--length", values.length);
  const repeat = countOf("--repeat", values.repeat);
  const threads = countOf("--threads", values.threads);
  const dtype = dtypeOf(values.dtype);
  const folder = join(tmpdir(), "attune-bench-gpt2-124m");
  if (!existsSync(join(folder, "done"))) {
    mkdirSync(folder, { recursive: true });
    writeRandomModel({ folder, ...gpt2Size });
    writeFileSync(join(folder, "done"), "");
  }
  const engine = await createEngine({ threads });
  try {
    const model = await engine.loadModel(folder, { dtype });
    const data = Array.from({ length: rows }, (_, row) => {
      const tokens = tokensOf(row, length);
      return { prompt: tokens.slice(0, 1), completions: [tokens.slice(1)] };
    });
    const [batch] = packStep({ data, rows: [...data.keys()], microBatchTokens: rows * length });
    if (batch === undefined) throw new Error("nothing was packed");
    const { targets } = batch.counts;
    const milliseconds: number[] = [];
    const losses: number[] = [];
    for (let i = 0; i <= repeat; i++) {
      const began = performance.now();
      const { loss } = await model.step(batch, { kind: "nll", normaliser: targets });
      await model.update({ learningRate: 1e-4 });
      // The first one touches memory for the first time.
      if (i > 0) milliseconds.push(performance.now() - began);
      losses.push(Number(loss.toFixed(4)));
    }
    const { least, median, most } = spreadOf(milliseconds);
    const report = {
      bench: "gpt2_step",
      B: rows,
      T: length,
      dtype,
      threads,
      isa: engine.isa,
      ms: { min: least, median, max: most },
      tokens_per_s: Number(((1000 * rows * length) / least).toFixed(1)),
      loss: losses,
      memory: { peak_rss_mb: Math.round(peakRssBytes() / 2 ** 20) },
      versions: { attune: attuneVersion },
      machine: machineLine(),
    };
    console.log(JSON.stringify(report));
  } finally {
    await engine.dispose();
  }
}
