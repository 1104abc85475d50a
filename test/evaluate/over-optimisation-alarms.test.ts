// The alarms of online runs: each at its planted case, none on noise, hysteresis, and state.

import { expect } from "chai";
import {
  type Alarm,
  type MeanWithError,
  OverOptimisationAlarms,
  type WatchedStep,
} from "../../lib/evaluate/index.js";
import { drawNormals } from "../../lib/world/random.js";
import { expectFailure } from "../errors/expect-failure.js";

/** Means of a look; all that is left out is as at a healthy start. */
interface Means {
  readonly proxy?: number;
  readonly gold?: number;
  readonly kl?: number;
  readonly entropy?: number;
  readonly winRate?: number;
  readonly length?: number;
  readonly missingEos?: number;
  readonly repetition?: number;
  readonly equalAnswers?: number;
}

const usual = {
  proxy: 0,
  gold: 0,
  kl: 3,
  entropy: 1,
  winRate: 0.5,
  length: 20,
  missingEos: 0.05,
  repetition: 0.05,
  equalAnswers: 0.02,
};
/** Standard errors of 256 answers. */
const errors = {
  proxy: 1 / 16,
  gold: 1 / 16,
  kl: 2 / 16,
  entropy: 0.3 / 16,
  winRate: 0.5 / 16,
  length: 8 / 16,
  missingEos: 0.22 / 16,
  repetition: 0.1 / 16,
  equalAnswers: 0.01,
};
const keys = Object.keys(usual) as (keyof typeof usual)[];

/** A look; with a seed each mean is off by its standard error times a normal number. */
function look(step: number, means: Means = {}, seed?: number): WatchedStep {
  const noise =
    seed === undefined ? [] : drawNormals({ seed, stream: "gold", step: 7, row: step }, keys.length, 1);
  const of = (key: keyof typeof usual): MeanWithError => {
    const mean = (means[key] ?? usual[key]) + errors[key] * (noise[keys.indexOf(key)] ?? 0);
    return { mean, standardError: errors[key] };
  };
  return {
    step,
    proxy: of("proxy"),
    proxySpread: 1,
    gold: of("gold"),
    goldSpread: 1,
    kl: of("kl"),
    entropy: of("entropy"),
    winRate: of("winRate"),
    text: {
      answers: 256,
      length: of("length"),
      missingEos: of("missingEos"),
      distinct: [0.1, 0.3, 0.5],
      repetition: of("repetition"),
      repeatedOpening: 0.1,
      equalAnswers: of("equalAnswers").mean,
      lengthCorrelation: 0.1,
    },
  };
}

function alarmsOf(course: readonly Means[], seed?: number): Alarm[] {
  const watch = new OverOptimisationAlarms({ klBudget: 10 });
  return course.flatMap((means, step) => watch.observe(look(step, means, seed)));
}

const looks = 40;
const share = (step: number) => step / (looks - 1);
const course = (at: (step: number) => Means) => Array.from({ length: looks }, (_, step) => at(step));

/** What goes well: the reward rises, gold and win rate with it until they stay; answers change within reason. */
const healthy = course((step) => ({
  proxy: 2 * share(step),
  gold: Math.min(1, 2 * share(step)),
  winRate: 0.5 + 0.3 * Math.min(1, 2 * share(step)),
  kl: 6 * share(step),
  entropy: 1 - 0.5 * share(step),
  length: 20 + 6 * share(step),
}));

const planted: Readonly<Record<string, (step: number) => Means>> = {
  "reward-up-gold-down": (step) => ({
    proxy: 2 * share(step),
    gold: share(step) < 0.5 ? share(step) : 1 - share(step),
  }),
  "reward-up-win-rate-down": (step) => ({
    proxy: 2 * share(step),
    winRate: 0.7 - Math.abs(share(step) - 0.5),
  }),
  "length-drift": (step) => ({ length: 20 + 20 * share(step) }),
  "entropy-collapse": (step) => ({ entropy: 1 - 0.9 * share(step) }),
  "kl-budget": (step) => ({ kl: 3 + 10 * share(step) }),
  "missing-eos": (step) => ({ missingEos: 0.05 + 0.5 * share(step) }),
  repetition: (step) => ({ repetition: 0.05 + 0.4 * share(step) }),
  "equal-answers": (step) => ({ equalAnswers: 0.02 + 0.96 * share(step) }),
};

