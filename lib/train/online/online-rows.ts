// The material of online runs: prompts, those that are only looked at, and what scores answers to them.
// Must not sample or train.

import { findFiles } from "../../data/find-files.js";
import { hashFiles } from "../../data/hash-files.js";
import {
  defaultTokenCache,
  type LoadedRows,
  loadRows,
  type RowSource,
  type StepRows,
  type TokenisedRows,
} from "../../data/index.js";
import { pathsOf } from "../../data/raw-rows.js";
import type { TrainableModel } from "../../engine/contract.js";
import { AttuneError, fail } from "../../errors/index.js";
import { readBound } from "../../evaluate/index.js";
import {
  namedSources,
  openPrompts,
  promptOrder,
  type RewardBoundSource,
  type RewardModelSource,
  type RewardSource,
  type RewardSources,
  type RolloutPrompt,
  type RolloutPrompts,
} from "../../rollout/index.js";
import { loadTokenizer, type Tokenizer } from "../../text/index.js";
import { fileHash } from "../fingerprint.js";
import type { LargestBatch, Material, OpenedModel } from "../material.js";
import type { SharedMetrics } from "../metrics.js";
import { claim } from "../open-model.js";
import { tokenizerOf } from "../other-reference.js";
import { stateBytes } from "../plan-room.js";
import { functionOf } from "./function-files.js";
import { isLoaded, type OnlineInputs, type OnlineSettings } from "./online-settings.js";
import { checkGold } from "./option-needs.js";
import { Roles } from "./reward-roles.js";
import { modelsAmong, requirePositions, requireTexts, requireValueRole, strangersOf } from "./role-checks.js";

/** What an online loop finds in its workplace. */
export interface OnlineRows {
  readonly prompts: readonly RolloutPrompt[];
  /** Prompts that are looked at only; undefined without. */
  readonly evaluation: readonly RolloutPrompt[] | undefined;
  /** What is optimised. */
  readonly rewards: readonly RewardSource[];
  /** What the policy never trains on; undefined without. */
  readonly gold: readonly RewardSource[] | undefined;
  /** The value network; undefined where the algorithm has none. */
  readonly value: TrainableModel | undefined;
  /** Texts of pre-training; undefined without. */
  readonly texts: TokenisedRows | undefined;
  /** Positions of the prompts of a rollout, by its number. */
  readonly order: (rollout: number) => Int32Array;
}

export interface OpenOnlineRows<Metrics extends SharedMetrics> {
  readonly settings: OnlineSettings;
  readonly inputs: OnlineInputs<Metrics>;
  /** For an algorithm with a value network: a path, "policy", a model, or undefined = the first reward model. */
  readonly value?: { readonly from: string | TrainableModel | undefined };
  /** Texts of pre-training that join the updates. */
  readonly texts?: RowSource;
  /** Answers to a prompt that updates cannot take apart: 2 of pairs. Default 1. */
  readonly answersTogether?: number;
}

