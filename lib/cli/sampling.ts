// Turns the flags of sampling into what `model.generate` takes. Must not sample.

import type { GenerateOptions } from "../engine/index.js";
import { fail } from "../errors/index.js";
import type { GenerateSettings } from "../options/index.js";
import type { Tokenizer } from "../text/index.js";

/** Options of a generation, but for its signal. @throws ATTUNE_OPTION for a stop token that the vocabulary lacks */
export function samplingOf(settings: GenerateSettings, tokenizer: Tokenizer): GenerateOptions {
  const { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, samples, seed, batchSize } =
    settings;
  const { stop, stopToken } = settings;
  return {
    maxNewTokens,
    temperature,
    topK,
    topP,
    minP,
    repetitionPenalty,
    samples,
    seed,
    batchSize,
    ...(stop === undefined ? {} : { stop }),
    ...(stopToken === undefined ? {} : { stopTokens: stopToken.map((token) => tokenId(token, tokenizer)) }),
  };
}

function tokenId(token: string, tokenizer: Tokenizer): number {
  const named = tokenizer.idOf(token);
  if (named !== undefined) return named;
  const number = Number(token);
  if (Number.isInteger(number) && number >= 0 && number < tokenizer.vocabSize) return number;
  const range = `an id from 0 to ${tokenizer.vocabSize - 1}`;
  throw fail(
    "ATTUNE_OPTION",
    `Expected --stop-token to be a token of the model as its vocabulary spells it, or ${range}, but received ${JSON.stringify(token)}.`,
  );
}
