// Evaluates a model on rows: a policy by its tokens and by what it prefers, a reward model by its scores.
// Must not load models, print or write.

import type { RowCounts, RowType, TokenisedRow, TokenisedRows } from "../data/index.js";
import type { CompletionSums, FrozenModel, JobOptions, ScoreNormalisation } from "../engine/index.js";
import { type AggregateOptions, checkAggregate } from "../engine/score-aggregate.js";
import { fail } from "../errors/index.js";
import {
  boundScores,
  type Confidence,
  confident,
  headCombiner,
  type RewardBound,
  valuesOfRows,
} from "../rollout/index.js";
import { type EvaluatedRow, type EvaluationMetrics, metricsOfRows, type ScoredBy } from "./evaluated-row.js";
import type { EvaluationRows } from "./evaluation-rows.js";
import { type KlToReference, klToReference } from "./kl.js";
import { type BoundCoverage, boundCoverage } from "./reward-bound.js";
import { requireColumn, type Slicing, sliceRows } from "./slices.js";

/** A model and what is added to its scores. */
export type EvaluatedModel = FrozenModel & { readonly scoreNormalisation?: ScoreNormalisation | undefined };

export interface EvaluateModelOptions extends JobOptions, AggregateOptions {
  readonly model: EvaluatedModel;
  /** For a policy: scores are then implicit rewards beta (log-prob - reference log-prob). */
  readonly reference?: FrozenModel;
  readonly rows: EvaluationRows;
  /** Scores by this head alone, from 0: of a model that has one per axis. */
  readonly head?: number;
  /** In place of score heads: scores by the model's states. */
  readonly bound?: RewardBound;
  /** What of a bound counts. Default "lower". */
  readonly confidence?: Confidence;
  /** Default 0.1. */
  readonly beta?: number;
  /** Columns, or "length" or "longer": metrics of every group. */
  readonly by?: readonly string[];
  /** Of the reliability curve. Default 10. */
  readonly bins?: number;
  /** Exact KL to the reference on the rows' answers. Default false. */
  readonly kl?: boolean;
  /** Default 2048. */
  readonly microBatchTokens?: number;
  readonly onProgress?: (progress: EvaluationProgress) => void;
}

export interface EvaluationProgress {
  readonly phase: "policy" | "reference" | "scores" | "kl";
  readonly done: number;
  readonly total: number;
}

export interface Evaluation {
  readonly kind: "policy" | "reward";
  readonly type: RowType;
  readonly counts: RowCounts;
  /** Where scores come from; undefined: rows of a policy that nobody judged have none. */
  readonly scoredBy: ScoredBy | undefined;
  /** Over all rows. */
  readonly metrics: EvaluationMetrics;
  readonly slices: readonly Slicing<EvaluationMetrics>[];
  readonly kl?: KlToReference;
  /** Of a bound on pairs. */
  readonly coverage?: BoundCoverage;
  /** In file order. */
  readonly rows: readonly EvaluatedRow[];
}

/** @throws ATTUNE_OPTION for options that the model or the rows have no use for, ATTUNE_MODEL, ATTUNE_NOT_FINITE */
export async function evaluateModel(options: EvaluateModelOptions): Promise<Evaluation> {
  const { reference, rows: open, bound, by = [], bins = 10, kl = false } = options;
  const isReward = scoresAnswers(options);
  checkScoring(options);
  checkOptions(options, isReward);
  for (const name of by) requireColumn(name, open.columns.values());
  const scoredBy = scoredByOf(options);
  const rows = isReward ? await scoredRows(options) : await policyRows(options);
  const metricsOf = (some: readonly EvaluatedRow[]) =>
    metricsOfRows(some, { type: open.type, scoredBy, bins });
  return {
    kind: isReward ? "reward" : "policy",
    type: open.type,
    counts: open.counts,
    scoredBy,
    metrics: metricsOf(rows),
    slices: by.map((name) => sliceRows({ rows, by: name, metricsOf })),
    ...(bound !== undefined && open.type === "preference" ? { coverage: boundCoverage(rows) } : {}),
    ...(kl && reference !== undefined ? { kl: await klOf(options, reference) } : {}),
    rows,
  };
}

function scoresAnswers({ model, bound }: Pick<EvaluateModelOptions, "model" | "bound">): boolean {
  return bound !== undefined || model.scoreHeads > 0;
}

