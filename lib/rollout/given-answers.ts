// A rollout of answers that were sampled elsewhere, or kept as text: what the models here say of them.
// Must not sample or score.

import type { FrozenModel } from "../engine/index.js";
import { fail } from "../errors/index.js";
import { checkPasses, logprobsOfRollout, type ModelPasses, modelPasses } from "./model-passes.js";
import { finishCodes, type SampledRollout } from "./rollout.js";
import type { RolloutPrompt } from "./rollout-prompts.js";
import { startsOf } from "./sequences.js";

export interface GivenAnswers extends ModelPasses {
  readonly policy: Pick<FrozenModel, "forward" | "kl">;
  readonly prompts: readonly Pick<RolloutPrompt, "ids" | "row">[];
  /** [prompts][samples] ids of each answer, a stop token included where there was one; as many to every prompt. */
  readonly answers: readonly (readonly Int32Array[])[];
  /** Ids that end an answer. */
  readonly stopTokens: readonly number[];
  /** What the logits were divided by. Default 1. */
  readonly temperature?: number;
  /** Most tokens of an answer. Default: those of the longest. */
  readonly maxNewTokens?: number;
  /** Of the rollout in its run. Default 0. */
  readonly number?: number;
}

/** Log-probs are those of the policy here, as if it had sampled the answers. Throws ATTUNE_SHAPE, ATTUNE_OPTION, ATTUNE_MODEL. */
export async function rolloutOfAnswers(options: GivenAnswers): Promise<SampledRollout> {
  const { policy, prompts, answers, stopTokens, temperature = 1, number = 0 } = options;
  checkPasses(options, temperature);
  const samples = answers[0]?.length ?? 0;
  const even = answers.length === prompts.length && answers.every(({ length }) => length === samples);
  if (samples === 0 || !even || answers.flat().some(({ length }) => length === 0)) {
    const text = `Expected as many answers to each of ${prompts.length} prompts, none of them empty.`;
    throw fail("ATTUNE_SHAPE", text);
  }
  const all = answers.flat();
  const ids = prompts.map(({ ids: prompt }) => prompt);
  const tokens = Int32Array.from(all.flatMap((answer) => Array.from(answer)));
  const bare: SampledRollout = {
    number,
    seed: 0n,
    policyStep: 0,
    temperature,
    maxNewTokens: options.maxNewTokens ?? Math.max(...all.map(({ length }) => length)),
    samples,
    promptRows: Int32Array.from(prompts, ({ row }) => row),
    promptTokens: Int32Array.from(ids.flatMap((prompt) => Array.from(prompt))),
    promptStarts: startsOf(ids.map(({ length }) => length)),
    starts: startsOf(all.map(({ length }) => length)),
    tokens,
    finish: Uint8Array.from(all, (answer) =>
      stopTokens.includes(answer.at(-1) ?? -1) ? finishCodes.stop : finishCodes.length,
    ),
    logprobs: new Float32Array(tokens.length),
  };
  const logprobs = await logprobsOfRollout({ ...options, model: policy, rollout: bare });
  return { ...bare, logprobs, ...(await modelPasses(options, bare)) };
}
