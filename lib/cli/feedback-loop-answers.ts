// Answers of a policy for people to judge, with what is known of each. Must not choose prompts.

import type { GenerateAnswers, TextAnswer } from "../feedback/index.js";
import type { LoopModels } from "./feedback-loop-models.js";
import type { CreateTrainingLoop } from "./feedback-loop-options.js";
import { promptOf } from "./feedback-loop-texts.js";

/** Where nothing else is asked for. */
export const answerDefaults = { maxNewTokens: 256, temperature: 1 } as const;

/** [prompts][answers]; empty ones are left out. */
export async function generateAnswers(
  models: LoopModels,
  { generation = {} }: Pick<CreateTrainingLoop, "generation">,
  { prompts, policy, answers, seed, signal }: GenerateAnswers,
): Promise<readonly (readonly TextAnswer[])[]> {
  const model = await models.at(policy.place);
  const tokenizer = await model.tokenizer();
  const asked = prompts.map((prompt) => promptOf(prompt, tokenizer));
  const sampling = { ...answerDefaults, ...generation, samples: answers, seed, signal };
  const found = prompts.map((): TextAnswer[] => []);
  for (const { prompt, text, ids, modelLogprobs } of await model.complete(asked, sampling)) {
    if (text.trim() === "") continue;
    found[prompt]?.push({
      content: text,
      tokens: [...ids],
      temperature: sampling.temperature,
      ...(generation.topP === undefined ? {} : { topP: generation.topP }),
      seed,
      logProb: modelLogprobs.reduce((sum, value) => sum + value, 0),
    });
  }
  return found;
}
