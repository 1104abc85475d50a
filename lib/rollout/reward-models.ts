// Answers to rows that a reward model reads, and one score from its heads or its bound.
// Must not sample, and must not know functions as rewards.

import type { Content, PackableRow } from "../data/index.js";
import type { AggregateOptions, FrozenModel, JobOptions, Prompt, ScoreRow } from "../engine/index.js";
import { aggregateScores } from "../engine/score-aggregate.js";
import { expectScoreHeads } from "../engine/score-head.js";
import { scoreIds } from "../engine/score-ids.js";
import { fail } from "../errors/index.js";
import { boundScores, confident } from "./bound-scores.js";
import type { RewardBoundSource, RewardModelSource } from "./reward-source.js";

/**
 * One score per answer from those of all heads: [heads][answers] to [answers].
 * @throws ATTUNE_OPTION for a head that the model lacks, or beside an aggregate
 */
export function headCombiner({
  model,
  aggregate,
  k,
  head,
}: AggregateOptions & {
  readonly model: Pick<FrozenModel, "scoreHeads">;
  readonly head?: number;
}): (heads: readonly Float32Array[]) => Float32Array {
  expectScoreHeads(model.scoreHeads);
  const how = { ...(aggregate === undefined ? {} : { aggregate }), ...(k === undefined ? {} : { k }) };
  if (head === undefined) return (heads) => aggregateScores(heads, how);
  if (aggregate !== undefined || k !== undefined)
    throw fail("ATTUNE_OPTION", "Expected one head or an aggregate of all but received both.");
  if (!Number.isInteger(head) || head < 0 || head >= model.scoreHeads) {
    const text = `Expected head to be a whole number from 0 to ${model.scoreHeads - 1} but received ${head}.`;
    throw fail("ATTUNE_OPTION", text);
  }
  return (heads) => heads[head] ?? new Float32Array(0);
}

/** An answer with its prompt. */
export interface AnswerToScore {
  readonly prompt: Prompt;
  readonly text: string;
  /** Absent where an answer came as text. */
  readonly ids?: Int32Array;
  /** False: it was cut. */
  readonly ended: boolean;
}

/**
 * What a reward model reads. Where it shares the policy's tokens (`sharedEosIds` are the EOS ids of both) the ids as they
 * are; else, or where a stop text ended an answer, its text, to which EOS is added.
 */
export function scoreRow(
  { prompt, text, ids, ended }: AnswerToScore,
  sharedEosIds: readonly number[] | undefined,
): ScoreRow {
  if (sharedEosIds === undefined || ids === undefined || ids.length === 0)
    return { prompt, completion: text };
  const whole = !ended || sharedEosIds.includes(ids.at(-1) ?? -1);
  return { prompt, completion: whole ? ids : text };
}

/** An answer of a rollout: its prompt by ids and as its row has it. */
export interface RolloutAnswer {
  readonly promptIds: Int32Array;
  readonly prompt: Content;
  readonly text: string;
  readonly ids: Int32Array;
  readonly ended: boolean;
}

/** Throws ATTUNE_TOKENIZER where a model of other tokens would have to read ids. */
export function rowsToScore(
  answers: readonly RolloutAnswer[],
  sharedEosIds: readonly number[] | undefined,
): ScoreRow[] {
  return answers.map(({ promptIds, prompt, ...answer }) => {
    if (sharedEosIds !== undefined) return scoreRow({ prompt: promptIds, ...answer }, sharedEosIds);
    if (!(prompt instanceof Int32Array)) return scoreRow({ prompt, ...answer }, undefined);
    const text =
      "Expected prompts of text or messages, as the reward model has another tokenizer than the policy,";
    throw fail("ATTUNE_TOKENIZER", `${text} but found token ids.`);
  });
}

/** [rows] */
export async function modelScores(
  source: RewardModelSource,
  rows: readonly ScoreRow[],
  job: JobOptions,
): Promise<Float32Array> {
  const { model, microBatchTokens } = source;
  const combine = headCombiner(source);
  const size = microBatchTokens === undefined ? {} : { microBatchTokens };
  const { heads } = await model.scoreAll(rows, { ...job, ...size });
  return combine(heads);
}

/** [rows] the bound's lower end, mean or upper end. */
export async function scoresOfBound(
  { model, bound, confidence = "lower", microBatchTokens }: RewardBoundSource,
  rows: readonly ScoreRow[],
  job: JobOptions,
): Promise<Float64Array> {
  const packable: PackableRow[] = [];
  for (const [index, row] of rows.entries()) {
    const { prompt, completion } = await scoreIds(row, index, () => model.tokenizer());
    packable.push({ prompt, completions: [completion] });
  }
  const size = microBatchTokens === undefined ? {} : { microBatchTokens };
  const scores = await boundScores({ model, bound, rows: { rows: packable }, ...job, ...size });
  return Float64Array.from(scores, ({ answers: [score] }) =>
    score === undefined ? Number.NaN : confident(score, confidence),
  );
}
