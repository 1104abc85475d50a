// Looks at rows that no training saw: how likely their answers are, and which answer of a pair the model prefers.
// Must not train.

import { loadRows, packStep } from "../data/index.js";
import type { TrainableModel } from "../engine/contract.js";
import { loadTokenizer } from "../text/index.js";

export interface MeasureOptions {
  readonly model: TrainableModel;
  /** Rows, or a file of them. */
  readonly data: string | readonly object[];
}

const microBatchTokens = 2048;

/** Mean negative log-likelihood per token of the answers, in nats. */
export async function demonstrationLoss({ model, data }: MeasureOptions): Promise<number> {
  const sums = await completionMeans(model, data, "sft");
  const tokens = sums.reduce((sum, row) => sum + (row[0]?.count ?? 0), 0);
  return -sums.reduce((sum, row) => sum + (row[0]?.logprob ?? 0), 0) / tokens;
}

/** Share of pairs whose chosen answer is likelier per token than the rejected one. */
export async function pairAccuracy({ model, data }: MeasureOptions): Promise<number> {
  const pairs = await completionMeans(model, data, "preference");
  const perToken = (side: { readonly logprob: number; readonly count: number } | undefined) =>
    side === undefined ? 0 : side.logprob / side.count;
  return pairs.filter(([chosen, rejected]) => perToken(chosen) > perToken(rejected)).length / pairs.length;
}

async function completionMeans(
  model: TrainableModel,
  data: MeasureOptions["data"],
  task: "sft" | "preference",
): Promise<readonly { readonly logprob: number; readonly count: number }[][]> {
  const tokenizer = await loadTokenizer({ path: model.source });
  const { rows } = await loadRows({ data, tokenizer, task, maxLength: model.maxPositions });
  const found: { logprob: number; count: number }[][] = [];
  for (const batch of packStep({
    data: rows,
    rows: Array.from({ length: rows.length }, (_, i) => i),
    microBatchTokens,
  })) {
    const { logprobs } = await model.forward(batch);
    for (const [group, row] of batch.rows.entries()) {
      const first = batch.groups[2 * group] ?? 0;
      const count = batch.groups[2 * group + 1] ?? 0;
      found[row] = Array.from({ length: count }, (_, i) => {
        const start = batch.completions[2 * (first + i)] ?? 0;
        const length = batch.completions[2 * (first + i) + 1] ?? 0;
        const logprob = logprobs.subarray(start, start + length).reduce((sum, value) => sum + value, 0);
        return { logprob, count: length };
      });
    }
  }
  return found;
}