function scoredByOf({ model, bound, reference, rows: { type } }: EvaluateModelOptions): ScoredBy | undefined {
  if (bound !== undefined) return "bound";
  if (model.scoreHeads > 0) return "reward";
  if (type === "text" || type === "prompt-completion") return undefined;
  return reference === undefined ? "log-prob" : "implicit reward";
}

function checkOptions(
  { reference, kl, aggregate, k, head, beta, rows, by = [] }: EvaluateModelOptions,
  isReward: boolean,
): void {
  const combines = aggregate !== undefined || k !== undefined || head !== undefined;
  if (isReward && reference !== undefined) {
    const text = "Expected no reference for a reward model, whose scores stand alone, but received one.";
    throw fail("ATTUNE_OPTION", `${text} Leave --reference out.`);
  }
  if (!isReward && combines) {
    const text = "Expected no aggregate or head for a policy but received one: both are for reward models.";
    throw fail("ATTUNE_OPTION", text);
  }
  if (beta !== undefined && !(beta > 0 && Number.isFinite(beta)))
    throw fail("ATTUNE_OPTION", `Expected beta above 0 but received ${beta}. Typical: 0.1.`);
  if (kl === true && reference === undefined)
    throw fail("ATTUNE_OPTION", "Expected a reference beside kl but received none. Give --reference MODEL.");
  if (by.includes("longer") && rows.type !== "preference")
    throw fail("ATTUNE_OPTION", `Expected pairs for --by longer but the rows are of type ${rows.type}.`);
}

/** @throws ATTUNE_OPTION for what contradicts itself or would be ignored */
function checkScoring({ bound, confidence, aggregate, k, head }: ScoredRowsOptions): void {
  const combines = aggregate !== undefined || k !== undefined || head !== undefined;
  if (bound !== undefined && combines)
    throw fail(
      "ATTUNE_OPTION",
      "Expected a bound, or an aggregate or head of a reward model, but received both.",
    );
  if (bound === undefined && confidence !== undefined)
    throw fail("ATTUNE_OPTION", "Expected a bound beside confidence but received none. Give --bound FILE.");
  checkAggregate({ ...(aggregate === undefined ? {} : { aggregate }), ...(k === undefined ? {} : { k }) });
}

/** Rows by the sums of their tokens; scores are implicit rewards where there is a reference. */
async function policyRows(options: EvaluateModelOptions): Promise<readonly EvaluatedRow[]> {
  const { model, reference, rows: open, beta = 0.1 } = options;
  const sums = await sumsOf(model, options, "policy");
  const references = reference === undefined ? undefined : await sumsOf(reference, options, "reference");
  return sums.map((ofRow, position) => {
    const own = references?.[position]?.map(({ logprob }) => logprob);
    const scores = ofRow.map(({ logprob }, answer) =>
      own === undefined ? logprob : beta * (logprob - (own[answer] ?? Number.NaN)),
    );
    const row = rowAt(open.rows, position);
    return {
      ...evaluatedRow(open, row, scores),
      sums: ofRow,
      ...(own === undefined ? {} : { reference: own }),
    };
  });
}

function sumsOf(
  model: FrozenModel,
  { rows: open, microBatchTokens, signal, onProgress }: EvaluateModelOptions,
  phase: "policy" | "reference",
): Promise<readonly (readonly CompletionSums[])[]> {
  const total = open.rows.length;
  return valuesOfRows({
    rows: open.rows,
    ...jobOf({ microBatchTokens, signal }),
    onProgress: (done) => onProgress?.({ phase, done, total }),
    compute: async (batch, job) =>
      (await model.evaluate(batch, { kind: "nll", normaliser: 1 }, job)).completions,
  });
}

/** What scoring answers takes of the options. */
export type ScoredRowsOptions = Pick<
  EvaluateModelOptions,
  | "model"
  | "rows"
  | "bound"
  | "confidence"
  | "aggregate"
  | "k"
  | "head"
  | "microBatchTokens"
  | "signal"
  | "onProgress"
>;

/** Rows by the scores of a reward model or of a bound. Throws ATTUNE_MODEL where the model predicts tokens. */
export async function scoredRows(options: ScoredRowsOptions): Promise<readonly EvaluatedRow[]> {
  const { bound } = options;
  checkScoring(options);
  return bound === undefined ? rewardRows(options) : boundRows({ ...options, bound });
}