/** Nothing stays open when it throws. Throws ATTUNE_OPTION without a reward, and what opening rows and models throws. */
export async function openOnlineRows<Metrics extends SharedMetrics>(
  request: OpenOnlineRows<Metrics>,
  opened: OpenedModel,
): Promise<Material<OnlineRows>> {
  const { settings } = request;
  const { model: policy, signal, warn } = opened;
  const roles = new Roles({ policy, settings, warn, job: { signal } });
  const closers: (() => void)[] = [];
  const close = async () => {
    for (const one of closers.splice(0)) one();
    await roles.close();
  };
  try {
    const parts = await openParts({ request, opened, roles, onClose: (one) => closers.push(one) });
    return { ...(await materialOf(request, opened, parts)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface OpenParts<Metrics extends SharedMetrics> {
  readonly request: OpenOnlineRows<Metrics>;
  readonly opened: OpenedModel;
  readonly roles: Roles;
  /** Called with what lets go of a part. */
  readonly onClose: (close: () => void) => void;
}

interface OnlineParts {
  readonly tokenizer: Tokenizer;
  readonly training: RolloutPrompts;
  readonly measured: RolloutPrompts | undefined;
  readonly rewards: OpenSources;
  readonly gold: OpenSources;
  readonly value: OpenedValue | undefined;
  readonly texts: LoadedRows | undefined;
  /** Names of models that do not read the policy's tokens, as sentences. */
  readonly others: readonly string[];
}

async function openParts<Metrics extends SharedMetrics>({
  request,
  opened,
  roles,
  onClose,
}: OpenParts<Metrics>): Promise<OnlineParts> {
  const { settings, inputs } = request;
  const { chatTemplate } = settings;
  const tokenizer = await loadTokenizer({ path: opened.model.source, chatTemplate, date: opened.date });
  const reading = { request, opened, tokenizer };
  const rewards = await openSources(request, roles, "reward");
  if (rewards.sources.length === 0) throw noReward();
  namedSources(rewards.sources);
  const gold = await openSources(request, roles, "gold");
  if (gold.sources.length > 0) namedSources(gold.sources);
  const evaluates = inputs.evalData !== undefined;
  checkGold({ settings, evaluates, gold: gold.sources.length > 0 });
  const value = await openValue({ ...reading, roles });
  if (value?.release !== undefined) onClose(value.release);
  const judges = [...modelsAmong(rewards.sources), ...modelsAmong(gold.sources)];
  const strangers = await strangersOf(judges, tokenizer);
  requirePositions({ judges, strangers, value: value?.model, maxLength: opened.maxLength });
  const training = await readPrompts("data", inputs.data, reading);
  const { evalData } = inputs;
  const measured = evalData === undefined ? undefined : await readPrompts("eval-data", evalData, reading);
  if (measured !== undefined) checkLooks(settings, measured.prompts.length);
  requireTexts(strangers, [training.prompts, measured?.prompts ?? []]);
  const others = strangers.map(
    (name) =>
      `"${name}" has another tokenizer than the policy: it scores the text of prompts and answers, in tokens of its own.`,
  );
  const texts = await loadTexts(reading);
  if (texts !== undefined) onClose(() => texts.rows.close());
  return { tokenizer, training, measured, rewards, gold, value, texts, others };
}

async function materialOf<Metrics extends SharedMetrics>(
  { settings, inputs, answersTogether }: OpenOnlineRows<Metrics>,
  { model }: OpenedModel,
  parts: OnlineParts,
): Promise<Omit<Material<OnlineRows>, "close">> {
  const { tokenizer, training, measured, rewards, gold, value, texts, others } = parts;
  const { batchSize: count, seed, shuffle, epochs } = settings;
  const promptCount = training.prompts.length;
  const order = promptOrder({ promptCount, count, seed, shuffle });
  const largest = largestOf(settings, [training.prompts, measured?.prompts ?? []], answersTogether);
  const golden = gold.sources.length > 0;
  return {
    counts: training.counts,
    evaluationCounts: measured?.counts,
    tokenizer,
    identity: identityOf(parts),
    files: {
      ...(await filesOf(inputs.data)),
      ...(await filesOf(inputs.evalData)),
      ...Object.fromEntries((texts?.files ?? []).map(({ path, hash }) => [path, hash])),
    },
    rowCount: promptCount,
    steps: Math.ceil((epochs * promptCount) / count),
    evaluationCount: measured?.prompts.length,
    largest,
    further: value === undefined ? [] : [["value network", growth(value.model, largest)]],
    stateBytes: value === undefined ? 0 : stateBytes(value.model),
    warnings: [...others, ...warningsOf(settings, measured?.prompts.length)],
    own: {
      prompts: training.prompts,
      evaluation: measured?.prompts,
      rewards: rewards.sources,
      gold: golden ? gold.sources : undefined,
      value: value?.model,
      texts: texts?.rows,
      order,
    },
    *plan(from): Generator<StepRows> {
      for (let step = from; ; step++)
        yield { step, epoch: Math.floor((step * count) / promptCount), rows: order(step) };
    },
    samplePrompts: (wanted) => firstPrompts((measured ?? training).prompts, wanted, model.maxPositions),
  };
}

function identityOf({ tokenizer, training, measured, rewards, gold, value, texts }: OnlineParts) {
  return {
    rows: training.hash,
    ...(measured === undefined ? {} : { "evaluation rows": measured.hash }),
    tokenizer: tokenizer.hash,
    ...(tokenizer.chat === undefined ? {} : { "chat template": tokenizer.chat.hash }),
    ...rewards.identity,
    ...gold.identity,
    ...value?.identity,
    ...(texts === undefined ? {} : { "pre-training rows": texts.hash }),
  };
}

interface Reading<Metrics extends SharedMetrics> {
  readonly request: OpenOnlineRows<Metrics>;
  readonly opened: OpenedModel;
  readonly tokenizer: Tokenizer;
}

/** Prompts that leave room for an answer. */
async function readPrompts<Metrics extends SharedMetrics>(
  option: "data" | "eval-data",
  data: RowSource,
  { request: { settings }, opened, tokenizer }: Reading<Metrics>,
): Promise<RolloutPrompts> {
  const { maxNewTokens, format, truncate, skipBadRows } = settings;
  const maxLength = opened.maxLength - maxNewTokens;
  if (maxLength < 1) {
    const text = `Expected max-new-tokens below the ${opened.maxLength} tokens that prompt and answer may have together but received ${maxNewTokens}.`;
    throw fail("ATTUNE_OPTION", text, { details: { option: "max-new-tokens" } });
  }
  try {
    return await openPrompts({
      data,
      tokenizer,
      maxLength,
      overLength: truncate ? "truncate" : "drop",
      ...(format === "auto" ? {} : { format }),
      skipBadRows,
      vocabularySize: opened.model.vocabularySize,
      signal: opened.signal,
    });
  } catch (error) {
    if (!(error instanceof AttuneError) || error.code !== "ATTUNE_NO_ROWS") throw error;
    const text = `A prompt may have ${maxLength} tokens here: ${opened.maxLength} less the ${maxNewTokens} of an answer.`;
    throw fail("ATTUNE_NO_ROWS", `${option}: ${error.message} ${text}`, {
      cause: error,
      details: { ...error.details },
    });
  }
}

async function loadTexts<Metrics extends SharedMetrics>({
  request: { texts: data, settings },
  opened: { model, maxLength, signal, warn },
  tokenizer,
}: Reading<Metrics>): Promise<LoadedRows | undefined> {
  if (data === undefined) return undefined;
  const { vocabularySize } = model;
  const { skipBadRows } = settings;
  const tokenCache = defaultTokenCache(process.env);
  return loadRows({
    data,
    task: "sft",
    tokenizer,
    maxLength,
    skipBadRows,
    vocabularySize,
    tokenCache,
    signal,
    warn,
  });
}

function noReward() {
  const text = "Expected something that scores answers but there is none.";
  const advice =
    "Give --reward-model (a folder that attune reward wrote) or --reward-function (a module); in code also rewards.";
  return fail("ATTUNE_OPTION", `${text} ${advice}`, { details: { option: "reward-model" } });
}

interface OpenSources {
  readonly sources: readonly RewardSource[];
  readonly identity: Readonly<Record<string, string>>;
}

/** Models by path, then functions by path, then what the caller gave. */
async function openSources<Metrics extends SharedMetrics>(
  { settings, inputs }: OpenOnlineRows<Metrics>,
  roles: Roles,
  kind: "reward" | "gold",
): Promise<OpenSources> {
  const isGold = kind === "gold";
  const models = (isGold ? settings.goldModel : settings.rewardModel) ?? [];
  const functions = (isGold ? settings.goldFunction : settings.rewardFunction) ?? [];
  const given = listOf(isGold ? inputs.gold : inputs.rewards);
  const weights = isGold ? undefined : settings.rewardWeights;
  const named = models.length + functions.length;
  if (weights !== undefined && weights.length !== named) {
    const text = `Expected a weight for each of ${named} reward models and functions but received ${weights.length}.`;
    throw fail("ATTUNE_OPTION", text, { details: { option: "reward-weights" } });
  }
  const bound = isGold ? undefined : settings.rewardBound;
  if (bound !== undefined && models.length === 0) {
    const text = "Expected reward-model beside reward-bound: a bound scores by that model's states.";
    throw fail("ATTUNE_OPTION", text, { details: { option: "reward-bound" } });
  }
  const sources: RewardSource[] = [];
  const identity: Record<string, string> = {};
  const add = (source: RewardSource & object, hash: string) => {
    const weight = weights?.[sources.length];
    identity[`${kind} ${sources.length + 1}`] = hash;
    sources.push({ ...source, ...(weight === undefined ? {} : { weight }) } as RewardSource);
  };
  for (const [index, path] of models.entries()) {
    const { model, hash } = await roles.scorer(path);
    const name = models.length === 1 ? `${kind} model` : `${kind} model ${index + 1}`;
    if (index === 0 && bound !== undefined) {
      const source: RewardBoundSource = { name: "reward bound", model, bound: await readBound(bound) };
      add(source, `${hash}+${await fileHash(bound)}`);
      continue;
    }
    const { rewardAggregate: aggregate, rewardK: k } = settings;
    const how = { ...(aggregate === undefined ? {} : { aggregate }), ...(k === undefined ? {} : { k }) };
    const source: RewardModelSource = { name, model, ...(isGold ? {} : how) };
    add(source, hash);
  }
  for (const place of functions) {
    const { name, score, hash } = await functionOf(place);
    add({ name, score, timeout: settings.rewardTimeout, retries: settings.rewardRetries }, hash);
  }
  return { sources: [...sources, ...given], identity };
}

function listOf(sources: RewardSources | undefined): readonly RewardSource[] {
  if (sources === undefined) return [];
  return Array.isArray(sources) ? sources : [sources as RewardSource];
}

interface OpenedValue {
  readonly model: TrainableModel;
  readonly identity: Readonly<Record<string, string>>;
  /** Lets a model of the caller go. */
  readonly release?: () => void;
}

interface OpenValue<Metrics extends SharedMetrics> extends Reading<Metrics> {
  readonly roles: Roles;
}

async function openValue<Metrics extends SharedMetrics>({
  request: { settings, value },
  roles,
  opened: { model: policy },
  tokenizer,
}: OpenValue<Metrics>): Promise<OpenedValue | undefined> {
  if (value === undefined) return undefined;
  const { from } = value;
  if (isLoaded(from)) {
    requireValueRole({
      value: from,
      name: from.source,
      policy,
      tokenizer,
      own: await tokenizerOf(from.source),
    });
    return { model: from, identity: {}, release: claim(from) };
  }
  const path = from ?? settings.rewardModel?.[0];
  if (path === undefined) {
    const text = "Expected a model that the value network starts from, as there is no reward model.";
    throw fail("ATTUNE_OPTION", `${text} Give --value-model: the path of one, or "policy".`, {
      details: { option: "value-model" },
    });
  }
  const { model, hash } = path === "policy" ? await roles.valueOfPolicy() : await roles.valueFrom(path);
  const own = path === "policy" ? undefined : await tokenizerOf(model.source);
  requireValueRole({ value: model, name: path, policy, tokenizer, own });
  return { model, identity: { "value network": hash } };
}

/** A prompt with the answers that stay together is the least that a batch holds. */
function largestOf(
  settings: OnlineSettings,
  lists: readonly (readonly RolloutPrompt[])[],
  answersTogether = 1,
): LargestBatch {
  const { maxNewTokens, microBatchTokens, samples, evalSamples } = settings;
  const longest = lists.flat().reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const one = longest + answersTogether * maxNewTokens;
  const rows = Math.max(one, microBatchTokens);
  return { rows, targets: rows + Math.max(samples, evalSamples) };
}

/** What training will take beyond what a model holds now. */
function growth(model: TrainableModel, largest: LargestBatch): number {
  return Math.max(0, model.plan({ ...largest, training: true }).total - model.memory().total);
}

/** Throws ATTUNE_OPTION: of one answer nothing says how sure it is. */
function checkLooks({ evalSamples }: OnlineSettings, prompts: number): void {
  if (prompts * evalSamples >= 2) return;
  const text =
    "Expected two or more answers to evaluation prompts but there is one prompt and eval-samples is 1.";
  throw fail("ATTUNE_OPTION", `${text} Give more prompts in --eval-data, or a higher --eval-samples.`, {
    details: { option: "eval-data" },
  });
}

const FEWEST_FOR_STOP_RULE = 256;

function warningsOf({ stopRule }: OnlineSettings, measured = 0): readonly string[] {
  if (!stopRule) return [];
  if (measured >= FEWEST_FOR_STOP_RULE) return [];
  return [
    `The stop rule compares gold scores of ${measured} prompts; with fewer than ${FEWEST_FOR_STOP_RULE} it sees large changes only.`,
  ];
}

function firstPrompts(
  prompts: readonly RolloutPrompt[],
  count: number,
  maxPositions: number,
): readonly Int32Array[] {
  const found = new Map<string, Int32Array>();
  for (const { ids } of prompts) {
    if (found.size === count) break;
    if (ids.length < maxPositions) found.set(ids.join(), ids);
  }
  return [...found.values()];
}

/** SHA-256 by path; rows in memory have none. */
async function filesOf(data: RowSource | undefined): Promise<Readonly<Record<string, string>>> {
  const paths = data === undefined ? undefined : pathsOf(data);
  if (paths === undefined) return {};
  const files = await hashFiles({ paths: await findFiles({ paths }) });
  return Object.fromEntries(files.map(({ path, hash }) => [path, hash]));
}
