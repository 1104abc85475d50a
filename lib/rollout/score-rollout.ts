// Scores the answers of a rollout by all its reward sources at once, and sums them by weight.
// Must not sample.

import type { JobOptions } from "../engine/index.js";
import { expectKeys } from "../engine/options.js";
import { AttuneError, fail } from "../errors/index.js";
import type { Tokenizer } from "../text/index.js";
import type { RolloutProgress } from "./model-passes.js";
import { callRewardFunction, checkedScores } from "./reward-function.js";
import {
  headCombiner,
  modelScores,
  type RolloutAnswer,
  rowsToScore,
  scoresOfBound,
} from "./reward-models.js";
import type {
  RewardBoundSource,
  RewardFunctionSource,
  RewardModelSource,
  RewardSample,
  RewardSource,
} from "./reward-source.js";
import { finishCodes, type Rollout, type SampledRollout, type SourceScores, sampleIds } from "./rollout.js";
import type { RolloutPrompt } from "./rollout-prompts.js";

export type RewardSources = RewardSource | readonly RewardSource[];

export interface ScoreRollout extends JobOptions {
  readonly rollout: SampledRollout;
  /** Those it was sampled from. */
  readonly prompts: readonly RolloutPrompt[];
  readonly rewards: RewardSources;
  /** The policy's. */
  readonly tokenizer: Tokenizer;
  readonly onProgress?: (progress: RolloutProgress) => void;
}

/** A reward source with its name and weight. */
export type NamedSource = { readonly name: string; readonly weight: number } & (
  | { readonly kind: "function"; readonly source: RewardFunctionSource }
  | { readonly kind: "model"; readonly source: RewardModelSource }
  | { readonly kind: "bound"; readonly source: RewardBoundSource }
);

/**
 * The rollout with its scores. Functions and models work at the same time; when one fails, the signals of the others abort.
 * Throws ATTUNE_REWARD naming the source, and ATTUNE_OPTION and ATTUNE_MODEL for sources that cannot work.
 */
