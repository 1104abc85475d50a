// People who are not there: seeded raters with a taste, noise, a favourite side and a temper, for demos, tests and load.
// What they say never becomes a training row unless somebody asks for it. Must not know the store.

import { textOf } from "./check-judgement.js";
import type { Ask, FeedbackContent, JudgementValue, PairChoice } from "./judgement.js";
import { numbersAt } from "./random-numbers.js";

/** The declared group of annotators who are simulated: what they say counts, but exports leave it out. */
export const SIMULATED = "simulated";

/** How a simulated person judges: what they like, how careful they are, which side they favour. */
export interface RaterOptions {
  readonly seed: number;
  /** Names the rater's own stream of numbers. */
  readonly number: number;
  /** What an answer is worth, in log-odds; everybody who is asked shares it. */
  readonly worth: (prompt: FeedbackContent, answer: FeedbackContent) => number;
  /** 1 sees every difference as it is, 0 none: a coin-flipper. Default 1. */
  readonly care?: number;
  /** Log-odds by which the left side is favoured. Default 0. */
  readonly sideBias?: number;
  /** Share of items that are passed over. Default 0. */
  readonly skips?: number;
  /** Differences below this, in log-odds, are ties. Default 0. */
  readonly ties?: number;
}

/** What a rater was shown. */
export interface Shown {
  readonly prompt: FeedbackContent;
  readonly answers: readonly FeedbackContent[];
  readonly asks: readonly Ask[];
}

export interface Rated {
  readonly values: readonly JudgementValue[];
  readonly activeMs: number;
}

/** A person who is simulated; the same for the same seed and number. */
export interface SimulatedRater {
  /** Null: skips it. */
  judge(shown: Shown): Rated | null;
}

/** For demos and tests: their votes never become rows for training unless asked for. */
export function simulatedRater(options: RaterOptions): SimulatedRater {
  const { seed, number, skips = 0 } = options;
  let judged = 0;
  return {
    judge: (shown) => {
      const draw = numbersAt({ seed, stream: "simulate", row: number, column: judged });
      judged += 1;
      if (draw() < skips) return null;
      const worths = shown.answers.map((answer) => (options.care ?? 1) * options.worth(shown.prompt, answer));
      const values = shown.asks.flatMap((ask) => valuesOf(ask, { shown, worths, options, draw }));
      return { values, activeMs: Math.round(2000 + 8000 * draw()) };
    },
  };
}

interface Judging {
  readonly shown: Shown;
  readonly worths: readonly number[];
  readonly options: RaterOptions;
  readonly draw: () => number;
}

function valuesOf(ask: Ask, { shown, worths, options, draw }: Judging): readonly JudgementValue[] {
  switch (ask.kind) {
    case "pair": {
      const eta = (worths[0] ?? 0) - (worths[1] ?? 0);
      const choice = choose(eta, options, draw);
      const strength = Math.min(3, Math.floor(Math.abs(eta) * 1.5));
      return [{ kind: "pair", choice, ...(ask.strength ? { strength } : {}) }];
    }
    case "ranking": {
      // Gumbel's noise makes a sort a draw from Plackett-Luce.
      const noisy = worths.map((worth, place) => ({
        place,
        key: worth - Math.log(-Math.log(draw() || 1e-12)),
      }));
      const order = noisy.sort((a, b) => b.key - a.key).map(({ place }) => [place]);
      return [{ kind: "ranking", tiers: ask.top === undefined ? order : order.slice(0, ask.top) }];
    }
    case "rating":
      return worths.map((worth, answer) => {
        const share = 1 / (1 + Math.exp(-(worth + 2 * draw() - 1)));
        const steps = Math.round((share * (ask.high - ask.low)) / ask.step);
        return { kind: "rating", answer, axis: ask.axis, value: ask.low + steps * ask.step };
      });
    case "thumb":
      return worths.map((worth, answer) => ({
        kind: "thumb",
        answer,
        up: draw() < 1 / (1 + Math.exp(-worth)),
      }));
    case "edit":
      return ask.required
        ? [{ kind: "edit", answer: 0, text: `${textOf(shown.answers[0] ?? "")} (mended)` }]
        : [];
    case "comment":
      return ask.required ? [{ kind: "comment", text: "simulated" }] : [];
    case "span":
      return [];
  }
}

function choose(eta: number, { sideBias = 0, ties = 0 }: RaterOptions, draw: () => number): PairChoice {
  if (Math.abs(eta) < ties) return "tie";
  return draw() < 1 / (1 + Math.exp(-(eta + sideBias))) ? "left" : "right";
}
