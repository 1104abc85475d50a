// Score heads: their options, what a language model becomes with some in place of its LM head, and what is said where
// a model is of the other kind. Must not read files or weights.

import { type AttuneError, fail } from "../errors/index.js";
import type { ScoreDraw } from "./addon-types.js";
import type { ScoreHeadOptions, ScoreNormalisation } from "./contract.js";
import type { Json, ModelDescription } from "./model-description.js";
import { expectKeys, expectOneOf, expectSeed } from "./options.js";

/** Mirrors native/model/config.h. */
export const MOST_SCORE_HEADS = 1024;

const CLASSIFIER = "ForSequenceClassification";

/** Throws ATTUNE_OPTION. */
export function scoreHeadOptions(head: ScoreHeadOptions): { heads: number; draw: ScoreDraw } {
  expectKeys("scoreHead", head, ["init", "seed", "heads"]);
  const init = expectOneOf("scoreHead.init", head.init ?? "normal", ["normal", "zero"]);
  const heads = head.heads ?? 1;
  if (!Number.isInteger(heads) || heads < 1 || heads > MOST_SCORE_HEADS) {
    const text = `Expected scoreHead.heads to be an integer from 1 to ${MOST_SCORE_HEADS} but received ${heads}. Typical: 1, or 5 for an ensemble.`;
    throw fail("ATTUNE_OPTION", text);
  }
  return { heads, draw: { normal: init === "normal", seed: expectSeed("scoreHead.seed", head.seed) } };
}

/** A model that scores keeps its head. Throws ATTUNE_OPTION. */
export function expectNoHead(scoreHeads: number): void {
  if (scoreHeads === 0) return;
  const text = `Expected a language model beside scoreHead but this one is a reward model with ${scoreHeads} score head(s), which it keeps. Leave scoreHead out.`;
  throw fail("ATTUNE_OPTION", text);
}

/** Throws ATTUNE_MODEL. */
export function expectScoreHeads(scoreHeads: number): void {
  if (scoreHeads > 0) return;
  throw fail(
    "ATTUNE_MODEL",
    "Expected a reward model (with a score head) but this one predicts tokens. Give a sequence-classification folder, or train one with attune reward.",
  );
}

/** The description of a reward model on a language model's trunk. Throws ATTUNE_OPTION for one that scores already. */
export function withScoreHeads(model: ModelDescription, heads: number): ModelDescription {
  expectNoHead(model.config.scoreHeads);
  return {
    ...model,
    config: { ...model.config, scoreHeads: heads },
    json: classifierJson(model.json, heads),
  };
}

/** config.json: LlamaForCausalLM -> LlamaForSequenceClassification with so many labels. */
export function classifierJson(json: Json, heads: number): Json {
  const { num_labels: _fromLabels, ...kept } = json;
  const architectures = Array.isArray(json.architectures) ? json.architectures.map(String) : [];
  const stem = (name: string) =>
    name.replace(/(ForCausalLM|LMHeadModel|ForSequenceClassification|Model)$/, "");
  const labels = Array.from({ length: heads }, (_, i) => `LABEL_${i}`);
  return {
    ...kept,
    architectures: architectures.map((name) => `${stem(name)}${CLASSIFIER}`),
    id2label: Object.fromEntries(labels.map((label, i) => [String(i), label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    // A score is no class: pipelines apply nothing to it.
    problem_type: "regression",
  };
}

export function isClassifierJson({ architectures }: Json): boolean {
  return Array.isArray(architectures) && architectures.some((name) => String(name).endsWith(CLASSIFIER));
}

const NORMALISATION_KEYS = ["bias", "mean", "std", "count", "dataHash", "unitStd"] as const;

/**
 * What is known of a score's normalisation and nothing else. `refuse` makes the error, from what was expected and found.
 */
export function checkedNormalisation(
  value: unknown,
  heads: number,
  refuse: (text: string) => AttuneError,
): ScoreNormalisation {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw refuse(`expected scoreNormalisation to be an object but found ${JSON.stringify(value)}.`);
  const given = value as Partial<Record<(typeof NORMALISATION_KEYS)[number], unknown>>;
  const wrong = (key: string, what: string, found: unknown) =>
    refuse(`expected scoreNormalisation.${key} to be ${what} but found ${JSON.stringify(found)}.`);
  const perHead = (key: "bias" | "mean" | "std"): readonly number[] => {
    const numbers: unknown = given[key];
    if (Array.isArray(numbers) && numbers.length === heads && numbers.every((n) => Number.isFinite(n)))
      return numbers.map(Number);
    throw wrong(key, `${heads} finite number(s), one per score head,`, numbers);
  };
  const { count, dataHash, unitStd } = given;
  if (typeof count !== "number" || !Number.isSafeInteger(count) || count < 0)
    throw wrong("count", "a number of completions", count);
  if (typeof dataHash !== "string") throw wrong("dataHash", "a text", dataHash);
  if (typeof unitStd !== "boolean") throw wrong("unitStd", "true or false", unitStd);
  return { bias: perHead("bias"), mean: perHead("mean"), std: perHead("std"), count, dataHash, unitStd };
}
