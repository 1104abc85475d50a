// The loss of a batch of scored answers as data: what each row says, by the numbers of the batch's completions.
// Must not compute a loss.

import type { PackedBatch, TokenisedRow, TokenisedRows } from "../data/index.js";
import type { ScoreLoss, TieTreatment } from "../engine/contract.js";
import { rowWeights } from "./batch-columns.js";
import { bootstrapWeights } from "./bootstrap.js";
import { axisOf, type RatingScales, standardised } from "./rating-scales.js";
import { isTieModel, judgedPairs, type RewardLoss } from "./reward-rows.js";

/** What of a run's settings and rows decides its loss. */
export interface LossPlan {
  readonly loss: RewardLoss;
  readonly ties: TieTreatment | undefined;
  readonly centring: number;
  readonly heads: number;
  /** Axes with a head of their own, in the order of the heads; undefined: every head learns from all rows. */
  readonly axes: readonly string[] | undefined;
  /** Of ratings, over the rows that are trained on; else empty. */
  readonly scales: RatingScales;
  /** Of the weights that an ensemble's heads give the rows. */
  readonly seed: number;
}

export interface BatchLoss {
  readonly plan: LossPlan;
  readonly data: TokenisedRows;
  readonly batch: PackedBatch;
  /** Rows of the whole step or evaluation. */
  readonly normaliser: number;
  /** eta of a tie model. */
  readonly tieParameter: number;
  /** Whether heads weigh the rows by their bootstrap counts; an evaluation counts every row once. */
  readonly training: boolean;
}

/** The loss of one batch. Every row is a group. */
export function batchLoss(request: BatchLoss): ScoreLoss {
  const { plan, data, batch, normaliser } = request;
  const headWeights = headWeightsOf(request);
  const base = {
    kind: "scores",
    normaliser,
    weights: rowWeights(data, batch),
    ...(headWeights === undefined ? {} : { headWeights }),
  } as const;
  const rows = Array.from(batch.rows, (row) => data.at(row)).filter((row) => row !== undefined);
  if (plan.loss === "rating") {
    const ratings = Float64Array.from(rows, (row) => standardised(row, plan.scales));
    return { ...base, form: "rating", ratings };
  }
  if (isTieModel(plan.loss)) {
    const labels = Float64Array.from(rows, ({ label }) => label);
    return { ...base, form: plan.loss, labels, tieParameter: request.tieParameter };
  }
  if (plan.loss === "plackett-luce" || plan.loss === "best-of-k")
    return { ...base, ...ranking(rows, plan.loss, plan.ties) };
  return { ...base, ...pairsOf(rows, batch, plan) };
}

function ranking(
  rows: readonly TokenisedRow[],
  form: "plackett-luce" | "best-of-k",
  ties: TieTreatment | undefined,
) {
  const ranks = Int32Array.from(rows.flatMap((row) => row.ranks ?? []));
  if (form === "best-of-k") return { form, ranks } as const;
  const placed = Int32Array.from(rows, (row) => row.placed ?? 0);
  return { form, ranks, placed, ...(ties === undefined ? {} : { ties }) } as const;
}

/** All pairs of a row that count: each completion is scored once, and the row's loss is the mean over them. */
function pairsOf(rows: readonly TokenisedRow[], batch: PackedBatch, { centring, ties }: LossPlan) {
  const pairs: number[] = [];
  const [labels, margins, pairWeights]: [number[], number[], number[]] = [[], [], []];
  const pairCounts = Int32Array.from(rows, (row, group) => {
    const first = batch.groups[2 * group] ?? 0;
    const counted = judgedPairs(row).filter(({ label }) => ties !== "drop" || label !== 0.5);
    for (const { better, worse, label, margin, weight } of counted) {
      pairs.push(first + better, first + worse);
      labels.push(label);
      margins.push(margin);
      // Pairs put together keep their own weights; the row has their mean.
      pairWeights.push(row.pairs === undefined || row.weight === 0 ? 1 : weight / row.weight);
    }
    return counted.length;
  });
  return {
    form: "bradley-terry",
    pairs: Int32Array.from(pairs),
    pairCounts,
    labels: Float64Array.from(labels),
    margins: Float64Array.from(margins),
    centring,
    ...(pairWeights.every((weight) => weight === 1) ? {} : { pairWeights: Float64Array.from(pairWeights) }),
  } as const;
}

/** [groups, heads]; undefined where every head counts every row once. */
function headWeightsOf({ plan, data, batch, training }: BatchLoss): Float64Array | undefined {
  const { heads, axes, seed } = plan;
  if (axes !== undefined && axes.length > 1) {
    // A loss is a mean over heads: of a row that one head alone learns from, that head's whole loss.
    return Float64Array.from(
      [...batch.rows].flatMap((row) => {
        const found = data.at(row);
        return axes.map((axis) => (found !== undefined && axisOf(found) === axis ? heads : 0));
      }),
    );
  }
  if (heads === 1 || !training) return undefined;
  return Float64Array.from(
    [...batch.rows].flatMap((row) => {
      const index = data.at(row)?.index ?? row;
      return Array.from(bootstrapWeights({ seed, row: index, heads }));
    }),
  );
}
