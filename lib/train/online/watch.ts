// Looks at an online run: fresh answers to the evaluation prompts, or the rollouts themselves where there are none, measured
// for signs of over-optimisation (Gao, Schulman, Hilton 2022, arXiv 2210.10760). Must not train.

import type { FrozenModel } from "../../engine/contract.js";
import { AttuneError, fail } from "../../errors/index.js";
import {
  type Answer,
  bestOfNCurve,
  fitGoldCurve,
  type GoldCurve,
  OverOptimisationAlarms,
  OverOptimisationStop,
  overOptimisationMetrics,
  type WatchedStep,
  watchedStep,
} from "../../evaluate/index.js";
import {
  endedOf,
  type Rollout,
  rewardMetrics,
  sampleIds,
  sampleRollout,
  scoreRollout,
} from "../../rollout/index.js";
import type { BetweenSteps } from "../between-steps.js";
import type { StopJudge } from "../early-stop.js";
import type { SharedMetrics } from "../metrics.js";
import type { Alarm } from "../run-types.js";
import type { Place } from "../workplace.js";
import type { OnlineRows } from "./online-rows.js";
import type { OnlineSettings } from "./online-settings.js";
import { samplingOf } from "./rollouts.js";

export interface WatchOptions {
  readonly place: Place & OnlineRows;
  readonly settings: OnlineSettings;
  /** Undefined: the KL is not measured. */
  readonly reference: FrozenModel | undefined;
  readonly between: Pick<BetweenSteps<SharedMetrics>, "alarm" | "endAfterThisStep" | "progress">;
}

/** Draws of looks: no rollout has this number, and every look draws alike, so that looks differ by the policy only. */
const LOOK_NUMBER = 0xffff_ffff;
const BASELINE_NUMBER = 0xffff_fffe;
const FEWEST_PROMPTS = 2;

/** Best-of-N of the start: plain JSON. */
export interface BaselinePoint {
  readonly n: number;
  /** Bound of what choosing costs, nats. */
  readonly kl: number;
  /** Mean over prompts. */
  readonly proxy: number;
  readonly gold?: number;
}

/** What a finished run says of over-optimisation, in run.json. */
export interface WatchSummary {
  /** Of the gold score above that of the start; null where it cannot be fitted, or distances are to another model than the start. */
  readonly goldCurve: GoldCurve | null;
  /** Of the start; empty where distances are to another model. */
  readonly bestOfN: readonly BaselinePoint[];
}

type PromptScores = readonly (number | null)[];

