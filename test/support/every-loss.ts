// One subject per entry of the native tables of losses: rows, judgements and references that go with it, so that what
// holds for losses is held for all of them. Must not compute a loss; an entry that it cannot serve is an error.

import { type PackableRow, type PackedBatch, packRows } from "../../lib/data/index.js";
import { lossTables, matchUpdate } from "../../lib/engine/checks.js";
import type {
  Divergence,
  FrozenModel,
  ListwiseForm,
  LossSpec,
  PairwiseName,
  ScoreLoss,
  TieTreatment,
  UnpairedLoss,
} from "../../lib/engine/contract.js";
import { someIds } from "./packed-rows.js";

export const LOSS_VOCABULARY = 64;
const ROWS = 8;
export const lossRows: readonly number[] = Array.from({ length: ROWS }, (_, row) => row);

/** Answers of a row; the chosen side's lengths differ so that no two pairs have nearly equal differences. */
const lengths = (row: number) => [5 + row, 8, 4 + (row % 3), 6];

function rowsOf(completions: (row: number) => number): readonly PackableRow[] {
  return lossRows.map((row) => ({
    prompt: someIds(3 + (row % 3), 3 * row + 1, LOSS_VOCABULARY),
    completions: lengths(row)
      .slice(0, completions(row))
      .map((length, side) => someIds(length, 5 * row + side + 2, LOSS_VOCABULARY)),
  }));
}

const single = rowsOf(() => 1);
const pair = rowsOf(() => 2);
const list = rowsOf((row) => 3 + (row % 2));

/** Sums by row and completion. */
export type RowSums = readonly (readonly number[])[];

/** What a loss is told of the rows of a batch. */
interface Columns {
  /** [groups] rows. */
  readonly rows: readonly number[];
  /** [groups] completions. */
  readonly counts: readonly number[];
  /** [groups] number of the first completion in the batch. */
  readonly firsts: readonly number[];
  /** [completions] */
  readonly reference: Float64Array;
  /** [completions] where the loss sorts. */
  readonly matches: Float64Array | undefined;
  readonly heads: number;
  readonly normaliser: number;
  /** Targets of the first completions of all rows. */
  readonly chosenTargets: number;
}

export interface LossSubject {
  readonly title: string;
  readonly data: readonly PackableRow[];
  readonly scores: boolean;
  readonly sorts: "aot" | "aot_unpaired" | undefined;
  readonly make: (columns: Columns) => LossSpec;
}

const column = ({ rows }: Columns, of: (row: number) => number) => Float64Array.from(rows, of);
const weightOf = (row: number) => 0.5 + 0.25 * (row % 4);

export function everyLoss(): readonly LossSubject[] {
  const { pairwise, divergences, listwise, unpaired, scores } = lossTables();
  return [
    {
      title: "nll",
      data: single,
      scores: false,
      sorts: undefined,
      make: (columns) => ({
        kind: "nll",
        normaliser: columns.chosenTargets,
        weights: column(columns, weightOf),
      }),
    },
    ...pairwise.map((entry) => pairSubject(entry, "reverse_kl")),
    ...divergences
      .filter(({ name }) => name !== "reverse_kl")
      .flatMap(({ name }) =>
        pairwise.filter(({ name: loss }) => loss === "sigmoid").map((entry) => pairSubject(entry, name)),
      ),
    mixtureSubject(),
    ...listwise.map(listSubject),
    ...unpaired.map(({ name }) => unpairedSubject(name as UnpairedLoss["loss"])),
    ...scores.flatMap(({ form, groups }) =>
      groups === "lists"
        ? listwise.filter((entry) => entry.form === form).map(listScores)
        : otherScores(form),
    ),
  ];
}

type PairwiseEntry = ReturnType<typeof lossTables>["pairwise"][number];

function pairSubject(entry: PairwiseEntry, divergence: string): LossSubject {
  const name = entry.name as PairwiseName;
  const smooth = entry.smoothing !== "refused" && entry.smoothing !== "ignored";
  return {
    title: `pairwise ${name}${divergence === "reverse_kl" ? "" : ` ${divergence}`}`,
    data: pair,
    scores: false,
    sorts: name === "aot" || name === "aot_unpaired" ? name : undefined,
    make: (columns) => ({
      kind: "pairwise",
      terms: [{ name, weight: 1 }],
      normaliser: columns.normaliser,
      beta: 0.4,
      reference: columns.reference,
      chosenTargets: columns.chosenTargets,
      divergence: divergence as Divergence,
      // Smooth enough for differences of whole models.
      discopopTemperature: 2,
      ...(smooth ? { labelSmoothing: 0.1 } : {}),
      ...(entry.nll === "by-weight" ? { nllWeight: 0.6 } : {}),
      ...(entry.softLabels ? { labels: column(columns, (row) => 1 - 0.1 * (row % 5)) } : {}),
      ...(entry.weights ? { weights: column(columns, weightOf) } : {}),
      ...(columns.matches === undefined ? {} : { matches: columns.matches }),
    }),
  };
}

