// What a loss refuses: options that do not fit the batch, the loss or each other, each by its name and place.

import { expect } from "chai";
import { type Checks, groupedBatch, lossTables, matchUpdate, openChecks } from "../../lib/engine/checks.js";
import type {
  ListwiseLoss,
  LossSpec,
  PairwiseLoss,
  ScoreLoss,
  UnpairedLoss,
} from "../../lib/engine/contract.js";
import { failureOf } from "../errors/expect-failure.js";

const numbers = (...values: number[]) => Float64Array.from(values);
const reference = numbers(-3, -4);

function pairLoss(changes: Partial<Record<keyof PairwiseLoss, unknown>> = {}, name = "sigmoid"): LossSpec {
  const terms = [{ name, weight: 1 }];
  return { kind: "pairwise", terms, normaliser: 1, beta: 0.1, reference, ...changes } as LossSpec;
}

function listLoss(changes: Partial<Record<keyof ListwiseLoss, unknown>> = {}): LossSpec {
  const ranks = Int32Array.of(1, 2, 3);
  return {
    kind: "listwise",
    form: "plackett-luce",
    normaliser: 1,
    beta: 0.1,
    reference: numbers(-1, -2, -3),
    ranks,
    ...changes,
  } as LossSpec;
}

function singleLoss(changes: Partial<Record<keyof UnpairedLoss, unknown>> = {}): LossSpec {
  return {
    kind: "unpaired",
    loss: "kto",
    normaliser: 1,
    beta: 0.1,
    baseline: 0,
    desirableWeight: 1,
    undesirableWeight: 1,
    labels: numbers(1),
    reference: numbers(-2),
    ...changes,
  } as LossSpec;
}

function scoreLoss(changes: Record<string, unknown> = {}): ScoreLoss {
  return { kind: "scores", form: "bradley-terry", normaliser: 1, ...changes } as unknown as ScoreLoss;
}

interface Misuse {
  readonly what: string;
  readonly loss: LossSpec;
  /** Completions of each group. */
  readonly sizes: readonly number[];
  readonly code: "ATTUNE_OPTION" | "ATTUNE_SHAPE";
  readonly says: string;
}

const misuses: readonly Misuse[] = [
  ...pairMisuses(),
  ...listMisuses(),
  {
    what: "a label between desirable and undesirable",
    loss: singleLoss({ labels: numbers(0.5) }),
    sizes: [1],
    code: "ATTUNE_OPTION",
    says: "labels[0]: expected 1 (desirable) or 0 (undesirable) but received 0.5",
  },
  {
    what: "single answers in pairs",
    loss: singleLoss({ labels: numbers(1) }),
    sizes: [2],
    code: "ATTUNE_SHAPE",
    says: "groups[0]: expected a single completion but got 2",
  },
  {
    what: "a weight that is no number",
    loss: singleLoss({ weights: numbers(Number.NaN) }),
    sizes: [1],
    code: "ATTUNE_OPTION",
    says: "weights[0]: expected a finite weight",
  },
  {
    what: "an unknown kind",
    loss: { ...pairLoss(), kind: "dpo" } as unknown as LossSpec,
    sizes: [2],
    code: "ATTUNE_OPTION",
    says: 'scores, policy or value but received "dpo"',
  },
  {
    what: "no normaliser to divide by",
    loss: pairLoss({ normaliser: 0 }),
    sizes: [2],
    code: "ATTUNE_OPTION",
    says: "normaliser above 0",
  },
];

function pairMisuses(): readonly Misuse[] {
  const option = (what: string, loss: LossSpec, says: string): Misuse => {
    return { what, loss, says, sizes: [2], code: "ATTUNE_OPTION" };
  };
  const shape = (what: string, loss: LossSpec, says: string, sizes = [2]): Misuse => {
    return { what, loss, says, sizes, code: "ATTUNE_SHAPE" };
  };
  return [
    option("an unknown loss", pairLoss({}, "sigmoide"), "one of sigmoid, ipo, hinge"),
    option("no loss", pairLoss({ terms: [] }), "at least one loss"),
    option("a beta of 0", pairLoss({ beta: 0 }), "beta above 0"),
    option("a label above 1", pairLoss({ labels: numbers(1.5) }), "labels[0]: expected P(chosen better)"),
    option("a label that is no number", pairLoss({ labels: numbers(Number.NaN) }), "labels[0]"),
    option("half of all labels smoothed", pairLoss({ labelSmoothing: 0.5 }), "label smoothing in [0, 0.5)"),
    option("an infinite reference", pairLoss({ reference: numbers(0, -1 / 0) }), "reference log-probs[1]"),
    option(
      "two losses that sort differently",
      pairLoss({
        terms: [
          { name: "aot", weight: 1 },
          { name: "aot_unpaired", weight: 1 },
        ],
        matches: reference,
      }),
      "two with different matches",
    ),
    option("a likelihood's weight that nothing has", pairLoss({ nllWeight: 1 }), "no nllWeight"),
    option("an unknown divergence", pairLoss({ divergence: "kl" }), "reverse_kl, forward_kl"),
    option("an unknown way to reduce", pairLoss({ ipoReduce: "max" }, "ipo"), "mean or sum"),
    shape("a reference of another length", pairLoss({ reference: numbers(1) }), "expected 2 values"),
    shape("rankings as pairs", pairLoss({ reference: numbers(1, 2, 3) }), "groups[0]: expected a pair", [3]),
  ];
}

