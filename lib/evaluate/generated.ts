// Measures answers that a policy writes now: against another writer, as best of N, and how far from its reference.
// Must not load models.

import {
  type Content,
  type PackableRow,
  type RowFormat,
  type RowSource,
  readRows,
  type TokenisedRow,
} from "../data/index.js";
import type { JobOptions, Model } from "../engine/index.js";
import type { AggregateOptions } from "../engine/score-aggregate.js";
import { scoreIds } from "../engine/score-ids.js";
import { fail } from "../errors/index.js";
import {
  boundScores,
  type Confidence,
  confident,
  headCombiner,
  type RewardBound,
  scoreRow,
} from "../rollout/index.js";
import type { ChatMessage } from "../text/index.js";
import type { Answer, AnsweredPrompt, ScoreAnswers } from "./answers.js";
import type { EvaluationRows } from "./evaluation-rows.js";

/** Prompts of rows, each once, with the answer that its first row calls best. */
export interface GeneratedPrompts {
  readonly prompts: readonly Int32Array[];
  /** Number of each prompt's first row over all files. */
  readonly indices: readonly number[];
  /** Undefined where rows have no answers. */
  readonly answers: readonly Answer[] | undefined;
}

export interface PromptsOfRows {
  readonly rows: EvaluationRows;
  /** The first so many different ones. */
  readonly count: number;
  /** Tokens that answers may get; longer prompts are left out. */
  readonly room: { readonly positions: number; readonly answer: number };
  /** Reads an answer's ids as text. */
  readonly decode: (ids: Int32Array) => string;
  readonly eosIds: readonly number[];
}

/** @throws ATTUNE_NO_ROWS when no prompt leaves room for an answer, ATTUNE_DATA for rows without prompts */
export function promptsOfRows({ rows: open, count, room, decode, eosIds }: PromptsOfRows): GeneratedPrompts {
  if (open.type === "text")
    throw fail("ATTUNE_DATA", "Expected rows with prompts, to have them answered, but found text rows.");
  const found = new Map<string, { prompt: Int32Array; index: number; answer: Answer | undefined }>();
  for (let position = 0; position < open.rows.length && found.size < count; position++) {
    const row = open.rows.at(position);
    if (row === undefined || row.prompt.length + room.answer > room.positions) continue;
    const key = row.prompt.join();
    if (found.has(key)) continue;
    const ids = bestAnswer(row);
    const ended = ids !== undefined && eosIds.includes(ids.at(-1) ?? -1);
    const answer = ids && { text: decode(ids), ids, length: ids.length, ended };
    found.set(key, { prompt: row.prompt, index: row.index, answer });
  }
  const all = [...found.values()];
  if (all.length === 0) {
    const text = `Expected a prompt that leaves room for ${room.answer} tokens within ${room.positions} positions but found none.`;
    throw fail("ATTUNE_NO_ROWS", `${text} Lower --max-new-tokens.`);
  }
  const answers = all.flatMap(({ answer }) => (answer === undefined ? [] : [answer]));
  return {
    prompts: all.map(({ prompt }) => prompt),
    indices: all.map(({ index }) => index),
    answers: answers.length === all.length ? answers : undefined,
  };
}

/** Chosen, ranked best, or the only one. */
function bestAnswer({ completions, ranks, label }: TokenisedRow) {
  if (ranks !== undefined) return completions[ranks.indexOf(Math.min(...ranks))];
  return completions[completions.length === 2 && label < 0.5 ? 1 : 0];
}

/**
 * Prompts as their files have them, in the order of `indices` (numbers of rows over all files): for writers and scorers
 * that don't share their tokens. Throws ATTUNE_TOKENIZER where they are ids of one of them.
 */
export async function promptContents(
  data: RowSource,
  indices: readonly number[],
  format: RowFormat,
): Promise<readonly (string | readonly ChatMessage[])[]> {
  const wanted = new Set(indices);
  const contents = new Map<number, Content>();
  for await (const row of readRows({ data, format, skipBadRows: Number.MAX_SAFE_INTEGER })) {
    if (wanted.has(row.index) && "prompt" in row) contents.set(row.index, row.prompt);
    if (contents.size === wanted.size) break;
  }
  return indices.map((index) => {
    const content = contents.get(index);
    if (content === undefined) throw fail("ATTUNE_INTERNAL", `Row ${index} has no prompt.`);
    if (!(content instanceof Int32Array)) return content;
    const text =
      "Expected prompts of text or messages, as the models have different tokenizers, but found token ids.";
    throw fail("ATTUNE_TOKENIZER", `${text} Give rows of text.`);
  });
}

export interface AnswerScorer extends AggregateOptions {
  readonly rewardModel: Pick<Model, "scoreAll" | "scoreHeads">;
  /** By this head alone, from 0. */
  readonly head?: number;
  /** EOS ids of the policy, where the reward model reads the same tokens; undefined: it reads text. */
  readonly sharedEosIds: readonly number[] | undefined;
  readonly microBatchTokens?: number;
}

/**
 * Scores by a reward model. An answer that ended is scored with its EOS, as in training. One that was cut has none: its
 * tokens are scored as they are or, by a reward model of other tokens, its text as if it had ended there.
 */
export function answerScorer(options: AnswerScorer): ScoreAnswers {
  const { rewardModel, microBatchTokens } = options;
  const combine = headCombiner({ ...options, model: rewardModel });
  return async (rows: readonly AnsweredPrompt[], job: JobOptions) => {
    const { heads } = await rewardModel.scoreAll(
      rows.map(({ prompt, answer }) => scoreRow({ prompt, ...answer }, options.sharedEosIds)),
      { ...job, ...(microBatchTokens === undefined ? {} : { microBatchTokens }) },
    );
    return combine(heads);
  };
}

export interface BoundAnswerScorer extends Pick<AnswerScorer, "sharedEosIds" | "microBatchTokens"> {
  readonly rewardModel: Pick<Model, "states" | "dtype" | "tokenizer">;
  readonly bound: RewardBound;
  /** Default "lower". */
  readonly confidence?: Confidence;
}

/** Scores by a linear bound on the reward model's states: pessimistic ones do not reward what nobody judged. */
export function boundAnswerScorer(options: BoundAnswerScorer): ScoreAnswers {
  const { rewardModel, bound, confidence = "lower", sharedEosIds, microBatchTokens } = options;
  return async (answered, job) => {
    const rows: PackableRow[] = [];
    for (const [index, { prompt: given, answer }] of answered.entries()) {
      const row = scoreRow({ prompt: given, ...answer }, sharedEosIds);
      const { prompt, completion } = await scoreIds(row, index, () => rewardModel.tokenizer());
      rows.push({ prompt, completions: [completion] });
    }
    const scores = await boundScores({
      model: rewardModel,
      bound,
      rows: { rows },
      ...job,
      ...(microBatchTokens === undefined ? {} : { microBatchTokens }),
    });
    return scores.map(({ answers: [score] }) =>
      score === undefined ? Number.NaN : confident(score, confidence),
    );
  };
}