/** Several losses with weights, likelihood among them. */
function mixtureSubject(): LossSubject {
  return {
    title: "pairwise mixture",
    data: pair,
    scores: false,
    sorts: undefined,
    make: (columns) => ({
      kind: "pairwise",
      terms: [
        { name: "sigmoid", weight: 0.7 },
        { name: "bco_pair", weight: 0.2 },
        { name: "sft", weight: 0.5 },
      ],
      normaliser: columns.normaliser,
      beta: 0.4,
      reference: columns.reference,
      chosenTargets: columns.chosenTargets,
      weights: column(columns, weightOf),
    }),
  };
}

type ListwiseEntry = ReturnType<typeof lossTables>["listwise"][number];

/** Ranks with ties; every third row has two places and the others unordered below. */
function ranking(columns: Columns, { form, ties, places }: ListwiseEntry) {
  const best = ties === "";
  const ranks = columns.rows.flatMap((row, group) => {
    const count = columns.counts[group] ?? 0;
    const given = best ? [1, 2, 2, 2] : places && row % 3 === 0 ? [1, 2, 3, 3] : [1, 2, 2, 3];
    return Array.from({ length: count }, (_, side) => given[(side + row) % count] ?? 1);
  });
  return {
    form: form as ListwiseForm,
    ranks: Int32Array.from(ranks),
    ...(best ? {} : { ties: ties as TieTreatment }),
    ...(places ? { placed: Int32Array.from(columns.rows, (row) => (row % 3 === 0 ? 2 : 0)) } : {}),
  };
}

function listSubject(entry: ListwiseEntry): LossSubject {
  return {
    title: `listwise ${entry.form} ${entry.ties}`.trim(),
    data: list,
    scores: false,
    sorts: undefined,
    make: (columns) => ({
      kind: "listwise",
      ...ranking(columns, entry),
      normaliser: columns.normaliser,
      beta: 0.4,
      reference: columns.reference,
      weights: column(columns, weightOf),
    }),
  };
}

function unpairedSubject(loss: UnpairedLoss["loss"]): LossSubject {
  return {
    title: `unpaired ${loss}`,
    data: single,
    scores: false,
    sorts: undefined,
    make: (columns) => ({
      kind: "unpaired",
      loss,
      normaliser: columns.normaliser,
      beta: 0.4,
      baseline: 0.2,
      desirableWeight: 1.3,
      undesirableWeight: 0.7,
      labels: column(columns, (row) => row % 2),
      reference: columns.reference,
      weights: column(columns, weightOf),
    }),
  };
}

function scoreBase(columns: Columns) {
  const { rows, heads } = columns;
  const headWeights = rows.flatMap((row) => Array.from({ length: heads }, (_, head) => (row + 2 * head) % 3));
  return {
    kind: "scores",
    normaliser: columns.normaliser,
    weights: column(columns, weightOf),
    headWeights: Float64Array.from(headWeights),
  } as const;
}

function scoreSubject(
  title: string,
  data: readonly PackableRow[],
  make: (columns: Columns) => ScoreLoss,
): LossSubject {
  return { title: `scores ${title}`, data, scores: true, sorts: undefined, make };
}

function listScores(entry: ListwiseEntry): LossSubject {
  return scoreSubject(`${entry.form} ${entry.ties}`.trim(), list, (columns) => ({
    ...scoreBase(columns),
    ...ranking(columns, entry),
  }));
}

function otherScores(form: string): readonly LossSubject[] {
  const outcome = (row: number) => 0.5 * (row % 3);
  switch (form) {
    case "bradley-terry":
      return [
        scoreSubject("bradley-terry", pair, pairScores),
        scoreSubject("pairs of a list", list, listedPairs),
      ];
    case "rating":
      return [
        scoreSubject("rating", single, (columns) => ({
          ...scoreBase(columns),
          form,
          ratings: column(columns, (row) => 0.3 * row - 1),
        })),
      ];
    case "rao-kupper":
    case "davidson":
      return [
        scoreSubject(form, pair, (columns) => ({
          ...scoreBase(columns),
          form,
          labels: column(columns, outcome),
          tieParameter: 0.4,
        })),
      ];
    default:
      throw new Error(`there are no rows for the loss of scores ${form}: write some`);
  }
}

