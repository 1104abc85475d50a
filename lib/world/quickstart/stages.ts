// The stages of the toy world's pipeline, one function each: from a random model to policies that were trained on judgements.
// Must not print, and must not know in which order they are run.

import type { Engine, JobOptions, Model } from "../../engine/index.js";
import { sampleAnswers } from "../../evaluate/index.js";
import {
  type DpoOptions,
  dpo,
  type GrpoOptions,
  grpo,
  type KtoOptions,
  kto,
  type PpoOptions,
  ppo,
  type RlooOptions,
  reward,
  rloo,
  type SharedMetrics,
  sft,
  type TrainResult,
  type TrainRun,
} from "../../train/index.js";
import { annotators, judgePairs, judgeRankings, judgeThumbs } from "../annotators.js";
import { trueRewards } from "../true-reward.js";
import { type ToyFiles, type ToyPrompts, writeRows } from "./files.js";
import { generation, runSettings, sizes } from "./settings.js";

/** Where stages work. */
export interface ToyLab {
  readonly engine: Engine;
  readonly seed: number;
  readonly files: ToyFiles;
  readonly prompts: ToyPrompts;
  readonly job: JobOptions;
  /** Waits for the end of a run; may show its events, and throws when it ended early. */
  follow<Metrics extends SharedMetrics>(run: TrainRun<Metrics>): Promise<TrainResult<Metrics>>;
}

/** What is trained in place of a model's own folder; a run's settings beside those of settings.ts. */
interface Stage<Options> {
  /** Folder of the run in the output. */
  readonly name: string;
  readonly settings?: Partial<Options>;
}

/** Next words of texts in which nobody is asked. */
export async function pretrain(lab: ToyLab): Promise<void> {
  const { files, seed } = lab;
  await trained(lab, files.start, (model) =>
    sft({ ...runSettings.pretrain, model, data: files.texts, output: files.run("pretrain"), seed }),
  );
}

/** Imitation of clerks. */
export async function imitate(lab: ToyLab): Promise<void> {
  const { files, seed } = lab;
  await trained(lab, files.model("pretrain"), (model) =>
    sft({ ...runSettings.sft, model, data: files.demonstrations, output: files.run("sft"), seed }),
  );
}

/** Answers of the imitating model, and what simulated annotators say of them, into files. */
export async function askAnnotators(lab: ToyLab): Promise<void> {
  const { engine, files, prompts, seed, job } = lab;
  const { answers: samples, judged } = sizes;
  const model = await engine.loadModel(files.model("sft"), { dtype: "fp32" });
  try {
    const answers = await sampleAnswers({
      model,
      prompts: prompts.training,
      samples,
      seed,
      generation,
      ...job,
    });
    const questions = prompts.training.map((prompt, i) => ({ prompt, answers: answers[i] ?? [] }));
    const panel = annotators({ seed });
    const some = { questions: questions.slice(0, judged), panel, seed };
    await writeRows(files.rankings, judgeRankings({ questions, panel, seed }));
    await writeRows(files.pairs, judgePairs(some).rows);
    await writeRows(files.thumbs, judgeThumbs(some));
  } finally {
    await model.dispose();
  }
}

/** A reward model on the imitating model, of rankings; scores of the best answers get mean 0 and spread 1. */
export async function learnReward(lab: ToyLab): Promise<number> {
  const { engine, files, seed, follow } = lab;
  // By its path: the run puts a head on the model.
  const model = files.model("sft");
  const { threads } = engine;
  const data = files.rankings;
  const result = await follow(
    reward({ ...runSettings.reward, model, data, threads, output: files.run("reward"), seed }),
  );
  return result.evaluation?.last.eval_accuracy ?? Number.NaN;
}

/** PPO from the imitating model on the reward model's score; the true reward looks on. */
export async function ppoStage(lab: ToyLab, { name, settings }: Stage<PpoOptions>) {
  return trained(lab, lab.files.model("sft"), (model) =>
    ppo({ ...runSettings.ppo, ...settings, ...rewarded(lab, name), model }),
  );
}

/** RLOO from the imitating model, likewise. */
export async function rlooStage(lab: ToyLab, { name, settings }: Stage<RlooOptions>) {
  return trained(lab, lab.files.model("sft"), (model) =>
    rloo({ ...runSettings.rloo, ...settings, ...rewarded(lab, name), model }),
  );
}

/** GRPO from the imitating model, likewise. */
export async function grpoStage(lab: ToyLab, { name, settings }: Stage<GrpoOptions>) {
  return trained(lab, lab.files.model("sft"), (model) =>
    grpo({ ...runSettings.grpo, ...settings, ...rewarded(lab, name), model }),
  );
}

/** Prompts, and what scores the answers to them. */
function rewarded({ files, seed }: ToyLab, name: string) {
  return {
    data: files.prompts,
    evalData: files.watched,
    rewardModel: [files.model("reward")],
    gold: { name: "true reward", score: trueRewards },
    output: files.run(name),
    seed,
  };
}

/** DPO or IPO from the imitating model on pairs. */
export async function dpoStage(lab: ToyLab, { name, settings }: Stage<DpoOptions>) {
  const { files, seed } = lab;
  return trained(lab, files.model("sft"), (model) =>
    dpo({ ...runSettings.dpo, ...settings, model, data: files.pairs, output: files.run(name), seed }),
  );
}

/** KTO from the imitating model on thumbs. */
export async function ktoStage(lab: ToyLab, { name, settings }: Stage<KtoOptions>) {
  const { files, seed } = lab;
  return trained(lab, files.model("sft"), (model) =>
    kto({ ...runSettings.kto, ...settings, model, data: files.thumbs, output: files.run(name), seed }),
  );
}

/** Loads a model on the lab's engine, trains it and lets it go; the run's folder has the result. */
async function trained<Metrics extends SharedMetrics>(
  { engine, follow }: ToyLab,
  path: string,
  start: (model: Model) => TrainRun<Metrics>,
): Promise<TrainResult<Metrics>> {
  const model = await engine.loadModel(path, { dtype: "fp32" });
  try {
    return await follow(start(model));
  } finally {
    await model.dispose();
  }
}
