// The part of `attune evaluate` that has answers written: win rate, best of N, KL of fresh answers.
// Must not print figures.

import type { Model, Prompt } from "../engine/index.js";
import { fail } from "../errors/index.js";
import {
  answerScorer,
  bestOfN,
  bestOfNJson,
  boundAnswerScorer,
  type EvaluationRows,
  klOnSamples,
  promptContents,
  promptsOfRows,
  type RewardBound,
  readBound,
  sampledKlJson,
  winRate,
  winRateJson,
} from "../evaluate/index.js";
import type { EvaluateSettings } from "../options/index.js";
import type { Measured } from "./evaluate-figures.js";
import type { EvaluationModels } from "./evaluation-models.js";
import type { PhaseProgress } from "./phase-progress.js";

export interface MeasureGenerated {
  readonly settings: EvaluateSettings;
  readonly models: EvaluationModels;
  readonly rows: EvaluationRows;
  readonly progress: PhaseProgress;
  readonly signal: AbortSignal;
}

export function wantsGenerated({ winRateAgainst, bestOf, klPrompts }: EvaluateSettings): boolean {
  return winRateAgainst !== undefined || bestOf !== undefined || klPrompts > 0;
}

/** The judge and the other writer, where there are any. */
export interface GenerationModels {
  readonly rewardModel: Model | undefined;
  readonly rival: Model | undefined;
  readonly bound: RewardBound | undefined;
}

/** Loads them before anything is computed. @throws ATTUNE_MODEL where a reward model should write, or a policy judge */
export async function loadGenerationModels({
  settings,
  models,
}: Pick<MeasureGenerated, "settings" | "models">): Promise<GenerationModels> {
  const { rewardModel: path, winRateAgainst, rewardBound } = settings;
  if (wantsGenerated(settings)) expectWriter(models.model, "--model");
  const rewardModel = path === undefined ? undefined : await models.load(path);
  if (rewardModel !== undefined && rewardBound === undefined) expectJudge(rewardModel, String(path));
  const isModel = winRateAgainst !== undefined && winRateAgainst !== "answers";
  const rival = isModel ? await models.load(winRateAgainst) : undefined;
  if (rival !== undefined) expectWriter(rival, "--win-rate-against");
  return { rewardModel, rival, bound: rewardBound === undefined ? undefined : await readBound(rewardBound) };
}

function expectJudge({ scoreHeads }: Model, path: string): void {
  if (scoreHeads > 0) return;
  const text = `Expected --reward-model to be a reward model (with a score head) but ${path} predicts tokens.`;
  throw fail("ATTUNE_MODEL", `${text} Give one that attune reward trained.`);
}

function expectWriter({ scoreHeads, source }: Model, flag: string): void {
  if (scoreHeads === 0) return;
  const text = `Expected a language model to write answers but ${flag} ${source} is a reward model.`;
  throw fail("ATTUNE_MODEL", `${text} Give the policy there and the reward model as --reward-model.`);
}

export async function measureGenerated(
  request: MeasureGenerated & { readonly loaded: GenerationModels },
): Promise<Omit<Measured, "evaluation">> {
  const { settings, rows, loaded } = request;
  if (!wantsGenerated(settings)) {
    if (rows.type !== "prompt") return {};
    const text = "Expected rows with answers to measure but found prompts alone.";
    throw fail("ATTUNE_DATA", `${text} Have them answered: --win-rate-against, --best-of or --kl-prompts.`);
  }
  const { rewardModel } = loaded;
  return {
    ...(settings.klPrompts > 0 ? { sampledKl: await freshKl(request) } : {}),
    ...(rewardModel === undefined ? {} : await judged(request, { ...loaded, rewardModel })),
  };
}

