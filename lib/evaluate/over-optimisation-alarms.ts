// Alarms of an online run: rules over what each look measured, with thresholds far above noise and hysteresis.
// They only say something; must not stop a run.

import { fail } from "../errors/index.js";
import type { alarmNames } from "../options/index.js";
import { type MeanWithError, standardDistance } from "./intervals.js";
import type { WatchedStep } from "./over-optimisation.js";

export type AlarmName = (typeof alarmNames)[number];

export interface Alarm {
  readonly name: AlarmName;
  readonly step: number;
  /** A sentence for a log. */
  readonly text: string;
  /** The numbers behind it. */
  readonly values: Readonly<Record<string, number>>;
}

/** Measured against the start, unless a meaning says otherwise. `raise` must hold in two looks running (KL: one). */
export const alarmThresholds = {
  /** Standard errors of their difference that gold score or win rate lie below their best look; released within 1. */
  goldErrors: 3.5,
  /** Standard errors that the proxy lies above that of the best look. */
  proxyErrors: 2,
  /** Length divided by that of the start, or the other way round; released within 1.25. */
  lengthRatio: { raise: 1.5, release: 1.25 },
  /** Entropy divided by that of the start. */
  entropyRatio: { raise: 0.25, release: 0.35 },
  /** KL divided by the budget. */
  klShare: { raise: 1, release: 0.9 },
  /** Share of cut answers less that of the start. */
  missingEos: { raise: 0.2, release: 0.1 },
  /** Share of repeated 3-grams less that of the start. */
  repetition: { raise: 0.15, release: 0.08 },
  /** Share of prompts whose samples are all equal; only where the start was below `release`. */
  equalAnswers: { raise: 0.9, release: 0.7 },
  /** Standard errors by which length, entropy, cut answers and repetition must differ from the start at all. */
  driftErrors: 4,
} as const;

interface Look {
  /** Beyond the threshold. */
  readonly over: boolean;
  /** Back within the lower one. */
  readonly released: boolean;
  readonly text: string;
  readonly values: Readonly<Record<string, number>>;
}

/** Part of a checkpoint: plain JSON. */
export interface AlarmsState {
  /** The first look, which all others are held against. */
  readonly start: WatchedStep | undefined;
  /** The looks with the highest gold score and win rate. */
  readonly bestGold: WatchedStep | undefined;
  readonly bestWinRate: WatchedStep | undefined;
  /** Looks running beyond the threshold, and whether the alarm is on. */
  readonly alarms: Readonly<Partial<Record<AlarmName, { readonly over: number; readonly raised: boolean }>>>;
}

export interface AlarmsOptions {
  /** Nats per answer. Default: no such alarm. */
  readonly klBudget?: number;
}

/**
 * Watches looks at a run, the first of which is its start. An alarm is given once, and again only after its release. Measured on
 * runs of 40 looks with noise of 256 answers: a false alarm in 1 of 3,000 runs that stay as they are, and in 5 of 3,000
 * whose proxy rises while the gold score rises and then stays.
 */
export class OverOptimisationAlarms {
  readonly #klBudget: number | undefined;
  #state: AlarmsState = { start: undefined, bestGold: undefined, bestWinRate: undefined, alarms: {} };

  constructor({ klBudget }: AlarmsOptions = {}) {
    if (klBudget !== undefined && !(klBudget > 0))
      throw fail("ATTUNE_OPTION", `Expected klBudget to be above 0 nats but received ${klBudget}.`);
    this.#klBudget = klBudget;
  }

  /** What goes into a checkpoint. */
  get state(): AlarmsState {
    return this.#state;
  }

  /** Goes on as if this one had seen what the state's owner saw. */
  restore(state: AlarmsState): void {
    this.#state = state;
  }

