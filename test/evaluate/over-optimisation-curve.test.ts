// The fitted curves of over-optimisation: planted curves come back, their peaks are where a search finds them.

import { expect } from "chai";
import {
  bestOfNCurve,
  bestOfNValue,
  fitGoldCurve,
  goldCurveAt,
  type OverOptimisationMethod,
  peakOf,
} from "../../lib/evaluate/index.js";
import { drawNormals } from "../../lib/world/random.js";
import { expectFailure } from "../errors/expect-failure.js";

const distances = [0.5, 1, 1.5, 2, 2.5, 3];

/** R(d) of the paper, written out. */
const formula: Readonly<Record<OverOptimisationMethod, (a: number, b: number, d: number) => number>> = {
  "best-of-n": (a, b, d) => d * (a - b * d),
  rl: (a, b, d) => d * (a - b * Math.log(d)),
};

interface Planted {
  readonly method: OverOptimisationMethod;
  readonly a: number;
  readonly b: number;
  readonly seed?: number;
  /** Deviation of a prompt's gold score at a point. */
  readonly noise?: number;
}

const prompts = 32;

function planted({ method, a, b, seed = 1, noise = 0 }: Planted) {
  const normal = (row: number) => drawNormals({ seed, stream: "gold", step: 0, row }, prompts, noise);
  const level = drawNormals({ seed, stream: "gold", step: 1, row: 0 }, prompts, 1);
  const first = normal(0);
  const start = level.map((value, i) => value + (first[i] ?? 0));
  const points = distances.map((d, p) => {
    const own = normal(p + 1);
    return { kl: d * d, gold: level.map((value, i) => value + formula[method](a, b, d) + (own[i] ?? 0)) };
  });
  return { method, start, points };
}

describe("a fitted gold curve", () => {
  const known = { "best-of-n": { a: 1.2, b: 0.3 }, rl: { a: 0.8, b: 0.9 } } as const;

  for (const method of ["best-of-n", "rl"] as const) {
    const { a, b } = known[method];

    it(`of ${method} gives planted coefficients back`, () => {
      const curve = fitGoldCurve({ ...planted({ method, a, b }), draws: 100 });
      expect(curve.a.value).to.be.closeTo(a, 1e-6);
      expect(curve.b.value).to.be.closeTo(b, 1e-6);
      expect(curve.residual).to.be.below(1e-6);
      expect(curve.points).to.equal(distances.length);
    });

    it(`of ${method} has its peak where a search finds it`, () => {
      let best = { d: 0, gain: Number.NEGATIVE_INFINITY };
      for (let d = 0.001; d < 5; d += 0.001) {
        const gain = formula[method](a, b, d);
        if (gain > best.gain) best = { d, gain };
      }
      const peak = peakOf(method, a, b);
      expect(peak?.sqrtKl).to.be.closeTo(best.d, 1e-3);
      expect(peak?.gain).to.be.closeTo(best.gain, 1e-6);
      expect(goldCurveAt({ method, a, b }, best.d)).to.be.closeTo(best.gain, 1e-12);
    });
  }

  it("covers the planted coefficients with its intervals about as often as it says", () => {
    const { a, b } = known.rl;
    let covered = 0;
    const runs = 40;
    for (let seed = 0; seed < runs; seed++) {
      const fitted = fitGoldCurve({ ...planted({ method: "rl", a, b, seed, noise: 0.5 }), seed, draws: 200 });
      if (fitted.a.interval.low <= a && a <= fitted.a.interval.high) covered += 1;
      if (fitted.b.interval.low <= b && b <= fitted.b.interval.high) covered += 1;
    }
    // 95% of 80 is 76; a and b of one run depend on each other, so that two deviations are up to 5.5.
    expect(covered).to.be.within(68, 80);
  });

  it("leaves out points of RL that lie near the start, and those alone", () => {
    const clean = planted({ method: "rl", ...known.rl });
    const near = { kl: 0.29 ** 2, gold: clean.start.map((value) => value + 50) };
    const fitted = fitGoldCurve({ ...clean, points: [near, ...clean.points], draws: 100 });
    expect(fitted.points).to.equal(distances.length);
    expect(fitted.a.value).to.be.closeTo(known.rl.a, 1e-6);
    const asBest = fitGoldCurve({
      ...clean,
      points: [near, ...clean.points],
      method: "best-of-n",
      draws: 100,
    });
    expect(asBest.points).to.equal(distances.length + 1);
  });

  it("has no peak where the gold score only rises, and says how sure a peak is", () => {
    expect(fitGoldCurve({ ...planted({ method: "rl", a: 1, b: -0.1 }), draws: 100 }).peak).to.equal(
      undefined,
    );
    const unsure = fitGoldCurve({
      ...planted({ method: "best-of-n", a: 0.3, b: 0.01, noise: 1 }),
      draws: 1000,
    });
    const sure = fitGoldCurve({ ...planted({ method: "best-of-n", a: 2, b: 0.5, noise: 0.3 }), draws: 1000 });
    expect(sure.peak?.certainty).to.equal(1);
    expect(unsure.peak?.certainty ?? 0).to.be.below(1);
  });

  it("refuses points at one distance, and gold scores of other prompts", async () => {
    const { start, points } = planted({ method: "rl", ...known.rl });
    const [first, second] = points;
    if (first === undefined || second === undefined) throw new Error("no points");
    const text = "two or more distances with sqrt(KL) of at least 0.3";
    await expectFailure(
      () => fitGoldCurve({ method: "rl", start, points: [first, first] }),
      "ATTUNE_DATA",
      text,
    );
    const short = { ...second, gold: second.gold.slice(1) };
    await expectFailure(
      () => fitGoldCurve({ method: "rl", start, points: [first, short] }),
      "ATTUNE_DATA",
      "32 prompts of the start but received 31",
    );
  });
});

describe("the curve of best-of-N", () => {
  const scores = (row: number) => drawNormals({ seed: 3, stream: "gold", step: 2, row }, 20, 1);
  const data = Array.from({ length: 5 }, (_, i) => ({ proxy: scores(2 * i), gold: scores(2 * i + 1) }));

  it("holds the mean over prompts of the value at every power of two up to M", () => {
    const curve = bestOfNCurve({ prompts: data, draws: 100 });
    expect(curve.map(({ n }) => n)).to.deep.equal([1, 2, 4, 8, 16]);
    for (const { n, kl, gold, byPrompt } of curve) {
      const values = data.map((prompt) => bestOfNValue({ ...prompt, n }));
      expect(gold.mean).to.be.closeTo(values.reduce((sum, value) => sum + value, 0) / 5, 1e-12);
      expect([...byPrompt.gold]).to.deep.equal(values);
      expect(kl).to.be.closeTo(Math.log(n) - (n - 1) / n, 1e-12);
    }
  });

  it("can be fitted from its second point on", () => {
    const [start, ...points] = bestOfNCurve({ prompts: data, sizes: [1, 4, 20], draws: 100 });
    if (start === undefined) throw new Error("no points");
    const curve = fitGoldCurve({
      method: "best-of-n",
      start: start.byPrompt.gold,
      points: points.map(({ kl, byPrompt }) => ({ kl, gold: byPrompt.gold })),
      draws: 100,
    });
    // Two points, two coefficients.
    expect(curve.residual).to.be.below(1e-9);
  });

  it("refuses a size above M", () =>
    expectFailure(() => bestOfNCurve({ prompts: data, sizes: [21] }), "ATTUNE_OPTION", "from 1 to the 20"));
});