export async function scoreRollout(options: ScoreRollout): Promise<Rollout> {
  const { rollout, prompts, onProgress, signal } = options;
  const sources = namedSources(options.rewards);
  const count = rollout.finish.length;
  checkPrompts(options);
  const nameOf = (sample: number) =>
    `sample ${sample} (${prompts[Math.floor(sample / rollout.samples)]?.place})`;
  const failed = new AbortController();
  const cancel = () => failed.abort(signal?.reason);
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  let done = 0;
  const scored = sources.map(async (source): Promise<SourceScores> => {
    const { name, weight, kind } = source;
    const what = kind === "function" ? `Reward function "${name}"` : `Reward source "${name}"`;
    const scores = await scoresOf(source, { options, what, nameOf, signal: failed.signal });
    const checked = checkedScores({ scores, what, source: name, count, nameOf });
    done += 1;
    onProgress?.({ phase: "rewards", done, total: sources.length });
    return { name, weight, scores: checked };
  });
  try {
    const all = await Promise.all(scored);
    return { ...rollout, scores: weightedSums(all), sources: all };
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(scored);
    throw error;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

interface Scoring {
  readonly options: ScoreRollout;
  /** Of the source, and of a sample, as messages call them. */
  readonly what: string;
  readonly nameOf: (sample: number) => string;
  readonly signal: AbortSignal;
}

async function scoresOf(named: NamedSource, scoring: Scoring): Promise<unknown> {
  const { name, kind, source } = named;
  const { options, what, nameOf, signal } = scoring;
  if (kind === "function")
    return callRewardFunction({ source, name, samples: () => samplesOf(options), signal });
  const shares = (await source.model.tokenizer()).hash === options.tokenizer.hash;
  const rows = rowsToScore(answersOf(options), shares ? options.tokenizer.eosIds : undefined);
  try {
    if (kind === "model") return await modelScores(source, rows, { signal });
    return await scoresOfBound(source, rows, { signal });
  } catch (error) {
    // Of a row: the number of an answer says nothing to anybody.
    const row = error instanceof AttuneError ? error.details?.row : undefined;
    if (!(error instanceof AttuneError) || typeof row !== "number") throw error;
    throw fail(error.code, `${what}, ${nameOf(row)}: ${error.message}`, { cause: error });
  }
}

function answersOf(options: ScoreRollout): RolloutAnswer[] {
  const { rollout } = options;
  return samplesOf(options).map(({ prompt, completion, text, finish }, sample) => ({
    promptIds: sampleIds(rollout, sample).prompt,
    prompt,
    text,
    ids: completion,
    ended: finish === "stop",
  }));
}

function checkPrompts({ rollout, prompts }: ScoreRollout): void {
  if (prompts.length >= rollout.promptRows.length) return;
  const text = `Expected the ${rollout.promptRows.length} prompts of the rollout but received ${prompts.length}.`;
  throw fail("ATTUNE_SHAPE", text);
}

/** What a function is given: copies, so that whatever it does to them reaches neither the rollout nor other functions. */
function samplesOf({ rollout, prompts, tokenizer }: ScoreRollout): RewardSample[] {
  return Array.from(rollout.finish, (code, sample) => {
    const promptIndex = Math.floor(sample / rollout.samples);
    const { content, metadata } = structuredClone(contentOf(prompts[promptIndex]));
    const completion = sampleIds(rollout, sample).completion.slice();
    const ended = code === finishCodes.stop;
    const said = ended ? completion.subarray(0, -1) : completion;
    return {
      prompt: content,
      completion,
      text: tokenizer.decode(said, { skipSpecial: true }),
      promptIndex,
      finish: ended ? "stop" : "length",
      metadata,
    };
  });
}

function contentOf(prompt: RolloutPrompt | undefined): Pick<RolloutPrompt, "content" | "metadata"> {
  if (prompt === undefined) throw new RangeError("a sample without a prompt");
  return { content: prompt.content, metadata: prompt.metadata };
}

/** [samples] over the sources that have a part in the sum and gave a reward; NaN where none did. */
function weightedSums(sources: readonly SourceScores[]): Float64Array {
  const count = sources[0]?.scores.length ?? 0;
  return Float64Array.from({ length: count }, (_, sample) => {
    let sum = Number.NaN;
    for (const { weight, scores } of sources) {
      const score = scores[sample] ?? Number.NaN;
      if (weight === 0 || Number.isNaN(score)) continue;
      sum = (Number.isNaN(sum) ? 0 : sum) + weight * score;
    }
    return sum;
  });
}

/** Sources by name, checked before anything is sampled. Throws ATTUNE_OPTION, ATTUNE_MODEL. */
export function namedSources(rewards: RewardSources): NamedSource[] {
  const list = isList(rewards) ? rewards : [rewards];
  const named = list.map(namedSource);
  const names = new Set<string>();
  for (const { name, weight } of named) {
    if (names.has(name)) {
      const text = `Expected reward sources of different names but two are called "${name}". Give them names (of modules: of their functions or files, or FILE#name).`;
      throw fail("ATTUNE_OPTION", text);
    }
    if (!Number.isFinite(weight))
      throw fail("ATTUNE_OPTION", `Expected a finite weight for "${name}" but received ${weight}.`);
    names.add(name);
  }
  if (named.some(({ weight }) => weight !== 0)) return named;
  throw fail("ATTUNE_OPTION", "Expected at least one reward source with a weight other than 0.");
}

function isList(rewards: RewardSources): rewards is readonly RewardSource[] {
  return Array.isArray(rewards);
}

const shared = ["name", "weight"];

function namedSource(source: RewardSource, index: number): NamedSource {
  if (typeof source === "function") return namedSource({ score: source }, index);
  const weight = source.weight ?? 1;
  if ("score" in source) {
    expectKeys("reward function", source, [...shared, "score", "timeout", "retries"]);
    const name =
      source.name ??
      (source.score.name === "" || source.score.name === "score" ? `function ${index}` : source.score.name);
    checkAttempts(name, source);
    return { kind: "function", name, weight, source };
  }
  if ("bound" in source) {
    expectKeys("reward bound", source, [...shared, "model", "bound", "confidence", "microBatchTokens"]);
    return { kind: "bound", name: source.name ?? "reward bound", weight, source };
  }
  expectKeys("reward model", source, [...shared, "model", "aggregate", "k", "head", "microBatchTokens"]);
  headCombiner(source);
  return { kind: "model", name: source.name ?? "reward model", weight, source };
}

function checkAttempts(name: string, { timeout = 1, retries = 0 }: RewardFunctionSource): void {
  const refuse = (what: string, received: number) =>
    fail("ATTUNE_OPTION", `Reward function "${name}": expected ${what} but received ${received}.`);
  if (!(timeout > 0 && timeout < 2 ** 31))
    throw refuse("timeout to be a number of milliseconds above 0 and below 2^31", timeout);
  if (!(Number.isSafeInteger(retries) && retries >= 0))
    throw refuse("retries to be an integer of at least 0", retries);
}
