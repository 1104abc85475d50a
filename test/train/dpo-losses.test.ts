// Which losses a run of dpo adds up: defaults, parameters that act on none, mixtures that cannot be formed, rows that the
// losses have no place for.

import { expect } from "chai";
import type { TokenisedRow } from "../../lib/data/index.js";
import {
  checkOptions,
  type DpoLossName,
  dpoLosses,
  dpoLossNames,
  dpoOptions,
  lossParameters,
} from "../../lib/options/index.js";
import { checkJudgements, planLosses, rewardOf } from "../../lib/train/dpo-losses.js";
import { failureOf } from "../errors/expect-failure.js";

const plan = (values: Record<string, unknown> = {}) =>
  planLosses(
    checkOptions({
      schema: dpoOptions,
      command: "dpo",
      values: { model: "m", data: "d", output: "o", ...values },
    }),
  );

describe("the losses of dpo", () => {
  it("are DPO by default, at beta 0.1 and without smoothing", () => {
    expect(plan().terms).to.deep.equal([{ name: "sigmoid", weight: 1 }]);
    expect(plan().values).to.include({ beta: 0.1, labelSmoothing: 0 });
  });

  it("take several with their weights in order", () => {
    expect(plan({ loss: "sigmoid,sft", lossWeights: "1,0.1" }).terms).to.deep.equal([
      { name: "sigmoid", weight: 1 },
      { name: "sft", weight: 0.1 },
    ]);
  });

  for (const name of dpoLossNames) {
    it(`fill in the defaults of ${name} and nothing that does not act on it`, () => {
      const { values, reference, rows } = plan({ loss: name });
      const expected: Record<string, unknown> = { ...dpoLosses[name].parameters };
      // The order belongs to one divergence.
      delete expected.alpha;
      expect(values).to.deep.equal(expected);
      expect({ reference, rows }).to.deep.equal({
        reference: dpoLosses[name].reference,
        rows: dpoLosses[name].rows,
      });
    });
  }

  it("take back what they filled in, so that a run's config.yaml can be given again", () => {
    for (const loss of dpoLossNames) {
      const { values, ties } = plan({ loss });
      expect(plan({ loss, ties, ...values }).values, loss).to.deep.equal(values);
    }
  });

  it("refuse by name every parameter that acts on none of them", async () => {
    const given = {
      beta: 0.2,
      labelSmoothing: 0.1,
      fDivergence: "js_divergence",
      alpha: 0.3,
      ipoReduce: "sum",
      simpoGamma: 1,
      orpoLambda: 1,
      nllWeight: 1,
      discopopTemperature: 1,
    } as const;
    let refused = 0;
    for (const parameter of lossParameters) {
      const without = dpoLossNames.filter((name) => dpoLosses[name].parameters[parameter] === undefined);
      for (const loss of without) {
        const error = await failureOf(() => plan({ loss, [parameter]: given[parameter] }));
        expect(error.code).to.equal("ATTUNE_OPTION");
        expect(error.message).to.match(/^Expected no [a-z-]+ here: it does not act on /);
        expect(error.message).to.include(loss);
        refused += 1;
      }
    }
    expect(refused).to.be.above(100);
  });

  const wrong: readonly [string, Record<string, unknown>, RegExp][] = [
    ["a loss named twice", { loss: "ipo,ipo" }, /^Expected loss to be every loss once but found ipo twice/],
    [
      "a ranking's loss in a mixture",
      { loss: "plackett-luce,sft" },
      /plackett-luce alone, as it is a loss of rankings/,
    ],
    ["both losses that sort", { loss: "aot,aot_unpaired" }, /one of aot and aot_unpaired but received both/],
    [
      "too few weights",
      { loss: "sigmoid,sft", lossWeights: [1] },
      /one number per loss \(sigmoid,sft\) but received 1/,
    ],
    [
      "a weight of a ranking's loss",
      { loss: "all-pairs", lossWeights: [2] },
      /^Expected no loss-weights here/,
    ],
    [
      "smoothing beside a loss without a place for it",
      { loss: "sigmoid,hinge", labelSmoothing: 0.1 },
      /hinge has no place for it/,
    ],
    ["exo_pair without smoothing", { loss: "exo_pair", labelSmoothing: 0 }, /a share above 0 for exo_pair/],
    [
      "defaults that are not the same",
      { loss: "sigmoid,simpo" },
      /^Expected beta to be a value for all of sigmoid, simpo, .*sigmoid 0.1, simpo 2/,
    ],
    [
      "an order of another divergence",
      { alpha: 0.3, fDivergence: "forward_kl" },
      /it is the order of the alpha divergence/,
    ],
    [
      "ties of rankings in pairs",
      { ties: "breslow" },
      /^Expected ties to be one of keep, drop for sigmoid but received breslow/,
    ],
    ["ties of pairs in rankings", { loss: "all-pairs", ties: "keep" }, /one of half, drop for all-pairs/],
    [
      "a divergence beside a loss without a place for it",
      { loss: "sigmoid,aot", fDivergence: "js_divergence" },
      /^Expected no f-divergence here: aot has no place/,
    ],
    [
      "a cache of no reference",
      { loss: "simpo,sft", cache: "dir" },
      /^Expected no cache here: simpo, sft compare with no reference/,
    ],
    [
      "a reference that nothing compares with",
      { loss: "orpo", reference: "path" },
      /^Expected no reference here: orpo compares with no reference/,
    ],
    ["cutting rankings", { loss: "best-of-k", truncate: true }, /^Expected no truncate here: rankings/],
    ["ties of the best answer", { loss: "best-of-k", ties: "drop" }, /asks for the best answer alone/],
  ];
  for (const [what, values, text] of wrong) {
    it(`refuse ${what}`, async () => {
      const error = await failureOf(() => plan(values));
      expect(error.code).to.equal("ATTUNE_OPTION");
      expect(error.message).to.match(text);
    });
  }

  it("ask for a reference when one of them does", () => {
    expect(plan({ loss: "sft" }).reference).to.equal(false);
    expect(plan({ loss: "sft,hinge" }).reference).to.equal(true);
  });

  it("know when the likelihood of the chosen sides is a part", () => {
    const imitates = (values: Record<string, unknown>) => plan(values).imitates;
    expect(["sft", "orpo", "cpo"].map((loss) => imitates({ loss }))).to.deep.equal([true, true, true]);
    expect(["sigmoid", "simpo"].map((loss) => imitates({ loss }))).to.deep.equal([false, false]);
    expect(imitates({ loss: "simpo", nllWeight: 0.5 })).to.equal(true);
    expect(imitates({ loss: "cpo", nllWeight: 0 })).to.equal(false);
  });

  const rewards: readonly [string, Record<string, unknown>, number][] = [
    ["beta d", { loss: "sigmoid", beta: 0.5 }, 0.5 * (-6 + 2)],
    ["beta d, also per token", { loss: "sigmoid_norm", beta: 0.5 }, 0.5 * (-6 + 2)],
    ["beta times the mean log-prob", { loss: "simpo", beta: 0.5 }, (0.5 * -6) / 3],
    ["lambda times the mean log-prob", { loss: "orpo", orpoLambda: 0.5 }, (0.5 * -6) / 3],
    ["beta times the log-prob", { loss: "cpo", beta: 0.5 }, 0.5 * -6],
    ["the mean log-prob", { loss: "sft" }, -6 / 3],
  ];
  for (const [what, values, expected] of rewards) {
    it(`log ${what} as the reward of ${String(values.loss)}`, () => {
      const sums = { logprob: -6, entropy: 0, meanLogit: 0, correct: 0, count: 3 };
      expect(rewardOf(plan(values))(sums, -2)).to.be.closeTo(expected, 1e-12);
    });
  }
});