function listMisuses(): readonly Misuse[] {
  const option = (what: string, loss: LossSpec, says: string, sizes = [3]): Misuse => {
    return { what, loss, says, sizes, code: "ATTUNE_OPTION" };
  };
  const many = 13;
  return [
    option("an unknown form", listLoss({ form: "plackett" }), "plackett-luce, all-pairs, best-of-k"),
    option("ties of another form", listLoss({ ties: "half" }), "breslow or average or marginal"),
    option("ties of a form without", listLoss({ form: "best-of-k", ties: "half" }), "to be absent"),
    option("a rank of 0", listLoss({ ranks: Int32Array.of(0, 1, 2) }), "ranks[0]: expected a rank from 1"),
    option("more places than items", listLoss({ placed: Int32Array.of(4) }), "placed[0]: expected 0 to 3"),
    option(
      "places that end inside a tie",
      listLoss({ ranks: Int32Array.of(1, 2, 2), placed: Int32Array.of(2) }),
      "items of rank 2 take places 2 to 3",
    ),
    option(
      "places of all pairs",
      listLoss({ form: "all-pairs", placed: Int32Array.of(2) }),
      "placed[0]: expected none",
    ),
    option(
      "two best ones",
      listLoss({ form: "best-of-k", ranks: Int32Array.of(1, 1, 2) }),
      "one item of rank 1 for best-of-k but found 2",
    ),
    option(
      "a tie too large to sum over",
      listLoss({ ties: "marginal", ranks: new Int32Array(many).fill(1), reference: new Float64Array(many) }),
      "at most 12 items of equal rank",
      [many],
    ),
    {
      what: "a ranking of one",
      loss: listLoss({ ranks: Int32Array.of(1), reference: numbers(-1) }),
      sizes: [1],
      code: "ATTUNE_SHAPE",
      says: "groups[0]: expected a ranking of at least 2 but got 1",
    },
    {
      what: "ranks for some completions only",
      loss: listLoss({ ranks: Int32Array.of(1, 2) }),
      sizes: [3],
      code: "ATTUNE_SHAPE",
      says: "ranks: expected 3 values (one per completion) but got 2",
    },
  ];
}

const scoreMisuses: readonly (readonly [
  what: string,
  loss: ScoreLoss,
  sizes: readonly number[],
  says: string,
])[] = [
  ["an unknown form", scoreLoss({ form: "elo" }), [2], "bradley-terry, plackett-luce, all-pairs"],
  ["three answers without a list of pairs", scoreLoss(), [3], "groups[0]: expected a pair"],
  [
    "a pair of two groups",
    scoreLoss({ pairs: Int32Array.of(0, 2), pairCounts: Int32Array.of(1, 0) }),
    [2, 2],
    "pairs[0]: expected two different completions of group 0, 0 to 1, but got 0 and 2",
  ],
  [
    "a pair of an answer with itself",
    scoreLoss({ pairs: Int32Array.of(1, 1), pairCounts: Int32Array.of(1) }),
    [2],
    "pairs[0]",
  ],
  [
    "more pairs than counted",
    scoreLoss({ pairs: Int32Array.of(0, 1, 1, 0), pairCounts: Int32Array.of(1) }),
    [2],
    "pairs: expected 2 completions",
  ],
  [
    "fewer pairs than counted",
    scoreLoss({ pairs: Int32Array.of(0, 1), pairCounts: Int32Array.of(2) }),
    [2],
    "pairs: expected 4 completions",
  ],
  ["a margin that is no number", scoreLoss({ margins: numbers(Number.NaN) }), [2], "margins[0]"],
  ["a pair's weight below 0", scoreLoss({ pairWeights: numbers(-1) }), [2], "pairWeights[0]"],
  ["a negative centring", scoreLoss({ centring: -1 }), [2], "centring"],
  [
    "weights of another number of heads",
    scoreLoss({ headWeights: numbers(1) }),
    [2],
    "headWeights: expected 2",
  ],
  ["a rating of a pair", scoreLoss({ form: "rating", ratings: numbers(1, 2) }), [2], "a single completion"],
  [
    "a rating that is no number",
    scoreLoss({ form: "rating", ratings: numbers(Number.NaN) }),
    [1],
    "ratings[0]",
  ],
  ["no ratings", scoreLoss({ form: "rating" }), [1], "ratings: expected 1"],
  [
    "an outcome between win and tie",
    scoreLoss({ form: "davidson", labels: numbers(0.7), tieParameter: 0 }),
    [2],
    "labels[0]: expected 1 (first better), 0.5 (tie) or 0 (second better)",
  ],
  [
    "no room for ties",
    scoreLoss({ form: "rao-kupper", labels: numbers(1), tieParameter: 0 }),
    [2],
    "tieParameter of rao-kupper to be above 0",
  ],
  ["no outcomes", scoreLoss({ form: "davidson", tieParameter: 0 }), [2], "labels: expected 1"],
];

