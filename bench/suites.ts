// The suites: tokenising, packing, and whole steps of a tiny model. Each makes its own data from fixed seeds.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import benny from "benny";
import { loadRows, packStep } from "../lib/data/index.js";
import { createEngine } from "../lib/engine/index.js";
import { loadTokenizer } from "../lib/text/index.js";
import { cornerShop, writeTinyModel } from "../lib/world/index.js";

type Summary = Awaited<ReturnType<typeof benny.suite>>;

/** Seconds of one case; several trials give what one long one would not, another process. */
const sampling = { maxTime: 0.4 } as const;

/** A folder with the toy world's model, gone afterwards. */
async function withModel(work: (folder: string) => Promise<Summary>): Promise<Summary> {
  const folder = mkdtempSync(join(tmpdir(), "attune-bench-"));
  try {
    await writeTinyModel({ folder, seed: 1 });
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function pairRows(folder: string) {
  const tokenizer = await loadTokenizer({ path: folder });
  const { pairs } = cornerShop({ seed: 1, count: 64 });
  return loadRows({ data: pairs, tokenizer, task: "preference" });
}

export const suites: Readonly<Record<string, () => Promise<Summary>>> = {
  rows: () =>
    withModel(async (folder) => {
      const { rows } = await pairRows(folder);
      const all = Array.from({ length: rows.length }, (_, i) => i);
      return benny.suite(
        "rows",
        benny.add(
          "read and tokenise 64 pairs",
          async () => {
            await pairRows(folder);
          },
          sampling,
        ),
        benny.add(
          "pack 64 pairs into micro-batches of 1024",
          () => {
            packStep({ data: rows, rows: all, microBatchTokens: 1024 });
          },
          sampling,
        ),
      );
    }),

  steps: () =>
    withModel(async (folder) => {
      const { rows: data } = await pairRows(folder);
      const [batch] = packStep({
        data,
        rows: Array.from({ length: 16 }, (_, i) => i),
        microBatchTokens: 65_536,
      });
      if (batch === undefined) throw new Error("nothing was packed");
      const engine = await createEngine();
      try {
        const model = await engine.loadModel(folder);
        const { targets } = batch.counts;
        return await benny.suite(
          "steps",
          benny.add(
            "forward, 16 pairs, toy model",
            async () => {
              await model.forward(batch);
            },
            sampling,
          ),
          benny.add(
            "nll step and update, 16 pairs, toy model",
            async () => {
              await model.step(batch, { kind: "nll", normaliser: targets });
              await model.update({ learningRate: 1e-4 });
            },
            sampling,
          ),
        );
      } finally {
        await engine.dispose();
      }
    }),
};