function pairScores(columns: Columns): ScoreLoss {
  return {
    ...scoreBase(columns),
    form: "bradley-terry",
    labels: column(columns, (row) => 1 - 0.1 * (row % 5)),
    margins: column(columns, (row) => 0.1 * row),
    centring: 0.05,
  };
}

/** The first answer against each other one; a row without pairs among them. */
function listedPairs(columns: Columns): ScoreLoss {
  const pairCounts = columns.rows.map((row, group) => (row === 5 ? 0 : (columns.counts[group] ?? 0) - 1));
  const pairs = pairCounts.flatMap((count, group) => {
    const first = columns.firsts[group] ?? 0;
    return Array.from({ length: count }, (_, i) => [first, first + i + 1]).flat();
  });
  const ofPair = columns.rows.flatMap((row, group) =>
    Array.from({ length: pairCounts[group] ?? 0 }, (_, i) => 0.5 + 0.2 * ((row + i) % 4)),
  );
  return {
    ...scoreBase(columns),
    form: "bradley-terry",
    pairs: Int32Array.from(pairs),
    pairCounts: Int32Array.from(pairCounts),
    pairWeights: Float64Array.from(ofPair),
    centring: 0.05,
  };
}

/** Summed log-probs of every row's completions. */
export async function rowSums(model: FrozenModel, data: readonly PackableRow[]): Promise<RowSums> {
  const { logprobs } = await model.forward(packRows({ data, rows: lossRows }));
  let first = 0;
  return data.map(({ completions }) =>
    completions.map(({ length }) => {
      const own = logprobs.subarray(first, first + length);
      first += length;
      return own.reduce((sum, value) => sum + value, 0);
    }),
  );
}

/** A reference under which log-ratios are spread around 0, no two of a side near each other. */
export function referenceFor(sums: RowSums): RowSums {
  return sums.map((row, i) =>
    row.map((sum, side) => sum - 0.45 * ((((2 * side + 1) * i + 3 * side) % ROWS) - 3.4 + 0.1 * side)),
  );
}

export interface SpecOptions {
  readonly subject: LossSubject;
  readonly rows: readonly number[];
  /** Not needed for scores. */
  readonly reference?: RowSums;
  /** Of the whole update; needed where the loss sorts. */
  readonly sums?: RowSums;
  readonly heads?: number;
}

/** The loss of some rows as a part of the update of all. */
export function specOf({ subject, rows, reference = [], sums, heads = 1 }: SpecOptions): LossSpec {
  const { data, sorts } = subject;
  const of = (values: RowSums) => Float64Array.from(rows.flatMap((row) => values[row] ?? []));
  const counts = rows.map((row) => data[row]?.completions.length ?? 0);
  let next = 0;
  const firsts = counts.map((count) => {
    next += count;
    return next - count;
  });
  const matches = sorts === undefined || sums === undefined ? undefined : matchesOf(sorts, sums, reference);
  return subject.make({
    rows,
    counts,
    firsts,
    reference: of(reference),
    matches: matches === undefined ? undefined : of(matches),
    heads,
    normaliser: ROWS,
    chosenTargets: data.reduce((sum, { completions }) => sum + (completions[0]?.length ?? 0), 0),
  });
}

function matchesOf(sorts: "aot" | "aot_unpaired", sums: RowSums, reference: RowSums): RowSums {
  const values = matchUpdate(sorts, Float64Array.from(sums.flat()), Float64Array.from(reference.flat()));
  return sums.map((_, row) => Array.from(values.subarray(2 * row, 2 * row + 2)));
}

export function batchOf({ data, scores }: LossSubject, rows: readonly number[]): PackedBatch {
  return packRows({ data, rows, score: scores });
}

/** The same rows, every completion with a copy of the prompt. */
export function repeatedPrompts({ data, scores }: LossSubject, rows: readonly number[]): PackedBatch {
  const apart = rows.flatMap((row) =>
    (data[row]?.completions ?? []).map((completion) => ({
      prompt: data[row]?.prompt ?? new Int32Array(0),
      completions: [completion],
    })),
  );
  const batch = packRows({ data: apart, rows: apart.map((_, i) => i), score: scores });
  let first = 0;
  const groups = rows.flatMap((row) => {
    const count = data[row]?.completions.length ?? 0;
    first += count;
    return [first - count, count];
  });
  return { ...batch, groups: Int32Array.from(groups), rows: Int32Array.from(rows) };
}
