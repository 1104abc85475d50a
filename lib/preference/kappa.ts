// Agreement beyond chance where everyone judged everything: Cohen's kappa of two annotators (1960; weighted 1968), Fleiss'
// of several (1971). Pure; must not know what was judged.

import { fail } from "../errors/index.js";

export interface CohenOptions {
  /** The two annotators' values of the same units. */
  readonly first: readonly number[];
  readonly second: readonly number[];
  /** All values there are, in order; those that came up when absent. */
  readonly categories?: readonly number[];
  /** What a disagreement counts: always one, its distance in places, or the distance squared. */
  readonly weights?: "none" | "linear" | "quadratic";
}

/** 1 - sum w o / sum w e; 1 where both always say the same one thing. */
export function cohenKappa({ first, second, categories, weights = "none" }: CohenOptions): number {
  if (first.length !== second.length || first.length === 0) {
    const lengths = `${first.length} and ${second.length}`;
    throw fail("ATTUNE_SHAPE", `Expected two lists of one length above 0 but got ${lengths} values.`);
  }
  const known = categories ?? [...new Set([...first, ...second])].sort((a, b) => a - b);
  const place = new Map(known.map((value, i) => [value, i]));
  const size = known.length;
  const placeOf = (value: number) => {
    const at = place.get(value);
    if (at === undefined)
      throw fail("ATTUNE_DATA", `Expected one of ${known.join(", ")} but found ${value}.`);
    return at;
  };
  const [rows, columns] = [new Float64Array(size), new Float64Array(size)];
  const bad = weightOf(weights, size);
  let observed = 0;
  for (const [i, value] of first.entries()) {
    const [a, b] = [placeOf(value), placeOf(second[i] ?? Number.NaN)];
    rows[a] = (rows[a] ?? 0) + 1;
    columns[b] = (columns[b] ?? 0) + 1;
    observed += bad(a, b);
  }
  let expected = 0;
  for (let a = 0; a < size; a++)
    for (let b = 0; b < size; b++)
      expected += ((rows[a] ?? 0) * (columns[b] ?? 0) * bad(a, b)) / first.length;
  return expected === 0 ? 1 : 1 - observed / expected;
}

function weightOf(weights: "none" | "linear" | "quadratic", size: number) {
  if (weights === "none") return (a: number, b: number) => (a === b ? 0 : 1);
  const power = weights === "linear" ? 1 : 2;
  return (a: number, b: number) => (Math.abs(a - b) / (size - 1)) ** power;
}

/**
 * Of a table [units][categories] of how many annotators chose what, as many in every unit; 1 where all chose one.
 * @throws ATTUNE_SHAPE where units have different numbers of judgements: Krippendorff's alpha takes those
 */
export function fleissKappa(table: readonly (readonly number[])[]): number {
  const totals = table.map((row) => row.reduce((sum, count) => sum + count, 0));
  const raters = totals[0] ?? 0;
  if (raters < 2 || totals.some((total) => total !== raters)) {
    const found = [...new Set(totals)].slice(0, 5).join(", ");
    throw fail(
      "ATTUNE_SHAPE",
      `Expected as many judgements, two or more, of every unit but found ${found || "no units"}. Use Krippendorff's alpha.`,
    );
  }
  let agreement = 0;
  const shares = new Float64Array(table[0]?.length ?? 0);
  for (const row of table) {
    let squares = 0;
    for (const [category, count] of row.entries()) {
      squares += count * count;
      shares[category] = (shares[category] ?? 0) + count / (raters * table.length);
    }
    agreement += (squares - raters) / (raters * (raters - 1)) / table.length;
  }
  const chance = shares.reduce((sum, share) => sum + share * share, 0);
  return chance === 1 ? 1 : (agreement - chance) / (1 - chance);
}