function promptsFor({ settings, models, rows }: MeasureGenerated, count: number) {
  const { model, tokenizer } = models;
  return promptsOfRows({
    rows,
    count,
    room: { positions: model.maxPositions, answer: settings.maxNewTokens },
    decode: (ids) => tokenizer.decode(ids, { skipSpecial: true }),
    eosIds: tokenizer.eosIds,
  });
}

async function freshKl(request: MeasureGenerated) {
  const { settings, models, progress, signal } = request;
  const { reference, klPrompts, maxNewTokens, temperature, seed, batchSize, microBatchTokens } = settings;
  if (reference === undefined) throw fail("ATTUNE_OPTION", "Expected --reference beside --kl-prompts.");
  const { prompts } = promptsFor(request, klPrompts);
  const fresh = await klOnSamples({
    policy: models.model,
    reference: await models.reference(reference),
    prompts,
    maxNewTokens,
    temperature,
    seed,
    batchSize,
    microBatchTokens,
    stopTokens: models.tokenizer.eosIds,
    signal,
    onProgress: (fraction) => progress.show("fresh answers, %", Math.round(100 * fraction), 100),
  });
  return sampledKlJson(fresh);
}

type Judges = GenerationModels & { readonly rewardModel: Model };

async function judged(
  request: MeasureGenerated,
  judges: Judges,
): Promise<Pick<Measured, "winRate" | "bestOf">> {
  const { settings, models, progress, signal } = request;
  const { winRateAgainst, bestOf: n, samples, seed } = settings;
  const { rewardModel, rival } = judges;
  const { prompts: ids, indices, answers } = promptsFor(request, settings.prompts);
  const shared = await sharesTokens(models, [rewardModel, ...(rival === undefined ? [] : [rival])]);
  const prompts: readonly Prompt[] = shared
    ? ids
    : await promptContents(settings.data, indices, settings.format);
  const score = scorerOf(request, judges, shared);
  const { maxNewTokens, temperature, topP, batchSize } = settings;
  const generation = { maxNewTokens, temperature, topP, batchSize };
  const show = (phase: string) => (fraction: number) =>
    progress.show(`${phase}, %`, Math.round(100 * fraction), 100);
  const job = { prompts, score, generation, seed, signal };
  if (winRateAgainst === "answers" && answers === undefined)
    throw fail(
      "ATTUNE_DATA",
      "Expected rows with answers for --win-rate-against answers but found prompts alone.",
    );
  const theirs = rival ?? answers;
  const compared =
    winRateAgainst === undefined || theirs === undefined
      ? undefined
      : await winRate({ ...job, ours: models.model, theirs, onProgress: show("win rate") });
  const best =
    n === undefined
      ? undefined
      : await bestOfN({
          ...job,
          model: models.model,
          n,
          samples: samples ?? n,
          onProgress: show(`best of ${n}`),
        });
  return {
    ...(compared === undefined ? {} : { winRate: winRateJson(compared) }),
    ...(best === undefined ? {} : { bestOf: bestOfNJson(best) }),
  };
}

function scorerOf({ settings, models }: MeasureGenerated, { rewardModel, bound }: Judges, shared: boolean) {
  const { aggregate, k, head, confidence, microBatchTokens } = settings;
  const how = { rewardModel, sharedEosIds: shared ? models.tokenizer.eosIds : undefined, microBatchTokens };
  if (bound !== undefined)
    return boundAnswerScorer({ ...how, bound, ...(confidence === undefined ? {} : { confidence }) });
  return answerScorer({
    ...how,
    ...(aggregate === undefined ? {} : { aggregate }),
    ...(k === undefined ? {} : { k }),
    ...(head === undefined ? {} : { head }),
  });
}

/** Whether all models read the same ids as the same text, so that none has to be made text and back. */
async function sharesTokens({ tokenizer }: EvaluationModels, others: readonly Model[]): Promise<boolean> {
  const loaded = await Promise.all(others.map((other) => other.tokenizer()));
  return loaded.every(({ hash }) => hash === tokenizer.hash);
}
