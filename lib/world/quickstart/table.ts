// What policies of the toy world are worth on prompts that nobody trained on: one row per policy.
// Must not train or print.

import type { Model } from "../../engine/index.js";
import {
  type Answer,
  type AnsweredPrompt,
  answerScorer,
  bestOfNKl,
  compareScores,
  klOnSamples,
  type ScoreAnswers,
  sampleAnswers,
} from "../../evaluate/index.js";
import type { Interval } from "../../preference/index.js";
import { trueScores } from "../true-reward.js";
import { generation } from "./settings.js";
import type { ToyLab } from "./stages.js";

/** Means over one answer to each held-out prompt. */
export interface PolicyRow {
  readonly policy: string;
  /** How it was made. */
  readonly how: string;
  /** docs/toy-world.md: -2 to 4. */
  readonly trueReward: number;
  /** Score of the reward model that was optimised. */
  readonly proxyReward: number;
  /** Share of prompts whose answer has the higher true reward than the SFT model's; a tie is half. Undefined for that model itself. */
  readonly winRate: number | undefined;
  /** Wilson, 95%. */
  readonly winRateInterval: Interval | undefined;
  /** Nats per answer to the SFT model; of best-of-N the bound log N - (N-1)/N. */
  readonly kl: number;
  /** Tokens, the end included. */
  readonly length: number;
}

type Named = Pick<PolicyRow, "policy" | "how">;

interface Answered {
  readonly answers: readonly Answer[];
  readonly worth: Float64Array;
  readonly scores: Float64Array;
}

/** Measures policies against the SFT model, with the same draws for each. */
export class PolicyTable {
  readonly #lab: ToyLab;
  readonly #base: Model;
  readonly #judge: Model;
  readonly #proxy: ScoreAnswers;
  #first: Answered | undefined;

  private constructor(lab: ToyLab, base: Model, judge: Model, eosIds: readonly number[]) {
    this.#lab = lab;
    this.#base = base;
    this.#judge = judge;
    this.#proxy = answerScorer({ rewardModel: judge, sharedEosIds: eosIds });
  }

  /** Loads the SFT model and the reward model; `dispose` lets them go. */
  static async open(lab: ToyLab): Promise<PolicyTable> {
    const { engine, files } = lab;
    const base = await engine.loadModel(files.model("sft"), { dtype: "fp32" });
    try {
      const { eosIds } = await base.tokenizer();
      return new PolicyTable(
        lab,
        base,
        await engine.loadModel(files.model("reward"), { dtype: "fp32" }),
        eosIds,
      );
    } catch (error) {
      await base.dispose();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    await this.#judge.dispose();
    await this.#base.dispose();
  }

  /** The SFT model itself. */
  async sft(): Promise<PolicyRow> {
    const named = { policy: "sft", how: "imitates clerks, who are not all good ones" };
    return this.#row(named, await this.#start(), 0);
  }

  /** The model of the run `policy`. */
  async run(policy: string, how = ""): Promise<PolicyRow> {
    const { engine, files, prompts, seed, job } = this.#lab;
    const model = await engine.loadModel(files.model(policy), { dtype: "fp32" });
    try {
      const answered = await this.#answered(model);
      const tokenizer = await model.tokenizer();
      const { mean: kl } = await klOnSamples({
        policy: model,
        reference: this.#base,
        prompts: prompts.heldOut.map((prompt) => tokenizer.encode(prompt)),
        maxNewTokens: generation.maxNewTokens,
        seed: tableSeed(seed),
        ...job,
      });
      return this.#row({ policy, how }, answered, kl);
    } finally {
      await model.dispose();
    }
  }

  /** The answer that the reward model likes best among `n` of the SFT model. */
  async bestOf(n: number): Promise<PolicyRow> {
    const { prompts, seed, job } = this.#lab;
    const answers = await sampleAnswers({
      model: this.#base,
      prompts: prompts.heldOut,
      samples: n,
      seed: tableSeed(seed) + 1,
      generation,
      ...job,
    });
    const rows = rowsOf(prompts.heldOut, answers);
    const scores = Float64Array.from(await this.#proxy(rows, job));
    const best = answers.map((list, i) => {
      const own = scores.subarray(i * n, (i + 1) * n);
      return list.slice(own.indexOf(Math.max(...own))).slice(0, 1);
    });
    const how = `of ${n} answers of sft the one that the reward model likes best`;
    return this.#row({ policy: `best of ${n}`, how }, await this.#scored(best), bestOfNKl(n));
  }

  async #start(): Promise<Answered> {
    this.#first ??= await this.#answered(this.#base);
    return this.#first;
  }

  async #answered(model: Model): Promise<Answered> {
    const { prompts, seed, job } = this.#lab;
    const sampling = { model, prompts: prompts.heldOut, seed: tableSeed(seed), generation, ...job };
    return this.#scored(await sampleAnswers(sampling));
  }

  async #scored(answers: readonly (readonly Answer[])[]): Promise<Answered> {
    const { prompts, job } = this.#lab;
    const rows = rowsOf(prompts.heldOut, answers);
    const worth = Float64Array.from(await trueScores(rows, job));
    const scores = Float64Array.from(await this.#proxy(rows, job));
    return { answers: answers.flat(), worth, scores };
  }

  async #row(named: Named, { answers, worth, scores }: Answered, kl: number): Promise<PolicyRow> {
    const start = await this.#start();
    const compared =
      worth === start.worth
        ? undefined
        : compareScores({ ours: worth, theirs: start.worth, seed: this.#lab.seed });
    return {
      ...named,
      trueReward: mean(worth),
      proxyReward: mean(scores),
      winRate: compared?.winRate,
      winRateInterval: compared?.winRateInterval,
      kl,
      length: mean(answers.map(({ length }) => length)),
    };
  }
}

/** Draws of the table are none that a run used. */
function tableSeed(seed: number): number {
  return seed + 1_000_003;
}

function rowsOf(prompts: readonly string[], answers: readonly (readonly Answer[])[]): AnsweredPrompt[] {
  return prompts.flatMap((prompt, i) => (answers[i] ?? []).map((answer) => ({ prompt, answer })));
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}
