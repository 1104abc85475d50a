// How likely a model finds rows that no training saw. Must not train.

import { loadRows, packStep } from "../data/index.js";
import type { TrainableModel } from "../engine/contract.js";
import { loadTokenizer } from "../text/index.js";

export interface MeanLossOptions {
  readonly model: TrainableModel;
  /** Rows of `sft`, or a file of them. */
  readonly data: string | readonly object[];
}

const microBatchTokens = 2048;

/** Mean negative log-likelihood per token of texts or answers, in nats. */
export async function meanLoss({ model, data }: MeanLossOptions): Promise<number> {
  const tokenizer = await loadTokenizer({ path: model.source });
  const { rows } = await loadRows({ data, tokenizer, task: "sft", maxLength: model.maxPositions });
  try {
    const all = Array.from({ length: rows.length }, (_, i) => i);
    let [sum, count] = [0, 0];
    for (const batch of packStep({ data: rows, rows: all, microBatchTokens })) {
      const { logprobs } = await model.forward(batch);
      sum -= logprobs.reduce((total, value) => total + value, 0);
      count += logprobs.length;
    }
    return sum / count;
  } finally {
    rows.close();
  }
}
