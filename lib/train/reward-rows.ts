// What rows say to a reward model: judged pairs, ranks, ratings, best answers; and what loss that amounts to.
// Must not know scores or gradients.

import {
  type JudgedPair,
  selectRows,
  type TokenisedRow,
  type TokenisedRows,
  trunkRowsOf,
} from "../data/index.js";
import { type AttuneError, fail } from "../errors/index.js";
import type { RewardSettings } from "../options/index.js";
import { sumsOverOrders, tooManyTied } from "./summed-ties.js";

export type RewardLoss = Exclude<RewardSettings["loss"], "auto">;

/** Losses of pairs whose ties are outcomes of their own. */
export type TieModel = Extract<RewardLoss, "rao-kupper" | "davidson">;

export function isTieModel(loss: RewardLoss): loss is TieModel {
  return loss === "rao-kupper" || loss === "davidson";
}

/** What all rows of a set are; the first one decides, since a set has one type. */
export type JudgementKind = "pairs" | "ranks" | "ratings";

export function judgementKind(row: TokenisedRow | undefined): JudgementKind {
  if (row?.rating !== undefined) return "ratings";
  return row?.ranks === undefined ? "pairs" : "ranks";
}

/** Losses that rows can be learned by; the first one is what "auto" means. */
const lossesOf: Readonly<Record<JudgementKind, readonly RewardLoss[]>> = {
  pairs: ["bradley-terry", "all-pairs", "rao-kupper", "davidson"],
  ranks: ["plackett-luce", "best-of-k", "all-pairs"],
  ratings: ["rating"],
};

const kindNames: Readonly<Record<JudgementKind, string>> = {
  pairs: "preference pairs",
  ranks: "rankings",
  ratings: "ratings",
};

/**
 * The loss of a run. Of rankings that name nothing but the best answer, "auto" is best-of-k.
 * @throws ATTUNE_OPTION for one that these rows cannot be learned by
 */
export function lossFor(asked: RewardSettings["loss"], rows: TokenisedRows): RewardLoss {
  const kind = judgementKind(rows.at(0));
  const possible = lossesOf[kind];
  if (asked === "auto") {
    const bestAlone = kind === "ranks" && every(rows, ({ placed }) => placed === 1);
    return bestAlone ? "best-of-k" : (possible[0] ?? "bradley-terry");
  }
  if (possible.includes(asked)) return asked;
  const text = `Expected a loss for ${kindNames[kind]} (${possible.join(", ")}) but received ${asked}.`;
  throw fail("ATTUNE_OPTION", `${text} Choose one of them, or leave it to auto.`, {
    details: { option: "loss", received: asked },
  });
}

function every(rows: TokenisedRows, holds: (row: TokenisedRow) => boolean): boolean {
  for (let position = 0; position < rows.length; position++) {
    const row = rows.at(position);
    if (row !== undefined && !holds(row)) return false;
  }
  return true;
}

/**
 * All pairs of a row that were judged, by the numbers of its completions. Equal ranks are a pair of label 0.5; answers
 * without a place are below all others and not compared with each other.
 */
export function judgedPairs(row: TokenisedRow): readonly JudgedPair[] {
  const { pairs, ranks, completions, label, margin } = row;
  if (pairs !== undefined) return pairs;
  if (ranks !== undefined) return rankedPairs(ranks, row.placed);
  return completions.length === 2 ? [{ better: 0, worse: 1, label, margin, weight: 1 }] : [];
}

function rankedPairs(ranks: readonly number[], placed: number | undefined): readonly JudgedPair[] {
  const behind = placed === undefined ? Number.POSITIVE_INFINITY : Math.max(...ranks);
  const found: JudgedPair[] = [];
  for (const [i, first] of ranks.entries()) {
    for (let j = i + 1; j < ranks.length; j++) {
      const second = ranks[j] ?? 0;
      if (first === second && first >= behind) continue;
      const [better, worse] = first <= second ? [i, j] : [j, i];
      found.push({ better, worse, label: first === second ? 0.5 : 1, margin: 0, weight: 1 });
    }
  }
  return found;
}

