// The material of runs that learn from rows: read, set aside, checked. Must not know an algorithm.

import { sizeOfRow, stepRows, stepsPerEpoch, type TokenisedRows } from "../data/index.js";
import { evaluationParts } from "./evaluation.js";
import type { LargestBatch, Material, OpenedModel } from "./material.js";
import type { SharedMetrics } from "./metrics.js";
import { type OpenRows, type OpenRowsRequest, oddWeights, openRows } from "./open-rows.js";
import { promptsOf } from "./samples.js";

/** What a loop works on. */
export interface JudgedRows {
  readonly data: TokenisedRows;
  /** Rows that are measured only; undefined without evaluation. */
  readonly evaluation: TokenisedRows | undefined;
}

export interface OpenedRows extends Pick<OpenedModel, "model" | "warn"> {
  readonly rows: OpenRows;
}

export interface PreparedRows extends JudgedRows {
  /** Hashes of what else decides the result, by the names that messages use. */
  readonly identity?: Readonly<Record<string, string>>;
}

export interface OpenJudgedRows<Metrics extends SharedMetrics>
  extends Pick<OpenRowsRequest<Metrics>, "settings" | "inputs" | "rows"> {
  /** Looks at all rows before anything is written, and says what the run works on. Default: the rows as they are. */
  readonly prepare?: (opened: OpenedRows) => Promise<PreparedRows>;
}

/** Nothing stays open when it throws. */
export async function openJudgedRows<Metrics extends SharedMetrics>(
  request: OpenJudgedRows<Metrics>,
  opened: OpenedModel,
): Promise<Material<JudgedRows>> {
  const { settings } = request;
  const { model, warn } = opened;
  const rows = await openRows({ ...request, ...opened });
  try {
    const { data, evaluation, identity } = (await request.prepare?.({ rows, model, warn })) ?? {
      data: rows.data,
      evaluation: rows.evaluation,
    };
    const order = { ...settings, rowCount: data.length };
    const odd = oddWeights(data);
    return {
      counts: rows.counts,
      evaluationCounts: rows.evaluationCounts,
      tokenizer: rows.tokenizer,
      identity: { ...rows.identity, ...identity },
      get files() {
        return rows.files;
      },
      rowCount: data.length,
      steps: settings.epochs * stepsPerEpoch(order),
      evaluationCount: evaluation?.length,
      largest: largestOf({ ...settings, data, evaluation }),
      warnings: odd === undefined ? [] : [odd],
      own: { data, evaluation },
      plan: (from) => stepRows({ ...order, from }),
      samplePrompts: (count) => promptsOf(evaluation ?? data, count, model.maxPositions),
      close: () => rows.close(),
    };
  } catch (error) {
    rows.close();
    throw error;
  }
}

type Sizes = JudgedRows &
  Pick<OpenRowsRequest<SharedMetrics>["settings"], "batchSize" | "microBatchTokens" | "seed" | "shuffle">;

/** The first epoch stands for all: later ones only mix the rows anew. */
function largestOf({ data, evaluation, microBatchTokens, ...order }: Sizes): LargestBatch {
  const perEpoch = stepsPerEpoch({ ...order, rowCount: data.length });
  let rows = 0;
  let targets = 0;
  const take = (bound: LargestBatch) => {
    rows = Math.max(rows, bound.rows);
    targets = Math.max(targets, bound.targets);
  };
  for (const step of stepRows({ ...order, rowCount: data.length })) {
    if (step.step === perEpoch) break;
    take(largestBatch(step.rows, data, microBatchTokens));
  }
  if (evaluation !== undefined)
    for (const part of evaluationParts(evaluation)) take(largestBatch(part, evaluation, microBatchTokens));
  return { rows, targets };
}

/** A step in one micro-batch, or one that is full: a row of the trunk predicts one target, a prompt's last one several. */
function largestBatch(step: Int32Array, data: TokenisedRows, microBatchTokens: number): LargestBatch {
  let total = 0;
  let longest = 0;
  let targets = 0;
  let shared = 0;
  for (const index of step) {
    const size = sizeOfRow(data, index);
    if (size === undefined) continue;
    total += size.trunkRows;
    longest = Math.max(longest, size.trunkRows);
    targets += size.targets;
    // The last row of a prompt predicts the first token of every completion.
    shared += Math.max(0, size.targets - size.trunkRows);
  }
  const rows = Math.max(longest, Math.min(total, microBatchTokens));
  return { rows, targets: Math.min(targets, rows + shared) };
}
