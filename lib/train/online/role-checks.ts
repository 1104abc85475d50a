// What the models beside a policy must be: whose tokens they read, and how many heads they have. Must not open models.

import type { TrainableModel } from "../../engine/contract.js";
import { type AttuneError, fail } from "../../errors/index.js";
import { namedSources, type RewardSource } from "../../rollout/index.js";
import { differingToken, type Tokenizer } from "../../text/index.js";

/** A sentence for each reward model that does not read the policy's tokens. */
export async function otherTokenizers(
  sources: readonly RewardSource[],
  tokenizer: Tokenizer,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  for (const named of sources.length === 0 ? [] : namedSources(sources)) {
    if (named.kind === "function") continue;
    if ((await named.source.model.tokenizer()).hash === tokenizer.hash) continue;
    warnings.push(
      `"${named.name}" has another tokenizer than the policy: it scores the text of prompts and answers, in tokens of its own.`,
    );
  }
  return warnings;
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
