// Bradley-Terry beyond the oracle: derivatives by differences, ties, terms, priors, refusals.

import { expect } from "chai";
import { type FitBradleyTerry, fitBradleyTerry, type Game } from "../../lib/preference/index.js";
import { expectFailure } from "../errors/expect-failure.js";

const games: readonly Game[] = [
  { first: 0, second: 1, score: 1, terms: [{ term: 0, value: 1 }] },
  { first: 1, second: 2, score: 0.5, weight: 2, terms: [{ term: 0, value: -1 }] },
  { first: 2, second: 0, score: 0, terms: [{ term: 0, value: 1 }] },
  { first: 0, second: 2, score: 0.5, terms: [{ term: 0, value: -1 }] },
  { first: 1, second: 0, score: 1, weight: 0.5, terms: [{ term: 0, value: -1 }] },
];

/** Minus the log posterior, from its definition. */
function objective(x: ArrayLike<number>, ties: "half" | "davidson"): number {
  let sum = 0;
  for (const { first, second, score, weight = 1, terms = [] } of games) {
    let eta = (x[first] ?? 0) - (x[second] ?? 0);
    for (const { term, value } of terms) eta += value * (x[3 + term] ?? 0);
    const win = Math.exp(eta / 2);
    const tie = ties === "half" ? 0 : Math.exp(x[4] ?? 0);
    const lose = Math.exp(-eta / 2);
    const all = win + tie + lose;
    const loss =
      ties === "half"
        ? -score * Math.log(win / all) - (1 - score) * Math.log(lose / all)
        : -Math.log((score === 1 ? win : score === 0 ? lose : tie) / all);
    sum += weight * loss;
  }
  for (let i = 0; i < 3; i++) sum += (x[i] ?? 0) ** 2 / (2 * 2 ** 2);
  sum += (x[3] ?? 0) ** 2 / (2 * 3 ** 2);
  return ties === "half" ? sum : sum + (x[4] ?? 0) ** 2 / (2 * 2 ** 2);
}

describe("Bradley-Terry", () => {
  for (const ties of ["half", "davidson"] as const) {
    const options: FitBradleyTerry = { items: 3, games, terms: [3], ties };

    it(`ends where the posterior is flat (ties: ${ties})`, () => {
      const { parameters } = fitBradleyTerry(options);
      const best = objective(parameters, ties);
      for (const [i] of parameters.entries())
        for (const step of [-1e-4, 1e-4]) {
          const moved = parameters.with(i, (parameters[i] ?? 0) + step);
          expect(objective(moved, ties)).to.be.greaterThan(best);
        }
    });

    it(`has the Hessian's standard errors (ties: ${ties})`, () => {
      const { parameters, hessian } = fitBradleyTerry(options);
      const step = 1e-3;
      const at = (i: number, di: number, j: number, dj: number) => {
        const moved = parameters.slice();
        moved[i] = (moved[i] ?? 0) + di;
        moved[j] = (moved[j] ?? 0) + dj;
        return objective(moved, ties);
      };
      for (let i = 0; i < parameters.length; i++)
        for (let j = 0; j <= i; j++) {
          const mixed =
            (at(i, step, j, step) - at(i, step, j, -step) - at(i, -step, j, step) + at(i, -step, j, -step)) /
            (4 * step * step);
          let product = 0;
          for (let k = 0; k <= j; k++)
            product +=
              (hessian.lower[i * hessian.size + k] ?? 0) * (hessian.lower[j * hessian.size + k] ?? 0);
          expect(product, `${i}, ${j}`).to.be.closeTo(mixed, 1e-5);
        }
    });
  }

  it("keeps an unbeaten item finite, and without a prior says why it cannot", () => {
    const unbeaten = [{ first: 0, second: 1, score: 1 }];
    const { ratings } = fitBradleyTerry({ items: 2, games: unbeaten });
    expect(ratings[0]).to.be.within(0.5, 3);
    expectFailure(
      () => fitBradleyTerry({ items: 2, games: unbeaten, priorSd: Number.POSITIVE_INFINITY }),
      "ATTUNE_NOT_FINITE",
      "priorSd: 2",
    );
  });

  it("rates nobody without games", () => {
    const { ratings, standardErrors } = fitBradleyTerry({ items: 2, games: [] });
    expect([...ratings]).to.deep.equal([0, 0]);
    expect([...standardErrors]).to.deep.equal([2, 2]);
  });

  it("names a game that is none", () => {
    for (const [game, text] of [
      [{ first: 0, second: 2, score: 1 }, "from 0 to 1 but found 0 and 2"],
      [{ first: 1, second: 1, score: 1 }, "two different items"],
      [{ first: 0, second: 1, score: 2 }, "a score from 0 to 1 but found 2"],
      [{ first: 0, second: 1, score: Number.NaN }, "found NaN"],
      [{ first: 0, second: 1, score: 1, weight: -1 }, "a weight of 0 or more but found -1"],
    ] as const)
      expectFailure(() => fitBradleyTerry({ items: 2, games: [game] }), "ATTUNE_DATA", text);
    expectFailure(
      () => fitBradleyTerry({ items: 2, games: [], priorSd: 0 }),
      "ATTUNE_OPTION",
      "priorSd above 0 but received 0",
    );
  });

  it("counts a vote of weight 3 as three votes", () => {
    const once = { first: 0, second: 1, score: 1 };
    const one = fitBradleyTerry({ items: 2, games: [{ ...once, weight: 3 }] });
    const three = fitBradleyTerry({ items: 2, games: [once, once, once] });
    expect(one.ratings[0]).to.be.closeTo(three.ratings[0] ?? 0, 1e-12);
  });
});