/** Part of a checkpoint: plain JSON. */
interface WatchState {
  readonly alarms: OverOptimisationAlarms["state"];
  readonly stop: OverOptimisationStop["state"];
  readonly start: WatchedStep | undefined;
  /** [prompts] gold score of the start; null where nobody gave one. */
  readonly startGold: PromptScores | undefined;
  /** Gold scores of later looks at their distance: what the curve is fitted to. */
  readonly points: readonly { readonly kl: number; readonly gold: PromptScores }[];
  readonly baseline: readonly BaselinePoint[];
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #alarms: OverOptimisationAlarms;
  readonly #stop: OverOptimisationStop;
  #start: WatchedStep | undefined;
  #startGold: PromptScores | undefined;
  #points: WatchState["points"] = [];
  #baseline: readonly BaselinePoint[] = [];
  #last: { readonly step: number; readonly kl: number; readonly gold: Float64Array } | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    const { klBudget } = options.settings;
    this.#alarms = new OverOptimisationAlarms({ klBudget });
    this.#stop = new OverOptimisationStop({ klBudget, leastPrompts: FEWEST_PROMPTS });
  }

  get state(): WatchState {
    return {
      alarms: this.#alarms.state,
      stop: this.#stop.state,
      start: this.#start,
      startGold: this.#startGold,
      points: this.#points,
      baseline: this.#baseline,
    };
  }

  restore({ alarms, stop, start, startGold, points, baseline }: WatchState): void {
    this.#alarms.restore(alarms);
    this.#stop.restore(stop);
    this.#start = start;
    this.#startGold = startGold;
    this.#points = points;
    this.#baseline = baseline;
  }

  get summary(): WatchSummary {
    const [start, points] = [this.#startGold, this.#points];
    return {
      goldCurve:
        start === undefined || this.#elsewhere ? null : curveOf(start, points, this.#options.settings.seed),
      bestOfN: this.#baseline,
    };
  }

  /** The reference is another model than the start: distances are not to the start. */
  get #elsewhere(): boolean {
    return this.#options.place.reference !== undefined;
  }

  /** Judges evaluations by their gold score; undefined unless `stopRule` asks for it. */
  get judge(): StopJudge | undefined {
    if (!this.#options.settings.stopRule) return undefined;
    const rule = this.#stop;
    return {
      observe: ({ step }) => {
        if (this.#last?.step !== step) throw fail("ATTUNE_INTERNAL", `No look at step ${step}.`);
        if (!this.#comparable) return { best: false, ends: false };
        const { best, stop } = rule.observe(this.#last);
        return { best, ends: stop !== undefined };
      },
      // `state` of this class keeps it.
      state: undefined,
      restore: () => undefined,
    };
  }

  /** Enough prompts have a gold score now and at the start, so that they can be compared. */
  get #comparable(): boolean {
    const [gold, start] = [this.#last?.gold ?? [], this.#startGold ?? []];
    const judged = [...start.keys()].filter(
      (prompt) => start[prompt] !== null && !Number.isNaN(gold[prompt]),
    );
    return judged.length >= FEWEST_PROMPTS;
  }

  /** Fresh answers to the evaluation prompts, scored by what is optimised and by gold. Keys with `eval_`. */
  async evaluate(step: number): Promise<Record<`eval_${string}`, number>> {
    const { settings } = this.#options;
    if (step === 0 && settings.bestOf > 1 && !this.#elsewhere) this.#baseline = await this.#bestOfStart();
    const { proxy, golden } = await this.#answer({
      step,
      number: LOOK_NUMBER,
      samples: settings.evalSamples,
    });
    const { metrics, look } = this.#measure({ step, rollout: proxy, golden });
    this.#raise(look);
    if (step === 0 && settings.stopRule && this.#last !== undefined && this.#comparable)
      this.#stop.begin(this.#last);
    const measured = {
      ...(look.kl === undefined ? {} : { "objective/kl": look.kl.mean }),
      ...(look.entropy === undefined ? {} : { entropy: look.entropy.mean }),
    };
    const entries = Object.entries({ ...metrics, ...measured, ...rewardMetrics(proxy) });
    return Object.fromEntries(entries.map(([key, value]) => [`eval_${key}`, value]));
  }

  /** Answers to all evaluation prompts with both of their scores. */
  async #answer({ step, number, samples }: Asked): Promise<Answered> {
    const { place, settings, reference, between } = this.#options;
    const { model, evaluation: prompts = [], rewards, gold, tokenizer, job } = place;
    const sampled = await sampleRollout({
      policy: model,
      reference,
      prompts,
      sampling: { ...samplingOf(settings), samples },
      seed: settings.seed,
      number,
      microBatchTokens: settings.microBatchTokens,
      ...job,
      onProgress: (progress) => between.progress({ step, ...progress }),
    });
    const shared = { rollout: sampled, prompts, tokenizer, ...job };
    const proxy = await scoreRollout({ ...shared, rewards });
    const golden = gold === undefined ? undefined : await scoreRollout({ ...shared, rewards: gold });
    return { proxy, golden };
  }

  /** The best of 1, 2, 4 … answers of the start by their score. */
  async #bestOfStart(): Promise<readonly BaselinePoint[]> {
    const { bestOf: samples, seed } = this.#options.settings;
    const { proxy, golden } = await this.#answer({ step: 0, number: BASELINE_NUMBER, samples });
    // An answer without a score counts as the mean of the others.
    const scores = filled(proxy.scores);
    const gold = golden === undefined ? scores : filled(golden.scores);
    const ofPrompt = (all: Float64Array, prompt: number) =>
      all.subarray(prompt * samples, (prompt + 1) * samples);
    const prompts = Array.from(proxy.promptRows, (_, prompt) => ({
      proxy: ofPrompt(scores, prompt),
      gold: ofPrompt(gold, prompt),
    }));
    return bestOfNCurve({ prompts, seed, draws: 100 }).map(({ n, kl, proxy: reward, gold: truth }) => ({
      n,
      kl,
      proxy: reward.mean,
      ...(golden === undefined ? {} : { gold: truth.mean }),
    }));
  }

  /** What a rollout says of the policy; alarms come from here where there are no evaluation prompts. */
  observe(step: number, rollout: Rollout): Readonly<Record<string, number>> {
    if (this.#options.place.evaluation !== undefined) {
      const look = lookAt({ step, rollout, golden: undefined, wins: undefined });
      return overOptimisationMetrics(look, look);
    }
    const { metrics, look } = this.#measure({ step, rollout, golden: undefined });
    this.#raise(look);
    return metrics;
  }

  #measure({ step, rollout, golden }: Omit<Measured, "wins">) {
    const perPrompt = golden === undefined ? undefined : promptMeans(golden);
    if (perPrompt !== undefined && this.#startGold === undefined) {
      this.#startGold = plain(perPrompt);
      if (perPrompt.every(Number.isNaN))
        this.#options.place.warn(
          "No answer to the evaluation prompts has a gold score: every source said null. Gold is not measured.",
        );
    }
    const start = this.#startGold;
    const wins =
      perPrompt === undefined || start === undefined || this.#start === undefined
        ? undefined
        : perPrompt
            .map((score, prompt) => 0.5 + 0.5 * Math.sign(score - (start[prompt] ?? Number.NaN)))
            .filter((win) => !Number.isNaN(win));
    const look = lookAt({ step, rollout, golden, wins });
    this.#start ??= look;
    const kl = look.kl?.mean ?? Number.NaN;
    if (perPrompt !== undefined) {
      this.#last = { step, kl, gold: perPrompt };
      // An estimate from samples may come out negative.
      if (step > 0) this.#points = [...this.#points, { kl: Math.max(0, kl), gold: plain(perPrompt) }];
    }
    return { look, metrics: overOptimisationMetrics(look, this.#start) };
  }

  #raise(look: WatchedStep): void {
    const { between, settings } = this.#options;
    for (const alarm of this.#alarms.observe(look)) {
      between.alarm(alarm satisfies Alarm);
      if (settings.stopOn?.includes(alarm.name)) between.endAfterThisStep(alarm);
    }
  }
}

