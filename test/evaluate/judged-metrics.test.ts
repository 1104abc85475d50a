import { expect } from "chai";
import {
  type JudgedKind,
  type JudgedRow,
  judgedMetricsOf,
  type PairMetrics,
  type RankingMetrics,
  type RatingMetrics,
  type ThumbMetrics,
} from "../../lib/evaluate/judged-metrics.js";
import { tokenMetricsOf } from "../../lib/evaluate/token-metrics.js";

function metrics<Metrics>(kind: JudgedKind, rows: readonly JudgedRow[]): Metrics {
  return judgedMetricsOf({ rows, kind }) as unknown as Metrics;
}

const softplus = (z: number) => Math.log(1 + Math.exp(z));

describe("metrics of judged pairs", () => {
  const rows: JudgedRow[] = [
    { scores: [2, 1], lengths: [10, 5], label: 1 },
    { scores: [0, 3], lengths: [4, 9], label: 1 },
    { scores: [1, 4], lengths: [6, 7], label: 0.2 },
    { scores: [5, 5], lengths: [8, 8], label: 1 },
    { scores: [0, 9], lengths: [1, 2], label: 0.5 },
  ];
  const found = metrics<PairMetrics>("pairs", rows);

  it("count a pair as right when its better side scores higher, ties of people left out, equal scores wrong", () => {
    expect(found).to.include({ accuracy: 2 / 4, decided: 4, ties: 1 });
  });

  it("have the mean margin towards the better side", () => {
    expect(found.margin).to.equal((1 - 3 + 3 + 0) / 4);
  });

  it("have the mean log loss of the judgements, soft labels as they are", () => {
    const losses = [
      softplus(-1),
      softplus(3),
      0.2 * softplus(3) + 0.8 * softplus(-3),
      softplus(0),
      0.5 * softplus(9) + 0.5 * softplus(-9),
    ];
    expect(found.loss).to.be.closeTo(losses.reduce((a, b) => a + b) / 5, 1e-12);
  });

  it("have Wilson's interval about the accuracy", () => {
    expect(found.accuracy_interval?.low).to.be.closeTo(0.15, 1e-3);
    expect(found.accuracy_interval?.high).to.be.closeTo(0.85, 1e-3);
  });

  it("have the range of all scores", () => {
    expect(found).to.include({ min_reward: 0, mean_reward: 3, max_reward: 9 });
  });

  it("see scores that follow the length", () => {
    const longer = rows.map((row) => ({ ...row, scores: row.lengths.map((length) => 2 * length) }));
    expect(metrics<PairMetrics>("pairs", longer).length_spearman).to.be.closeTo(1, 1e-12);
    expect(metrics<PairMetrics>("pairs", longer).length_kendall).to.be.closeTo(1, 1e-12);
  });

  it("have no accuracy where nothing was decided", () => {
    const ties = metrics<PairMetrics>("pairs", [{ scores: [1, 2], lengths: [1, 1], label: 0.5 }]);
    expect(ties.accuracy).to.deep.equal(Number.NaN);
    expect(ties).to.not.have.property("accuracy_interval");
  });
});

describe("metrics of rankings", () => {
  it("count a prompt once, however many pairs it has", () => {
    const found = metrics<RankingMetrics>("rankings", [
      { scores: [3, 2, 1, 0], lengths: [1, 1, 1, 1], label: 1, ranks: [1, 2, 3, 4] },
      { scores: [0, 1], lengths: [1, 1], label: 1, ranks: [1, 2] },
    ]);
    expect(found).to.include({ decided: 7, top_accuracy: 0.5 });
    expect(found.accuracy).to.be.closeTo(0.5, 1e-15);
    expect(found.tau_b).to.equal(0);
  });

  it("take equal scores for no choice, wherever the best answer stands", () => {
    const places = [
      [1, 2, 3],
      [2, 3, 1],
    ].map((ranks) => ({ scores: [0, 0, 0], lengths: [1, 1, 1], label: 1, ranks }));
    expect(metrics<RankingMetrics>("rankings", places)).to.include({ accuracy: 0, top_accuracy: 0 });
    const tied = [{ scores: [4, 4, 0], lengths: [1, 1, 1], label: 1, ranks: [1, 1, 2] }];
    expect(metrics<RankingMetrics>("rankings", tied).top_accuracy).to.equal(1);
  });

  it("do not judge tied answers against each other", () => {
    const found = metrics<RankingMetrics>("rankings", [
      { scores: [1, 5, 0], lengths: [1, 1, 1], label: 1, ranks: [1, 1, 2] },
    ]);
    expect(found).to.include({ accuracy: 1, decided: 2, top_accuracy: 1 });
  });
});

describe("metrics of ratings", () => {
  it("correlate scores with ratings", () => {
    const found = metrics<RatingMetrics>(
      "ratings",
      [3, 1, 2].map((rating, i) => ({ scores: [-i], lengths: [i], label: 1, rating })),
    );
    expect(found.rating_spearman).to.be.closeTo(0.5, 1e-12);
    expect(found.rating_kendall).to.be.closeTo(1 / 3, 1e-12);
  });
});

describe("metrics of thumbs", () => {
  it("have the probability that a good answer scores above a bad one, equal scores half", () => {
    const found = metrics<ThumbMetrics>("thumbs", [
      { scores: [3], lengths: [1], label: 1 },
      { scores: [1], lengths: [1], label: 1 },
      { scores: [1], lengths: [1], label: 0 },
      { scores: [2], lengths: [1], label: 0 },
    ]);
    // 3 beats both, 1 ties with one and loses to the other: 2.5 of 4.
    expect(found).to.include({ auc: 0.625, good: 2, bad: 2, gap: 0.5 });
  });
});

describe("metrics of tokens", () => {
  const sums = [
    { logprob: -2, entropy: 1, correct: 1, count: 2 },
    { logprob: -4, entropy: 3, correct: 1, count: 4 },
  ];

  it("are means over all tokens, not over answers", () => {
    expect(tokenMetricsOf(sums)).to.deep.equal({
      loss: 1,
      perplexity: Math.E,
      mean_token_accuracy: 2 / 6,
      entropy: 4 / 6,
      tokens: 6,
    });
  });
});
