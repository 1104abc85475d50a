// Scores of plain rows by a reward model: text, messages or ids in, one score per row and head out. Packs rows itself;
// answers that stand one behind the other and have the same prompt share it.
// Must not tokenise: score-ids.ts does, as training.

import { type PackableRow, packStep, trunkRowsOf } from "../data/index.js";
import { fail } from "../errors/index.js";
import type { Tokenizer } from "../text/index.js";
import type { FrozenModel, JobOptions } from "./contract.js";
import { expectKeys } from "./options.js";
import { type AggregateOptions, aggregateScores, checkAggregate } from "./score-aggregate.js";
import { expectScoreHeads } from "./score-head.js";
import { type ScoreIds, type ScoreRow, scoreIds } from "./score-ids.js";

export type { ScoreRow } from "./score-ids.js";

export interface ScoreOptions extends AggregateOptions, JobOptions {
  /** Trunk rows of one micro-batch; a longer row gets one of its own. Default 2048. */
  readonly microBatchTokens?: number;
}

/** `heads[k]`: [rows] scores of head k. */
export interface AllScores {
  readonly heads: Float32Array[];
}

export interface ScoreRequest {
  readonly rows: Iterable<ScoreRow>;
  readonly options: ScoreOptions;
  readonly model: Pick<FrozenModel, "scores" | "scoreHeads" | "maxPositions">;
  /** [heads] is added to their scores. */
  readonly bias: readonly number[] | undefined;
  /** Asked for only when a row holds text or messages. */
  readonly tokenizer: () => Promise<Tokenizer>;
}

/** Throws ATTUNE_MODEL, ATTUNE_OPTION, ATTUNE_DATA. */
export async function rowScores(request: ScoreRequest): Promise<Float32Array> {
  const { aggregate, k, ...options } = request.options;
  const how = {
    ...(aggregate === undefined ? {} : { aggregate }),
    ...(k === undefined ? {} : { k }),
  };
  checkAggregate(how);
  const { heads } = await scoresOfHeads({ ...request, options });
  return aggregateScores(heads, how);
}

/** Throws ATTUNE_MODEL, ATTUNE_OPTION, ATTUNE_DATA. */
export async function scoresOfHeads(request: ScoreRequest): Promise<AllScores> {
  const { model, options, bias } = request;
  expectKeys("score", options, ["microBatchTokens", "signal"]);
  expectScoreHeads(model.scoreHeads);
  const { microBatchTokens = 2048, signal } = options;
  const rows: ScoreIds[] = [];
  for (const row of request.rows) rows.push(await fitting(row, rows.length, request));
  const { data, members } = sharedPrompts(rows, microBatchTokens);
  const heads = Array.from({ length: model.scoreHeads }, () => new Float32Array(rows.length));
  const job = signal === undefined ? {} : { signal };
  const places = Array.from(data.keys());
  for (const batch of packStep({ data, rows: places, microBatchTokens, score: true })) {
    const scores = await model.scores(batch, job);
    // One target per completion, in the order of the batch's rows.
    const scored = [...batch.rows].flatMap((place) => members[place] ?? []);
    for (const [target, row] of scored.entries())
      for (const [k, head] of heads.entries())
        head[row] = (scores[target * heads.length + k] ?? Number.NaN) + (bias?.[k] ?? 0);
  }
  return { heads };
}

async function fitting(row: ScoreRow, index: number, { model, tokenizer }: ScoreRequest): Promise<ScoreIds> {
  const ids = await scoreIds(row, index, tokenizer);
  const length = ids.prompt.length + ids.completion.length;
  if (length <= model.maxPositions) return ids;
  const text = `Row ${index}: expected at most ${model.maxPositions} tokens (the model's positions) but received ${length}. A cut answer must not be scored.`;
  throw fail("ATTUNE_DATA", text, { details: { row: index } });
}

/** Rows of one prompt in a row, within the budget, as one row with several completions. */
function sharedPrompts(
  rows: readonly ScoreIds[],
  budget: number,
): { data: PackableRow[]; members: number[][] } {
  const data: { prompt: Int32Array; completions: Int32Array[] }[] = [];
  const members: number[][] = [];
  for (const [row, { prompt, completion }] of rows.entries()) {
    const last = data.at(-1);
    if (last !== undefined && sameIds(last.prompt, prompt)) {
      if (trunkRowsOf(last, true) + completion.length <= budget) {
        last.completions.push(completion);
        members.at(-1)?.push(row);
        continue;
      }
    }
    data.push({ prompt, completions: [completion] });
    members.push([row]);
  }
  return { data, members };
}

function sameIds(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