describe("the judgements that losses have no place for", () => {
  const row = (values: Partial<TokenisedRow>): TokenisedRow => ({
    prompt: Int32Array.of(1),
    completions: [Int32Array.of(2), Int32Array.of(3)],
    weight: 1,
    label: 1,
    margin: 0,
    index: 0,
    place: { file: "pairs.jsonl", line: 7 },
    truncated: false,
    promptHash: "",
    ...values,
  });
  const check = (loss: DpoLossName | string, values: Partial<TokenisedRow>) =>
    checkJudgements(plan({ loss }), [row({}), row(values)]);

  const refused: readonly [string, string, Partial<TokenisedRow>, RegExp][] = [
    [
      "a soft label",
      "hinge",
      { label: 0.7 },
      /expected label 1, as loss hinge has no place for soft ones, but found 0.7/,
    ],
    ["a tie", "discopop", { label: 0.5 }, /Leave ties out with ties drop/],
    ["a soft label in a mixture", "sigmoid,hinge", { label: 0.7 }, /as loss hinge/],
    [
      "a weight where pairs are sorted",
      "aot_unpaired",
      { weight: 2 },
      /expected weight 1, as loss aot_unpaired compares over all rows/,
    ],
    [
      "a worse side that a mixture would imitate",
      "sigmoid,sft",
      { label: 0.3 },
      /expected label 0.5 or more, as sigmoid,sft imitates the chosen side, but found 0.3: .* write label 0.7/,
    ],
    [
      "a worse side that cpo would imitate",
      "cpo",
      { label: 0 },
      /as cpo imitates the chosen side, but found 0/,
    ],
    ["two best answers", "best-of-k", { ranks: [1, 1] }, /expected one answer of rank 1, .* but found 2/],
    [
      "answers without a place",
      "all-pairs",
      { ranks: [1, 2, 2], placed: 1 },
      /expected a place for every answer, .* but found 1 of 3/,
    ],
  ];
  for (const [what, loss, values, text] of refused) {
    it(`are ${what}, with the row's place`, async () => {
      // The sound row beside it holds for pairs and for the best of several.
      const sound = loss === "best-of-k" ? { ranks: [1, 2] } : {};
      const error = await failureOf(() => checkJudgements(plan({ loss }), [row(sound), row(values)]));
      expect(error.code).to.equal("ATTUNE_DATA");
      expect(error.message)
        .to.match(/^pairs\.jsonl:7: /)
        .and.to.match(text);
    });
  }

  const tied = (count: number) => [1, ...new Array<number>(count).fill(2), count + 2];

  for (const ties of ["average", "marginal"] as const) {
    it(`are more ties than ${ties} sums over, with the row's place`, async () => {
      const rows = [row({ ranks: tied(12) }), row({ ranks: tied(13) })];
      const { code, message } = await failureOf(() =>
        checkJudgements(plan({ loss: "plackett-luce", ties }), rows),
      );
      expect(code).to.equal("ATTUNE_DATA");
      expect(message).to.match(
        /^pairs\.jsonl:7: expected at most 12 .* column "ranks", .* found 13 of rank 2/,
      );
    });
  }

  it("are none where the losses take them", () => {
    checkJudgements(plan({ loss: "plackett-luce" }), [row({ ranks: tied(13) })]);
    const unplaced = row({ ranks: [1, ...new Array<number>(13).fill(2)], placed: 1 });
    checkJudgements(plan({ loss: "plackett-luce", ties: "average" }), [unplaced]);
    check("sigmoid,sft", { label: 0.7, weight: 2 });
    check("cpo", { label: 0.5 });
    check("simpo", { label: 0 });
    check("ipo", { label: 0.5 });
    check("hinge", { weight: 2 });
  });
});