describe("alarms of over-optimisation", () => {
  for (const [name, at] of Object.entries(planted)) {
    it(`${name} is raised once by its planted case, and no other`, () => {
      for (const seed of [undefined, 1, 2, 3]) {
        const alarms = alarmsOf(course(at), seed);
        expect(
          alarms.map((alarm) => alarm.name),
          `seed ${seed}`,
        ).to.deep.equal([name]);
        expect(alarms[0]?.step).to.be.above(3);
        expect(alarms[0]?.text).to.match(/^[A-Z0-9].*\.$/);
      }
    });
  }

  it("length-drift is raised by answers that become short, too", () => {
    expect(
      alarmsOf(course((step) => ({ length: 20 - 12 * share(step) }))).map(({ name }) => name),
    ).to.deep.equal(["length-drift"]);
  });

  it("says in numbers what it says in words", () => {
    const [alarm] = alarmsOf([{ gold: 1 }, { gold: 0, proxy: 1 }, { gold: 0, proxy: 1 }]);
    expect(alarm).to.deep.equal({
      name: "reward-up-gold-down",
      step: 2,
      text: "Since step 0 the reward rose from 0 to 1 while the gold score fell from 1 to 0: the policy exploits the reward.",
      values: { best_step: 0, reward: 1, reward_before: 0, value: 0, before: 1 },
    });
  });

  it("are almost never raised by noise in a run that stays, nor in one that goes well", () => {
    const seeds = Array.from({ length: 300 }, (_, seed) => seed);
    const still = course(() => ({}));
    const falseAlarms = (means: readonly Means[]) => seeds.filter((seed) => alarmsOf(means, seed).length > 0);
    expect(falseAlarms(still).length, "stays").to.be.at.most(1);
    expect(falseAlarms(healthy).length, "goes well").to.be.at.most(3);
  });

  it("do not flap: one alarm at a threshold, another only after a release", () => {
    const around = course((step) => ({ kl: step % 2 === 0 ? 9.5 : 10.5 }));
    expect(alarmsOf(around)).to.have.lengthOf(1);
    const twice = [{ kl: 11 }, { kl: 8 }, { kl: 11 }];
    expect(alarmsOf(twice)).to.have.lengthOf(2);
  });

  it("need two looks running, but for the KL budget", () => {
    expect(alarmsOf([{}, { length: 60 }, {}, { length: 60 }, {}])).to.deep.equal([]);
    expect(alarmsOf([{}, { kl: 11 }, {}])).to.have.lengthOf(1);
  });

  it("take no offence at what was so from the start", () => {
    const odd = { missingEos: 0.9, repetition: 0.6, equalAnswers: 1, entropy: 0.01 };
    expect(alarmsOf(course(() => odd))).to.deep.equal([]);
  });

  it("go on from a saved state as if they had not stopped", () => {
    const means = course((step) => ({
      ...planted["reward-up-gold-down"]?.(step),
      length: 20 + 20 * share(step),
    }));
    const whole = alarmsOf(means, 1);
    const first = new OverOptimisationAlarms({ klBudget: 10 });
    const second = new OverOptimisationAlarms({ klBudget: 10 });
    const half = means.slice(0, 25).flatMap((mean, step) => first.observe(look(step, mean, 1)));
    second.restore(JSON.parse(JSON.stringify(first.state)));
    const rest = means.slice(25).flatMap((mean, step) => second.observe(look(step + 25, mean, 1)));
    expect([...half, ...rest]).to.deep.equal(whole);
    expect(whole).to.have.lengthOf(2);
  });

  it("leave out what is not measured", () => {
    const watch = new OverOptimisationAlarms();
    const { step, text } = look(0, { kl: 99 });
    expect(watch.observe({ step, text })).to.deep.equal([]);
    expect(Object.keys(watch.state.alarms)).to.not.include("kl-budget");
  });

  it("refuse a budget that is none", () =>
    expectFailure(() => new OverOptimisationAlarms({ klBudget: 0 }), "ATTUNE_OPTION", "above 0 nats"));
});
