// The options of sampling, checked and filled in as native code takes them.
// Must not load anything: the caller says what the tokenizer has.

import { AttuneError, fail } from "../errors/index.js";
import type { NativeSampling } from "./addon-types.js";
import type { SamplingOptions } from "./contract.js";
import { expectKeys } from "./options.js";

/** Names of all options, for messages about misspelt ones. */
export const samplingKeys = [
  "maxNewTokens",
  "temperature",
  "topK",
  "topP",
  "minP",
  "repetitionPenalty",
  "stopTokens",
  "samples",
  "seed",
  "step",
  "batchSize",
  "vocabulary",
] as const satisfies readonly (keyof SamplingOptions)[];

/** What a model's tokenizer says about sampling. */
export interface TokenizerLimits {
  readonly eosIds: readonly number[];
  readonly vocabSize: number;
}

/**
 * The tokenizer's part of the defaults. A model without a tokenizer has none, which is an error only where it was needed;
 * options that leave nothing to ask do not load one.
 */
export async function limitsOf(
  tokenizer: () => Promise<TokenizerLimits>,
  { stopTokens, vocabulary }: SamplingOptions,
): Promise<TokenizerLimits | undefined> {
  if (stopTokens !== undefined && vocabulary !== undefined) return undefined;
  try {
    return await tokenizer();
  } catch (error) {
    if (stopTokens !== undefined && error instanceof AttuneError && error.code === "ATTUNE_TOKENIZER")
      return undefined;
    throw error;
  }
}

export interface ResolveSamplingOptions {
  readonly options: SamplingOptions;
  /** Of the model. */
  readonly vocabularySize: number;
  /** Undefined: the model has no tokenizer. */
  readonly tokenizer: TokenizerLimits | undefined;
}

/** Throws ATTUNE_OPTION naming what does not fit. */
export function resolveSampling({
  options,
  vocabularySize,
  tokenizer,
}: ResolveSamplingOptions): NativeSampling {
  expectKeys("sampling", options, samplingKeys);
  const { stopTokens = tokenizer?.eosIds.filter((id) => id < vocabularySize) } = options;
  if (stopTokens === undefined) {
    const text = "Expected stopTokens, since this model has no tokenizer that names its EOS ids.";
    throw fail("ATTUNE_OPTION", `${text} Give the ids that end a sequence; [] for none.`);
  }
  const most = 2 ** 31 - 1;
  const vocabulary = options.vocabulary ?? Math.min(tokenizer?.vocabSize ?? vocabularySize, vocabularySize);
  return {
    maxNewTokens: integer("maxNewTokens", options.maxNewTokens ?? 128, { from: 1, to: most }),
    temperature: temperatureOf(options.temperature ?? 1),
    topK: integer("topK", options.topK ?? 0, { from: 0, to: most }),
    topP: within("topP", options.topP ?? 1, { above: 0, to: 1 }),
    minP: within("minP", options.minP ?? 0, { from: 0, to: 1 }),
    repetitionPenalty: within("repetitionPenalty", options.repetitionPenalty ?? 1, { above: 0, to: 1e6 }),
    stopTokens: stopIds(stopTokens, vocabularySize),
    samples: integer("samples", options.samples ?? 1, { from: 1, to: most }),
    seed: seedOf(options.seed ?? 0),
    step: integer("step", options.step ?? 0, { from: 0, to: 2 ** 32 - 1 }),
    batchSize: integer("batchSize", options.batchSize ?? 32, { from: 1, to: most }),
    vocabulary: integer("vocabulary", vocabulary, { from: 1, to: vocabularySize }),
  };
}

interface Range {
  readonly from?: number;
  readonly above?: number;
  readonly to: number;
}

function integer(name: string, value: number, { from = 0, to }: Range): number {
  if (Number.isInteger(value) && value >= from && value <= to) return value;
  throw fail(
    "ATTUNE_OPTION",
    `Expected ${name} to be an integer from ${from} to ${to} but received ${value}.`,
  );
}

function within(name: string, value: number, { from, above, to }: Range): number {
  if (
    typeof value === "number" &&
    value <= to &&
    (above === undefined ? value >= (from ?? 0) : value > above)
  )
    return value;
  const least = above === undefined ? `from ${from ?? 0}` : `above ${above}`;
  throw fail("ATTUNE_OPTION", `Expected ${name} to be a number ${least} to ${to} but received ${value}.`);
}

function temperatureOf(value: number): number {
  if (value === 0 || (value >= 1e-4 && value <= 1e4)) return value;
  const text = "Expected temperature to be 0 (greedy) or from 0.0001 to 10000";
  throw fail("ATTUNE_OPTION", `${text} but received ${value}. Typical: 0.7 to 1.`);
}

function stopIds(ids: readonly number[], vocabularySize: number): Int32Array {
  const isId = (id: unknown): boolean =>
    Number.isInteger(id) && Number(id) >= 0 && Number(id) < vocabularySize;
  const isList = Array.isArray(ids) || (ids as unknown) instanceof Int32Array;
  if (isList && ids.every(isId)) return Int32Array.from(ids);
  const wrong = isList ? ids.find((id) => !isId(id)) : JSON.stringify(ids);
  const text = `Expected stopTokens to be a list of ids from 0 to ${vocabularySize - 1} but received ${wrong}.`;
  throw fail("ATTUNE_OPTION", text);
}

function seedOf(seed: number | bigint): bigint {
  if (typeof seed === "bigint" ? seed >= 0n && seed < 2n ** 64n : Number.isSafeInteger(seed) && seed >= 0)
    return BigInt(seed);
  const text = "Expected seed to be an integer of at least 0, below 2^64 as a bigint, but received";
  throw fail("ATTUNE_OPTION", `${text} ${seed}.`);
}
