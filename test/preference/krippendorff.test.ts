// Agreement beyond chance of pairs, whose values must not depend on which answer an item names first.

import { expect } from "chai";
import { krippendorffAlpha } from "../../lib/preference/index.js";
import { uniform } from "./simulated-votes.js";

/** Pairs of which each is judged by `people`: 1 the first answer, -1 the second. */
function judged(pairs: number, people: number, choice: (pair: number, person: number) => number) {
  return Array.from({ length: pairs }, (_, pair) =>
    Array.from({ length: people }, (_, person) => choice(pair, person)),
  );
}

const alphaOf = (units: readonly (readonly number[])[], mirrored = true) =>
  krippendorffAlpha({ units, level: "nominal", mirrored });

/** Of 1200 values chance is within three of its deviations, 1 / sqrt(600). */
const CHANCE = 3 / Math.sqrt(600);

describe("Krippendorff's alpha of pairs", () => {
  it("is 1 of people who agree, also where the better answer always stands first", () => {
    const units = judged(40, 2, () => 1);
    expect(alphaOf(units)).to.deep.equal({ alpha: 1, degenerate: false, values: 80, units: 40 });
    // As codes by place have it.
    expect(alphaOf(units, false)).to.deep.equal({ alpha: 1, degenerate: true, values: 80, units: 40 });
  });

  it("is about 0 of coin flips", () => {
    const flips = judged(600, 2, (pair, person) => (uniform(3, person, pair) < 0.5 ? 1 : -1));
    expect(alphaOf(flips).alpha).to.be.within(-CHANCE, CHANCE);
  });

  it("is what people agree on beyond a coin's half, where the better answer stands first", () => {
    // Right in 9 of 10, each for themselves: they agree on 0.82, and 1 - 0.18 / 0.5 is 0.64.
    const units = judged(600, 2, (pair, person) => (uniform(5, person, pair) < 0.9 ? 1 : -1));
    expect(alphaOf(units).alpha).to.be.within(0.64 - 0.1, 0.64 + 0.1);
    // Codes by place call the same agreement chance.
    expect(alphaOf(units, false).alpha).to.be.within(-CHANCE, CHANCE);
  });

  it("is the same whichever answer each item names first, ties among them", () => {
    const choice = (pair: number, person: number) => Math.floor(3 * uniform(6, person, pair)) - 1;
    const units = judged(60, 3, (pair, person) => (person < 2 ? choice(pair, 0) : choice(pair, 1)));
    const other = units.map((unit, i) => (i % 3 === 0 ? unit.map((value) => -value) : unit));
    expect(alphaOf(units).alpha).to.be.within(0.1, 0.9).and.closeTo(alphaOf(other).alpha, 1e-12);
    expect(Math.abs(alphaOf(units, false).alpha - alphaOf(other, false).alpha)).to.be.greaterThan(1e-3);
  });

  it("is degenerate where nobody prefers anything", () => {
    expect(alphaOf(judged(5, 2, () => 0))).to.include({ alpha: 1, degenerate: true });
  });

  it("leaves values without another way round as they are", () => {
    const dot = Number.NaN;
    const rows = [
      [1, 2, 3, 3, 2, 1, 4, 1, 2, dot, dot, dot],
      [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, dot, 3],
      [dot, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, dot],
      [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, dot],
    ];
    const units = Array.from({ length: 12 }, (_, i) =>
      rows.map((row) => row[i] ?? dot).filter((value) => !Number.isNaN(value)),
    );
    // Krippendorff's own example.
    for (const [level, alpha] of [
      ["nominal", 0.743],
      ["ordinal", 0.815],
      ["interval", 0.849],
    ] as const)
      expect(krippendorffAlpha({ units, level }).alpha, level).to.be.closeTo(alpha, 5e-4);
  });
});
