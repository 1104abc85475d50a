// The interval of alpha is that of resampled units, drawn one by one.

import { expect } from "chai";
import { philox } from "../../lib/data/index.js";
import { alphaInterval, krippendorffAlpha, type Level } from "../../lib/preference/index.js";
import { type Interval, middle95 } from "../../lib/preference/intervals.js";
import { drawsOf, type RandomWords } from "../../lib/preference/random-draws.js";

const words: RandomWords = ({ step, row, position }) => philox([0, step, row, position], [5, 0]);

/** [units] of two to four values from 1 to 4, some of one value that has nothing to agree with. */
const units = Array.from({ length: 90 }, (_, unit) => {
  const drawn = words({ step: 9, row: 0, position: unit });
  return Array.from({ length: 1 + (unit % 4) }, (_, i) => 1 + (((drawn[i] ?? 0) + unit) % 4));
});

const paired = units.filter(({ length }) => length > 1);

/** As many of them as there are, drawn one by one. */
function resampled<Item>(items: readonly Item[], row: number): Item[] {
  const draw = drawsOf(words, row);
  return items.map(() => items[draw(items.length)] as Item);
}

describe("the interval of alpha", () => {
  for (const level of ["nominal", "ordinal", "interval", "ratio"] satisfies Level[])
    it(`is that of resampled units, ${level}`, () => {
      const alphas = Float64Array.from(
        { length: 200 },
        (_, number) => krippendorffAlpha({ units: resampled(paired, number), level }).alpha,
      );
      const slow = middle95(alphas);
      const { low, high } = alphaInterval({ units, level, draws: 200, words });
      expect(low).to.be.closeTo(slow.low, 1e-12);
      expect(high).to.be.closeTo(slow.high, 1e-12);
      expect(low).to.be.below(high);
    });

  it("draws units that belong together at once: copies of what was judged say nothing more", () => {
    const copies = paired.flatMap((unit) => [unit, unit, unit]);
    const clusters = copies.map((_, i) => Math.floor(i / 3));
    const options = { level: "nominal", draws: 200, words } as const;
    const once = alphaInterval({ units: paired, ...options });
    const together = alphaInterval({ units: copies, clusters, ...options });
    const apart = alphaInterval({ units: copies, ...options });
    const widthOf = ({ low, high }: Interval) => high - low;
    // All of the difference is N - 1 of more values.
    expect(widthOf(together)).to.be.closeTo(widthOf(once), 0.02);
    expect(widthOf(apart)).to.be.below(0.75 * widthOf(once));
  });

  it("holds weights: of those who agree five times as many, or five times as heavy", () => {
    const agree = Array.from({ length: 30 }, (_, i) => [i % 2, i % 2]);
    const differ = Array.from({ length: 60 }, (_, i) => [i % 2, 1 - (i % 2)]);
    const weights = [...agree.map(() => 5), ...differ.map(() => 1)];
    const weighted = { units: [...agree, ...differ], weights, level: "nominal" } as const;
    const copied = { units: [...Array.from({ length: 5 }, () => agree).flat(), ...differ] };
    const plain = krippendorffAlpha({ ...copied, level: "nominal" }).alpha;
    expect(krippendorffAlpha(weighted).alpha).to.be.closeTo(plain, 0.01);
    const { low, high } = alphaInterval({ ...weighted, draws: 200, words });
    expect(low).to.be.below(plain);
    expect(high).to.be.above(plain);
    // Heavier units are fewer units.
    const { low: sure } = alphaInterval({ ...copied, level: "nominal", draws: 200, words });
    expect(low).to.be.below(sure);
  });

  it("counts pairs in both orders of their answers", () => {
    const judged = Array.from({ length: 60 }, (_, i) => [1, i % 5 === 0 ? -1 : 1]);
    const options = { units: judged, level: "nominal", mirrored: true } as const;
    const alphas = Float64Array.from(
      { length: 200 },
      (_, number) => krippendorffAlpha({ ...options, units: resampled(judged, number) }).alpha,
    );
    const slow = middle95(alphas);
    const { low, high } = alphaInterval({ ...options, draws: 200, words });
    expect(low).to.be.closeTo(slow.low, 1e-12);
    expect(high).to.be.closeTo(slow.high, 1e-12);
  });
});
