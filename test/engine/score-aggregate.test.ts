// One score from several heads, against sums worked by hand.

import { expect } from "chai";
import { type AggregateOptions, aggregateScores } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";

// Rows: 1, 2, 6 (mean 3, variance 14/3) and 4, 4, 4.
const heads = [Float32Array.of(1, 4), Float32Array.of(2, 4), Float32Array.of(6, 4)];

describe("scores of several heads", () => {
  const cases: readonly (readonly [AggregateOptions, readonly number[]])[] = [
    [{}, [3, 4]],
    [{ aggregate: "mean" }, [3, 4]],
    [{ aggregate: "min" }, [1, 4]],
    [{ aggregate: "variance" }, [3 - 14 / 3, 4]],
    [{ aggregate: "variance", k: 0.3 }, [3 - 1.4, 4]],
    [{ aggregate: "deviation", k: 2 }, [3 - 2 * Math.sqrt(14 / 3), 4]],
    [{ aggregate: "deviation", k: 0 }, [3, 4]],
  ];
  for (const [options, expected] of cases)
    it(`become one by ${JSON.stringify(options)}`, () => {
      expect(Array.from(aggregateScores(heads, options))).to.deep.equal(expected.map(Math.fround));
    });

  it("of one head are its own, whatever the aggregate", () => {
    const [own = new Float32Array(0)] = heads;
    for (const aggregate of ["mean", "min", "variance", "deviation"] as const)
      expect(aggregateScores([own], { aggregate })).to.deep.equal(own);
  });

  for (const [options, text] of [
    [{ aggregate: "median" }, 'aggregate to be one of mean, min, variance, deviation but received "median"'],
    [{ aggregate: "variance", k: -1 }, "k of 0 or more but received -1"],
    [{ aggregate: "deviation", k: Number.NaN }, "received NaN"],
    [{ k: 1 }, 'beside aggregate "variance" or "deviation"'],
    [{ aggregat: "min" }, 'Did you mean "aggregate"?'],
  ] as const)
    it(`refuse ${JSON.stringify(options)}`, async () => {
      const error = await failureOf(() => aggregateScores(heads, options as AggregateOptions));
      expect(error.code).to.equal("ATTUNE_OPTION");
      expect(error.message).to.include(text);
    });
});