interface Asked {
  readonly step: number;
  /** Of the draws. */
  readonly number: number;
  /** Of each prompt. */
  readonly samples: number;
}

interface Answered {
  readonly proxy: Rollout;
  readonly golden: Rollout | undefined;
}

interface Measured {
  readonly step: number;
  readonly rollout: Rollout;
  readonly golden: Rollout | undefined;
  /** [prompts] */
  readonly wins: Float64Array | undefined;
}

function lookAt({ step, rollout, golden, wins }: Measured): WatchedStep {
  const { starts, logprobs, referenceLogprobs } = rollout;
  const count = rollout.finish.length;
  const sumsOf = (value: (token: number) => number) =>
    Float64Array.from({ length: count }, (_, sample) => {
      let sum = 0;
      for (let token = starts[sample] ?? 0; token < (starts[sample + 1] ?? 0); token++) sum += value(token);
      return sum;
    });
  const lengths = Float64Array.from({ length: count }, (_, i) => (starts[i + 1] ?? 0) - (starts[i] ?? 0));
  const kl = referenceLogprobs && sumsOf((token) => (logprobs[token] ?? 0) - (referenceLogprobs[token] ?? 0));
  const surprise = sumsOf((token) => -(logprobs[token] ?? 0));
  return watchedStep({
    step,
    answers: answersOf(rollout),
    proxy: rollout.scores,
    ...(golden === undefined ? {} : { gold: golden.scores }),
    ...(kl === undefined ? {} : { kl }),
    entropy: surprise.map((sum, i) => sum / Math.max(1, lengths[i] ?? 1)),
    ...(wins === undefined ? {} : { wins }),
  });
}

/** [prompts][samples]; ids stand for texts. */
function answersOf(rollout: Rollout): Answer[][] {
  const ended = endedOf(rollout);
  return Array.from(rollout.promptRows, (_, prompt) =>
    Array.from({ length: rollout.samples }, (_, i): Answer => {
      const sample = prompt * rollout.samples + i;
      const ids = sampleIds(rollout, sample).completion;
      return { text: ids.join(" "), ids, length: ids.length, ended: ended[sample] === 1 };
    }),
  );
}

function filled(scores: Float64Array): Float64Array {
  const known = scores.filter((score) => !Number.isNaN(score));
  const mean = known.reduce((sum, score) => sum + score, 0) / Math.max(1, known.length);
  return scores.map((score) => (Number.isNaN(score) ? mean : score));
}

/** [prompts] over the answers that have a score; NaN where none has. */
function promptMeans({ scores, samples, promptRows }: Rollout): Float64Array {
  return Float64Array.from(promptRows, (_, prompt) => {
    const own = scores.subarray(prompt * samples, (prompt + 1) * samples);
    const known = own.filter((score) => !Number.isNaN(score));
    return known.reduce((sum, score) => sum + score, 0) / known.length;
  });
}

/** As JSON keeps it: null for NaN. */
function plain(scores: Float64Array): PromptScores {
  return Array.from(scores, (score) => (Number.isNaN(score) ? null : score));
}

/** Over the prompts that have a score in every look. Null where looks lie too close to the start, or are too few. */
function curveOf(start: PromptScores, points: WatchState["points"], seed: number): WatchSummary["goldCurve"] {
  const judged = [...start.keys()].filter(
    (prompt) => start[prompt] !== null && points.every(({ gold }) => gold[prompt] !== null),
  );
  const ofJudged = (gold: PromptScores) => judged.map((prompt) => gold[prompt] ?? Number.NaN);
  const pointsOfJudged = points.map(({ kl, gold }) => ({ kl, gold: ofJudged(gold) }));
  try {
    return fitGoldCurve({ method: "rl", points: pointsOfJudged, start: ofJudged(start), seed, draws: 200 });
  } catch (error) {
    if (error instanceof AttuneError && error.code === "ATTUNE_DATA") return null;
    throw error;
  }
}