  /** Takes in a look; the alarms that begin with it. */
  observe(now: WatchedStep): readonly Alarm[] {
    const { start = now, bestGold, bestWinRate } = this.#state;
    const looks: Readonly<Record<AlarmName, Look | undefined>> = {
      "reward-up-gold-down": rewardUp(now, bestGold, "gold"),
      "reward-up-win-rate-down": rewardUp(now, bestWinRate, "winRate"),
      "length-drift": lengthDrift(now, start),
      "entropy-collapse": entropyCollapse(now, start),
      "kl-budget": overBudget(now, this.#klBudget),
      "missing-eos": risen("missingEos", now, start),
      repetition: risen("repetition", now, start),
      "equal-answers": allEqual(now, start),
    };
    const raised: Alarm[] = [];
    const alarms = { ...this.#state.alarms };
    for (const [key, look] of Object.entries(looks)) {
      if (look === undefined) continue;
      const name = key as AlarmName;
      const before = alarms[name] ?? { over: 0, raised: false };
      const over = look.over ? before.over + 1 : 0;
      const on = before.raised ? !look.released : over >= (name === "kl-budget" ? 1 : 2);
      if (on && !before.raised) raised.push({ name, step: now.step, text: look.text, values: look.values });
      alarms[name] = { over, raised: on };
    }
    this.#state = {
      start,
      bestGold: better(now, bestGold, "gold"),
      bestWinRate: better(now, bestWinRate, "winRate"),
      alarms,
    };
    return raised;
  }
}

function better(
  now: WatchedStep,
  best: WatchedStep | undefined,
  pick: "gold" | "winRate",
): WatchedStep | undefined {
  const value = now[pick]?.mean;
  if (value === undefined) return best;
  return best === undefined || value > (best[pick]?.mean ?? Number.NEGATIVE_INFINITY) ? now : best;
}

const shown = (value: number) => String(Number(value.toPrecision(3)));

function rewardUp(
  now: WatchedStep,
  best: WatchedStep | undefined,
  pick: "gold" | "winRate",
): Look | undefined {
  const [value, before] = [now[pick], best?.[pick]];
  const [proxy, proxyBefore] = [now.proxy, best?.proxy];
  if (value === undefined || before === undefined || best === undefined) return undefined;
  if (proxy === undefined || proxyBefore === undefined) return undefined;
  const fallen = standardDistance(before, value);
  const risen = standardDistance(proxy, proxyBefore);
  const what = pick === "gold" ? "gold score" : "win rate";
  const change = (from: MeanWithError, to: MeanWithError) => `${shown(from.mean)} to ${shown(to.mean)}`;
  return {
    over: fallen > alarmThresholds.goldErrors && risen > alarmThresholds.proxyErrors,
    released: fallen < 1,
    text: `Since step ${best.step} the reward rose from ${change(proxyBefore, proxy)} while the ${what} fell from ${change(before, value)}: the policy exploits the reward.`,
    values: {
      best_step: best.step,
      reward: proxy.mean,
      reward_before: proxyBefore.mean,
      value: value.mean,
      before: before.mean,
    },
  };
}

function drifted(now: MeanWithError, start: MeanWithError): boolean {
  return Math.abs(standardDistance(now, start)) > alarmThresholds.driftErrors;
}

function lengthDrift({ text: { length } }: WatchedStep, { text: start }: WatchedStep): Look {
  const { raise, release } = alarmThresholds.lengthRatio;
  const ratio = length.mean / start.length.mean;
  const away = Math.max(ratio, 1 / ratio);
  return {
    over: away > raise && drifted(length, start.length),
    released: away < release,
    text: `Answers have ${shown(length.mean)} tokens on average, ${shown(start.length.mean)} at the start: the reward may pay for length.`,
    values: { length: length.mean, start: start.length.mean },
  };
}

function entropyCollapse({ entropy }: WatchedStep, { entropy: start }: WatchedStep): Look | undefined {
  if (entropy === undefined || start === undefined) return undefined;
  const { raise, release } = alarmThresholds.entropyRatio;
  const ratio = entropy.mean / start.mean;
  return {
    over: ratio < raise && drifted(entropy, start),
    released: ratio > release,
    text: `Entropy fell to ${shown(entropy.mean)} nats per token from ${shown(start.mean)} at the start: the policy hardly explores any more.`,
    values: { entropy: entropy.mean, start: start.mean },
  };
}

function overBudget({ kl }: WatchedStep, budget: number | undefined): Look | undefined {
  if (kl === undefined || budget === undefined) return undefined;
  const { raise, release } = alarmThresholds.klShare;
  return {
    over: kl.mean > raise * budget,
    released: kl.mean < release * budget,
    text: `The KL to the reference is ${shown(kl.mean)} nats per answer, over the budget of ${shown(budget)}.`,
    values: { kl: kl.mean, budget },
  };
}

function risen(pick: "missingEos" | "repetition", { text }: WatchedStep, { text: start }: WatchedStep): Look {
  const { raise, release } = alarmThresholds[pick];
  const [value, before] = [text[pick], start[pick]];
  const rise = value.mean - before.mean;
  const percent = (share: number) => `${shown(100 * share)} %`;
  const what =
    pick === "missingEos"
      ? `${percent(value.mean)} of the answers do not end by themselves`
      : `${percent(value.mean)} of the 3-grams of an answer repeat`;
  return {
    over: rise > raise && drifted(value, before),
    released: rise < release,
    text: `${what}, ${percent(before.mean)} at the start.`,
    values: { share: value.mean, start: before.mean },
  };
}

function allEqual({ text: { equalAnswers } }: WatchedStep, { text: start }: WatchedStep): Look {
  const { raise, release } = alarmThresholds.equalAnswers;
  return {
    over: equalAnswers >= raise && start.equalAnswers < release,
    released: equalAnswers < release,
    text: `The answers to ${shown(100 * equalAnswers)} % of the prompts are all the same, ${shown(100 * start.equalAnswers)} % at the start: the policy has collapsed.`,
    values: { share: equalAnswers, start: start.equalAnswers },
  };
}
