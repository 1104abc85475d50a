// A round of a feedback loop with the public trainers: a reward model where there is one, then the policy, each a run with a
// folder of its own. Must not gather rows or decide when.

import { basename, join } from "node:path";
import { type Engine, isPeftFolder, type LoadModelOptions, type Model } from "../engine/index.js";
import { scoreIds } from "../engine/score-ids.js";
import { boundText, fitRewardBound, klOnSamples, openEvaluationRows } from "../evaluate/index.js";
import type { TrainedRound, TrainRound } from "../feedback/index.js";
import { modelFilesHash } from "../train/fingerprint.js";
import {
  dpo,
  kto,
  ppo,
  reward,
  type SharedMetrics,
  type TrainResult,
  type TrainRun,
} from "../train/index.js";
import { answerDefaults } from "./feedback-loop-answers.js";
import { inNewFolder, writeText } from "./feedback-loop-files.js";
import type { LoopModels } from "./feedback-loop-models.js";
import type { CreateTrainingLoop } from "./feedback-loop-options.js";
import { type RoundFiles, type RowFiles, writeRoundFiles } from "./feedback-loop-rows.js";
import { BOUND_FILE } from "./feedback-loop-scores.js";
import { promptOf } from "./feedback-loop-texts.js";

/** Heads of a new reward model: an ensemble, which can disagree. */
const HEADS = 5;
/** Prompts whose answers a KL is measured on. */
const KL_PROMPTS = 64;

export interface LoopTraining {
  readonly engine: Engine;
  readonly models: LoopModels;
  readonly options: CreateTrainingLoop;
  /** Whether questions are chosen by a bound on the reward model. */
  readonly needsBound: () => Promise<boolean>;
}

export async function trainRound(training: LoopTraining, request: TrainRound): Promise<TrainedRound> {
  const { models, options } = training;
  const tokenizer = await (await models.at(request.start.place)).tokenizer();
  // Training needs the room.
  await models.keep();
  return inNewFolder(options.output, `round-${request.round}`, async (folder) => {
    const files = await writeRoundFiles({ folder, request, tokenizer, train: options.train });
    return trainIn({ ...training, request, folder, files });
  });
}

async function trainIn(round: Round): Promise<TrainedRound> {
  const { policy, train, reward: given } = round.options;
  const scorer = train === "reward+ppo" || given !== undefined ? await trainReward(round) : undefined;
  const trained = await trainPolicy(round, scorer?.model);
  const place = trained.model;
  return {
    ...{ model: `${basename(policy)}@round-${round.request.round}`, place },
    checkpoint: (await modelFilesHash(place)).slice(0, 16),
    ...(scorer === undefined ? {} : { scorer: scorer.model }),
    kl: await klToTrunk(round, place),
    metrics: { ...named("reward", scorer), ...named("policy", trained) },
  };
}

interface Round extends LoopTraining {
  readonly request: TrainRound;
  readonly folder: string;
  readonly files: RoundFiles;
}

/** Loads a model, trains it, and lets it go: the run's folder has the result. */
async function trained<Metrics extends SharedMetrics>(
  { engine, options, request }: Round,
  place: string,
  load: LoadModelOptions,
  start: (model: Model) => TrainRun<Metrics>,
): Promise<TrainResult<Metrics>> {
  const { adapter, dtype = "fp32" } = options;
  // An adapter of an earlier round is trained on.
  const own = adapter === undefined || (await isPeftFolder(place)) ? {} : { adapter };
  const model = await engine.loadModel(place, { dtype, ...own, ...load, signal: request.signal });
  try {
    return await start(model).result;
  } finally {
    await model.dispose();
  }
}

function dataOf({ data, evalData }: RowFiles) {
  return { data, ...(evalData === undefined ? {} : { evalData }) };
}

async function trainReward(round: Round): Promise<TrainResult<SharedMetrics>> {
  const { options, request, folder, files } = round;
  const { scorer, restart, trunk, seed, signal } = request;
  const begun = restart ? options.reward : (scorer?.place ?? options.reward);
  const load = begun === undefined ? { scoreHead: { heads: options.heads ?? HEADS, seed } } : {};
  const output = join(folder, "reward");
  const result = await trained(round, begun ?? trunk.place, load, (model) =>
    reward({ ...options.trainers?.reward, ...dataOf(files.reward), model, output, seed, signal }),
  );
  if (await round.needsBound()) await fitBound(round, result.model);
  return result;
}

/** What the selector `optimistic` goes by: how sure the rows make a linear reward on the model's states. */
async function fitBound({ engine, options, request, files }: Round, place: string): Promise<void> {
  const { dtype = "fp32" } = options;
  const { signal, seed } = request;
  const model = await engine.loadModel(place, { dtype, signal });
  try {
    const tokenizer = await model.tokenizer();
    const rows = await openEvaluationRows({ data: files.reward.data, tokenizer, scored: true, signal });
    try {
      const bound = await fitRewardBound({ model, rows, seed, signal });
      await writeText(join(place, "..", BOUND_FILE), boundText(bound));
    } finally {
      rows.close();
    }
  } finally {
    await model.dispose();
  }
}

function trainPolicy(round: Round, rewardModel: string | undefined): Promise<TrainResult<SharedMetrics>> {
  const { options, request, folder, files } = round;
  const { start, seed, signal } = request;
  const output = join(folder, "policy");
  const { trainers = {} } = options;
  const shared = { output, seed, signal };
  return trained<SharedMetrics>(round, start.place, {}, (model) => {
    if (options.train === "dpo") return dpo({ ...trainers.dpo, ...dataOf(files.policy), model, ...shared });
    if (options.train === "kto") return kto({ ...trainers.kto, ...dataOf(files.policy), model, ...shared });
    const { maxNewTokens, temperature } = { ...answerDefaults, ...options.generation };
    return ppo({
      // A value network has one head, an ensemble several.
      valueModel: "policy",
      // It learns from answers such as people judge.
      ...{ maxNewTokens, temperature },
      ...trainers.ppo,
      ...{ model, data: files.prompts, rewardModel: rewardModel === undefined ? [] : [rewardModel] },
      ...shared,
    });
  });
}

/** Nats per answer between the new policy and the first one, on fresh answers of it. */
async function klToTrunk({ models, options, request }: Round, place: string): Promise<number> {
  const { trunk, prompts, seed, signal } = request;
  const [policy, reference] = [await models.at(place), await models.at(trunk.place)];
  const tokenizer = await policy.tokenizer();
  const ids = await Promise.all(
    prompts
      .slice(0, KL_PROMPTS)
      .map((prompt, i) =>
        scoreIds(
          { prompt: promptOf(prompt, tokenizer), completion: new Int32Array(0) },
          i,
          async () => tokenizer,
        ),
      ),
  );
  const { maxNewTokens } = { ...answerDefaults, ...options.generation };
  const sampling = { maxNewTokens, seed, signal };
  const { mean } = await klOnSamples({
    ...{ policy, reference, ...sampling },
    prompts: ids.map(({ prompt }) => prompt),
  });
  return mean;
}

/** What a round says of a run: its last step, and its validation rows at the end. */
function named(
  name: string,
  result: TrainResult<SharedMetrics> | undefined,
): Readonly<Record<string, number>> {
  if (result === undefined) return {};
  const { last, evaluation, steps } = result;
  const told = { steps, loss: last.loss, ...evaluation?.last };
  return Object.fromEntries(
    Object.entries(told).flatMap(([key, value]) =>
      typeof value === "number" && Number.isFinite(value) ? [[`${name}/${key}`, value] as const] : [],
    ),
  );
}
