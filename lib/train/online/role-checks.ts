// What the models beside a policy must be: whose tokens they read, and how many heads they have. Must not open models.

import type { TrainableModel } from "../../engine/contract.js";
import { type AttuneError, fail } from "../../errors/index.js";
import { namedSources, type RewardSource, type RolloutPrompt } from "../../rollout/index.js";
import { differingToken, type Tokenizer } from "../../text/index.js";

/** A reward model or bound with its name. */
export type Judge = Exclude<ReturnType<typeof namedSources>[number], { readonly kind: "function" }>;

/** Those of a kind: rewards, or gold. */
export function modelsAmong(sources: readonly RewardSource[]): readonly Judge[] {
  return (sources.length === 0 ? [] : namedSources(sources)).flatMap((named) =>
    named.kind === "function" ? [] : [named],
  );
}

/** Names of the reward models that do not read the policy's tokens. */
export async function strangersOf(
  judges: readonly Judge[],
  tokenizer: Tokenizer,
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const named of judges)
    if ((await named.source.model.tokenizer()).hash !== tokenizer.hash) names.push(named.name);
  return names;
}

/** Throws ATTUNE_TOKENIZER for a prompt of token ids where a model of other tokens has to read it. */
export function requireTexts(
  strangers: readonly string[],
  lists: readonly (readonly RolloutPrompt[])[],
): void {
  const [name] = strangers;
  const prompt = lists.flat().find(({ content }) => content instanceof Int32Array);
  if (name === undefined || prompt === undefined) return;
  const text = `Expected prompts of text or messages, as "${name}" has another tokenizer than the policy, but ${prompt.place} has token ids.`;
  throw fail("ATTUNE_TOKENIZER", `${text} Give texts, or a reward model that reads the policy's tokens.`);
}

export interface PositionNeeds {
  readonly judges: readonly Judge[];
  /** Their names where they read tokens of their own: how many those are is not known before. */
  readonly strangers: readonly string[];
  readonly value: TrainableModel | undefined;
  /** Tokens that prompt and answer may have together. */
  readonly maxLength: number;
}

/** Throws ATTUNE_OPTION where a model beside the policy could not read the longest answer. */
export function requirePositions({ judges, strangers, value, maxLength }: PositionNeeds): void {
  const readers = judges
    .filter(({ name }) => !strangers.includes(name))
    .map(({ name, source }) => ({ name, positions: positionsOf(source.model) }));
  if (value !== undefined) readers.push({ name: "value network", positions: value.maxPositions });
  const short = readers.find(({ positions }) => positions < maxLength);
  if (short === undefined) return;
  const { name, positions } = short;
  const text = `Expected models with ${maxLength} positions, as many tokens as prompt and answer may have, but the ${name} has ${positions}.`;
  throw fail("ATTUNE_OPTION", `${text} Give --max-length ${positions} or less.`, {
    details: { option: "max-length" },
  });
}

/** A scorer of the caller's own making need not say. */
function positionsOf(model: object): number {
  return "maxPositions" in model && typeof model.maxPositions === "number"
    ? model.maxPositions
    : Number.POSITIVE_INFINITY;
}

export interface ValueRole {
  readonly value: TrainableModel;
  /** As messages call it. */
  readonly name: string;
  readonly policy: TrainableModel;
  readonly tokenizer: Tokenizer;
  /** Its own; undefined: it brings none and takes the policy's. */
  readonly own: Tokenizer | undefined;
}

/** A value network reads the policy's ids. Throws ATTUNE_MODEL for other heads than one, and for other tokens. */
export function requireValueRole({ value, name, policy, tokenizer, own }: ValueRole): void {
  if (value.scoreHeads === 0)
    throw refuse(
      `Expected a value network with a score head but ${name} predicts tokens.`,
      'A new head on the policy is --value-model "policy".',
    );
  if (value.scoreHeads > 1)
    throw refuse(`Expected a value network with one score head but ${name} has ${value.scoreHeads}.`);
  if (value.vocabularySize !== policy.vocabularySize) {
    const text = `Expected a value network with the policy's vocabulary of ${policy.vocabularySize} tokens but ${name} has ${value.vocabularySize}.`;
    throw refuse(text);
  }
  const differing =
    own === undefined || own.hash === tokenizer.hash ? undefined : differingToken(tokenizer, own);
  if (differing === undefined) return;
  const { id, first, second } = differing;
  throw refuse(
    `Expected a value network with the policy's tokens but token ${id} is ${JSON.stringify(first)} to the policy and ${JSON.stringify(second)} to ${name}.`,
  );
}

const otherStart = 'Give --value-model: another reward model, or "policy" for a new head on the policy.';

function refuse(text: string, advice = otherStart): AttuneError {
  return fail("ATTUNE_MODEL", `${text} ${advice}`, { details: { option: "value-model" } });
}
