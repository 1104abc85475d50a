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
import {
  type Columns,
  column,
  type LossSubject,
  list,
  lossRows,
  pair,
  ROWS,
  type RowSums,
  type RowTargets,
  single,
  weightOf,
} from "./loss-subject.js";
import { policySubjects, valueSubjects } from "./policy-subjects.js";

export function everyLoss(): readonly LossSubject[] {
  const { pairwise, divergences, listwise, unpaired, scores } = lossTables();
  return [
    {
      title: "nll",
      data: single,
      model: "tokens",
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
    ...policySubjects(),
    ...valueSubjects(),
  ];
}

type PairwiseEntry = ReturnType<typeof lossTables>["pairwise"][number];

function pairSubject(entry: PairwiseEntry, divergence: string): LossSubject {
  const name = entry.name as PairwiseName;
  const smooth = entry.smoothing !== "refused" && entry.smoothing !== "ignored";
  return {
    title: `pairwise ${name}${divergence === "reverse_kl" ? "" : ` ${divergence}`}`,
    data: pair,
    model: "tokens",
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
    model: "tokens",
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
    model: "tokens",
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
    model: "tokens",
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
  return { title: `scores ${title}`, data, model: "scores", sorts: undefined, make };
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

/** Log-probs of every row's completions, summed. */
export function rowSums(targets: RowTargets): RowSums {
  return targets.map((row) => row.map((own) => own.reduce((sum, value) => sum + value, 0)));
}

/** Log-probs of every row's completions at the loss's temperature, or their values; of scores there are none. */
export async function rowTargets(
  model: FrozenModel,
  { data, model: kind, temperature = 1 }: LossSubject,
): Promise<RowTargets> {
  if (kind === "scores") return [];
  const batch = packRows({ data, rows: lossRows });
  const values =
    kind === "values" ? await model.scores(batch) : (await model.forward(batch, { temperature })).logprobs;
  let first = 0;
  return data.map(({ completions }) =>
    completions.map(({ length }) => {
      first += length;
      return Float64Array.from(values.subarray(first - length, first));
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
  /** Of the whole update; needed for losses per target, of scores none. */
  readonly targets?: RowTargets;
  /** The same under a model that was moved since; needed where the loss sorts or holds a ratio constant. */
  readonly movedTargets?: RowTargets;
  readonly heads?: number;
}

/** The loss of some rows as a part of the update of all. */
export function specOf(options: SpecOptions): LossSpec {
  const { subject, rows, reference = [], targets = [], heads = 1 } = options;
  const { movedTargets = targets } = options;
  const { data, sorts } = subject;
  const of = (values: RowSums) => Float64Array.from(rows.flatMap((row) => values[row] ?? []));
  const counts = rows.map((row) => data[row]?.completions.length ?? 0);
  let next = 0;
  const firsts = counts.map((count) => {
    next += count;
    return next - count;
  });
  const matches = sorts === undefined ? undefined : matchesOf(sorts, rowSums(movedTargets), reference);
  return subject.make({
    rows,
    counts,
    firsts,
    reference: of(reference),
    matches: matches === undefined ? undefined : of(matches),
    heads,
    normaliser: ROWS,
    chosenTargets: data.reduce((sum, { completions }) => sum + (completions[0]?.length ?? 0), 0),
    targets,
    movedTargets,
  });
}

function matchesOf(sorts: "aot" | "aot_unpaired", sums: RowSums, reference: RowSums): RowSums {
  const values = matchUpdate(sorts, Float64Array.from(sums.flat()), Float64Array.from(reference.flat()));
  return sums.map((_, row) => Array.from(values.subarray(2 * row, 2 * row + 2)));
}

export function batchOf({ data, model }: LossSubject, rows: readonly number[]): PackedBatch {
  return packRows({ data, rows, score: model === "scores" });
}

/** The same rows, every completion with a copy of the prompt. */
export function repeatedPrompts({ data, model }: LossSubject, rows: readonly number[]): PackedBatch {
  const apart = rows.flatMap((row) =>
    (data[row]?.completions ?? []).map((completion) => ({
      prompt: data[row]?.prompt ?? new Int32Array(0),
      completions: [completion],
    })),
  );
  const batch = packRows({ data: apart, rows: apart.map((_, i) => i), score: model === "scores" });
  let first = 0;
  const groups = rows.flatMap((row) => {
    const count = data[row]?.completions.length ?? 0;
    first += count;
    return [first - count, count];
  });
  return { ...batch, groups: Int32Array.from(groups), rows: Int32Array.from(rows) };
}