describe("a loss refuses", () => {
  let checks: Checks;
  before(() => {
    checks = openChecks({ threads: 1 });
  });
  after(() => checks.dispose());

  const refused = async (loss: LossSpec, sizes: readonly number[]) => {
    const count = sizes.reduce((sum, size) => sum + size, 0);
    const batch = groupedBatch(sizes);
    return failureOf(() =>
      loss.kind === "scores"
        ? checks.scoreLoss(loss, batch, new Float64Array(2 * count), 2)
        : checks.logprobLoss(loss, batch, new Float32Array(count)),
    );
  };

  for (const { what, loss, sizes, code, says } of misuses) {
    it(what, async () => {
      const failure = await refused(loss, sizes);
      expect(failure.message).to.include(says);
      expect(failure.code).to.equal(code);
    });
  }

  for (const [what, loss, sizes, says] of scoreMisuses) {
    it(`${what} (scores)`, async () => {
      expect((await refused(loss, sizes)).message).to.include(says);
    });
  }

  it("scores by a loss of log-probs, and the reverse", async () => {
    const batch = groupedBatch([2]);
    const swapped = await failureOf(() => checks.scoreLoss(pairLoss(), batch, numbers(0, 0), 1));
    expect(swapped.message).to.include("Expected a loss of scores");
    const other = await failureOf(() => checks.logprobLoss(scoreLoss(), batch, new Float32Array(2)));
    expect(other.message).to.include("Expected a loss of log-probs");
  });

  describe("by the table of losses of a pair:", () => {
    for (const entry of lossTables().pairwise) {
      const { name } = entry;
      /** All that any loss needs. */
      const needed = {
        chosenTargets: 1,
        matches: reference,
        ...(entry.smoothing === "needed" ? { labelSmoothing: 0.1 } : {}),
      };
      for (const { what, refuses, changes, says } of pairNeeds(entry)) {
        it(`${name} ${refuses ? "refuses" : "takes"} ${what}`, async () => {
          const loss = pairLoss({ ...needed, ...changes }, name);
          if (refuses) expect((await refused(loss, [2])).message).to.include(says);
          else await checks.logprobLoss(loss, groupedBatch([2]), Float32Array.of(-2, -5));
        });
      }
    }
  });
});

interface PairNeed {
  readonly what: string;
  readonly refuses: boolean;
  readonly changes: Record<string, unknown>;
  readonly says: string;
}

function pairNeeds(entry: ReturnType<typeof lossTables>["pairwise"][number]): readonly PairNeed[] {
  const { name, smoothing } = entry;
  /** Has no comparison that labels, smoothing or a divergence could change: a part of mixtures. */
  const imitates = smoothing === "ignored";
  const likelihood = entry.nll === "always" || entry.nllWeight > 0;
  const need = (what: string, refuses: boolean, changes: PairNeed["changes"], says: string): PairNeed => {
    return { what, refuses, changes, says };
  };
  const noPlace = imitates ? "no loss given has a place for it" : `the loss ${name} has no place`;
  return [
    need("no reference", entry.reference, { reference: undefined }, "reference log-probs"),
    need("a soft label", !entry.softLabels && !imitates, { labels: numbers(0.5) }, noPlace),
    need("smoothing", smoothing === "refused" || imitates, { labelSmoothing: 0.1 }, noPlace),
    need("no smoothing", smoothing === "needed", { labelSmoothing: 0 }, `the loss ${name} needs`),
    need("a divergence", !entry.divergence && !imitates, { divergence: "js_divergence" }, noPlace),
    need("no matches", entry.matches, { matches: undefined }, "from matchUpdate"),
    need("a weight of a pair", !entry.weights, { weights: numbers(2) }, `the loss ${name} compares over`),
    need("no chosen targets", likelihood, { chosenTargets: undefined }, "chosenTargets above 0"),
  ];
}

describe("matches of an update", () => {
  it("are refused for a loss that compares nothing, for odd sizes and for sums that are no numbers", async () => {
    const failure = (name: string, ...values: Parameters<typeof numbers>) =>
      failureOf(async () => matchUpdate(name, numbers(...values), numbers(-1, -2)));
    expect((await failure("sigmoid", -1, -2)).message).to.include("needs no matches");
    expect((await failure("aot", -1)).code).to.equal("ATTUNE_SHAPE");
    expect((await failure("aot", -1, Number.NaN)).code).to.equal("ATTUNE_NOT_FINITE");
  });

  it("do not depend on the order of the pairs", () => {
    const sums = [-3, -9, -4, -5, -8, -2, -6, -7];
    const references = [-2, -8, -5, -4, -9, -3, -5, -9];
    const turned = (values: readonly number[]) => numbers(...values.slice(2), ...values.slice(0, 2));
    for (const name of ["aot", "aot_unpaired"]) {
      const straight = Array.from(matchUpdate(name, numbers(...sums), numbers(...references)));
      const other = matchUpdate(name, turned(sums), turned(references));
      expect(Array.from(other), name).to.deep.equal(Array.from(turned(straight)));
    }
  });
});