/** Numbers of the completions that came out best: of ranks the first ones, of pairs those with the best balance. */
export function bestAnswers(row: TokenisedRow): readonly number[] {
  const { ranks, completions } = row;
  const balance = new Float64Array(completions.length);
  if (ranks !== undefined) for (const [i, rank] of ranks.entries()) balance[i] = 1 / rank;
  else
    for (const { better, worse, label } of judgedPairs(row)) {
      balance[better] = (balance[better] ?? 0) + label - 0.5;
      balance[worse] = (balance[worse] ?? 0) - label + 0.5;
    }
  const best = Math.max(...balance);
  // Of a rating, the one answer there is; of nothing but ties, none is best.
  if (row.rating === undefined && !(best > 0)) return [];
  return [...balance.keys()].filter((i) => balance[i] === best);
}

/** The best answers of every row that has some: what stands in for demonstrations. */
export function bestAnswerRows(rows: TokenisedRows): TokenisedRows {
  const positions: number[] = [];
  for (let position = 0; position < rows.length; position++) {
    const row = rows.at(position);
    if (row !== undefined && bestAnswers(row).length > 0) positions.push(position);
  }
  const chosen = selectRows(rows, Int32Array.from(positions));
  return {
    length: chosen.length,
    at(position) {
      const row = chosen.at(position);
      if (row === undefined) return undefined;
      const { masks: _, ...whole } = row;
      return { ...whole, completions: bestAnswers(row).map((i) => row.completions[i] ?? new Int32Array(0)) };
    },
  };
}

/** The same rows with the sizes that packing for scores has: whole completions, one target each. */
export function scoredRows(rows: TokenisedRows): TokenisedRows {
  return {
    length: rows.length,
    at: (position) => rows.at(position),
    sizeAt(position) {
      const row = rows.at(position);
      return row && { trunkRows: trunkRowsOf(row, true), targets: row.completions.length };
    },
    ...(rows.groupAt === undefined ? {} : { groupAt: rows.groupAt.bind(rows) }),
  };
}

/** Refuses rows that a loss has no place for; the first one is named. Throws ATTUNE_DATA. */
export function requireFit(rows: TokenisedRows, loss: RewardLoss, ties?: RewardSettings["ties"]): void {
  const kind = judgementKind(rows.at(0));
  if (!lossesOf[kind].includes(loss)) {
    const text = `expected rows that ${loss} can measure but found ${kindNames[kind]}. Give rows like those that are trained on.`;
    throw badRow(rows.at(0), text);
  }
  // Other losses take whatever their rows may say: reading all of them again would find nothing.
  const sums = loss === "plackett-luce" && sumsOverOrders(ties);
  if (!isTieModel(loss) && loss !== "best-of-k" && !sums) return;
  for (let position = 0; position < rows.length; position++) {
    const row = rows.at(position);
    if (row === undefined) continue;
    if (isTieModel(loss)) requireOutcome(row, loss);
    const tied = sums ? tooManyTied(row, ties) : undefined;
    if (tied !== undefined) throw tied;
    if (loss === "best-of-k" && row.ranks?.filter((rank) => rank === 1).length !== 1)
      throw badRow(row, "expected one best answer but found several of rank 1. Use --loss plackett-luce.");
  }
}

function requireOutcome(row: TokenisedRow, loss: TieModel): void {
  if (row.margin !== 0)
    throw badRow(
      row,
      `expected no margin for ${loss} but found ${row.margin}. Leave the column "margin" out, or use another loss.`,
    );
  if ([0, 0.5, 1].includes(row.label)) return;
  const text = `expected 1, 0.5 (a tie) or 0 in column "label" for ${loss} but found ${row.label}.`;
  throw badRow(row, `${text} Use --loss bradley-terry for probabilities.`);
}

/** An error that names the row's place. */
export function badRow(row: TokenisedRow | undefined, text: string): AttuneError {
  const { file, line } = row?.place ?? { file: "rows", line: 0 };
  return fail("ATTUNE_DATA", `${file}:${line}: ${text}`, { details: { file, line } });
}

/** Share of pairs that are ties: where the parameter of a tie model starts. */
export function tieShare(rows: TokenisedRows): number {
  let ties = 0;
  for (let position = 0; position < rows.length; position++) if (rows.at(position)?.label === 0.5) ties += 1;
  return ties / Math.max(1, rows.length);
}
