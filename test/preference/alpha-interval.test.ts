// The interval of alpha is that of resampled units, drawn one by one.

import { expect } from "chai";
import { philox } from "../../lib/data/index.js";
import { alphaInterval, krippendorffAlpha, type Level } from "../../lib/preference/index.js";
import { middle95 } from "../../lib/preference/intervals.js";
import type { RandomWords } from "../../lib/preference/random-draws.js";

const words: RandomWords = ({ step, row, position }) => philox([0, step, row, position], [5, 0]);

/** [units] of two to four values from 1 to 4, some of one value that has nothing to agree with. */
const units = Array.from({ length: 90 }, (_, unit) => {
  const drawn = words({ step: 9, row: 0, position: unit });
  return Array.from({ length: 1 + (unit % 4) }, (_, i) => 1 + (((drawn[i] ?? 0) + unit) % 4));
});

describe("the interval of alpha", () => {
  const scales: { level: Level; mirrored?: boolean }[] = [
    { level: "nominal" },
    { level: "ordinal" },
    { level: "interval" },
    { level: "ratio" },
    { level: "nominal", mirrored: true },
  ];
  for (const scale of scales)
    it(`is that of resampled units, ${Object.values(scale).join(" ")}`, () => {
      const paired = units.filter(({ length }) => length > 1);
      const alphas = Float64Array.from({ length: 200 }, (_, draw) => {
        const drawn = paired.map((_, i) => {
          const word = words({ step: 1, row: draw, position: i >> 2 })[i & 3] ?? 0;
          return paired[Math.floor((word / 2 ** 32) * paired.length)] ?? [];
        });
        return krippendorffAlpha({ units: drawn, ...scale }).alpha;
      });
      const slow = middle95(alphas);
      const { low, high } = alphaInterval({ units, ...scale, draws: 200, words });
      expect(low).to.be.closeTo(slow.low, 1e-12);
      expect(high).to.be.closeTo(slow.high, 1e-12);
      expect(low).to.be.below(high);
    });
});