async function boundRows(
  options: ScoredRowsOptions & { readonly bound: RewardBound },
): Promise<readonly EvaluatedRow[]> {
  const { rows: open, confidence = "lower" } = options;
  const scores = await boundScores({ ...options, ...progressOf(options) });
  return scores.map(({ answers, difference }, position) => ({
    ...evaluatedRow(
      open,
      rowAt(open.rows, position),
      answers.map((score) => confident(score, confidence)),
    ),
    means: answers.map(({ mean }) => mean),
    widths: answers.map(({ width }) => width),
    ...(difference === undefined ? {} : { difference }),
  }));
}

/** Each head with its own bias. */
async function rewardRows(options: ScoredRowsOptions): Promise<readonly EvaluatedRow[]> {
  const { rows: open } = options;
  const combine = headCombiner(options);
  const ofRows = await headScores(options);
  return ofRows.map((answers, position) => {
    const headCount = answers[0]?.length ?? 0;
    const heads = Array.from({ length: headCount }, (_, head) =>
      Float32Array.from(answers, (scores) => scores[head] ?? Number.NaN),
    );
    const scores = Array.from(combine(heads));
    return {
      ...evaluatedRow(open, rowAt(open.rows, position), scores),
      ...(headCount > 1 ? { heads: heads.map((head) => Array.from(head)) } : {}),
    };
  });
}

function progressOf({ rows: open, onProgress }: Pick<EvaluateModelOptions, "rows" | "onProgress">) {
  const total = open.rows.length;
  return { onProgress: (done: number) => onProgress?.({ phase: "scores", done, total }) };
}

/** [rows][answers][heads] scores with their bias. */
function headScores(options: ScoredRowsOptions): Promise<readonly (readonly Float32Array[])[]> {
  const { model, rows: open, microBatchTokens, signal } = options;
  const heads = model.scoreHeads;
  const bias = model.scoreNormalisation?.bias;
  return valuesOfRows({
    rows: open.rows,
    score: true,
    ...jobOf({ microBatchTokens, signal }),
    ...progressOf(options),
    compute: async (batch, job) => {
      const scores = await model.scores(batch, job);
      return Array.from({ length: scores.length / heads }, (_, answer) =>
        scores.slice(answer * heads, (answer + 1) * heads).map((score, head) => score + (bias?.[head] ?? 0)),
      );
    },
  });
}

function klOf(options: EvaluateModelOptions, reference: FrozenModel): Promise<KlToReference> {
  const { model, rows: open, microBatchTokens, signal, onProgress } = options;
  const total = open.rows.length;
  return klToReference({
    policy: model,
    reference,
    rows: open.rows,
    ...jobOf({ microBatchTokens, signal }),
    onProgress: (fraction) => onProgress?.({ phase: "kl", done: Math.round(fraction * total), total }),
  });
}

function jobOf(options: {
  readonly microBatchTokens: number | undefined;
  readonly signal: AbortSignal | undefined;
}) {
  const { microBatchTokens, signal } = options;
  return {
    ...(microBatchTokens === undefined ? {} : { microBatchTokens }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** @throws ATTUNE_NOT_FINITE naming the row */
function evaluatedRow(open: EvaluationRows, row: TokenisedRow, scores: readonly number[]): EvaluatedRow {
  const { file, line } = row.place;
  const wrong = scores.findIndex((score) => !Number.isFinite(score));
  if (wrong >= 0) {
    const text = `${file}:${line}: expected finite scores but answer ${wrong} has ${scores[wrong]}.`;
    throw fail("ATTUNE_NOT_FINITE", `${text} Check the model.`, { details: { ...row.place } });
  }
  return {
    place: row.place,
    index: row.index,
    columns: open.columns.get(row.index) ?? {},
    scores,
    lengths: row.completions.map(({ length }) => length),
    label: row.label,
    ...(row.ranks === undefined ? {} : { ranks: row.ranks }),
    ...(row.rating === undefined ? {} : { rating: row.rating }),
  };
}

function rowAt(rows: TokenisedRows, position: number): TokenisedRow {
  const row = rows.at(position);
  if (row === undefined) throw fail("ATTUNE_INTERNAL", `No row ${position} of ${rows.length}.`);
  return row;
}
