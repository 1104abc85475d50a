// What answers are worth, for predictions and for choosing questions: by a reward model's heads, with features where it has
// a bound, or by how much likelier the policy finds an answer than the policy it began as. Must not choose.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Model } from "../engine/index.js";
import { scoreIds } from "../engine/score-ids.js";
import { type RewardBound, readBound } from "../evaluate/index.js";
import type { ItemScores, ScoredItems, ScoreItems } from "../feedback/index.js";
import { featureOf } from "../preference/index.js";
import { lastStates } from "../rollout/bound-scores.js";
import type { LoopModels } from "./feedback-loop-models.js";
import type { CreateTrainingLoop } from "./feedback-loop-options.js";
import { scoreRowOf } from "./feedback-loop-texts.js";

/** Of a round's reward model. */
export const BOUND_FILE = "bound.json";

/** DPO's and KTO's own, where their settings name none. */
const BETA = 0.1;

/** Undefined: nothing can score yet. */
export async function scoreItems(
  models: LoopModels,
  options: Pick<CreateTrainingLoop, "policy" | "train" | "trainers">,
  request: ScoreItems,
): Promise<ScoredItems | undefined> {
  const { scorer } = request;
  if (scorer !== undefined) return rewardScores(await models.at(scorer.place), scorer.place, request);
  if (options.train === "reward+ppo") return undefined;
  return implicitScores(models, options, request);
}

async function rewardScores(model: Model, place: string, request: ScoreItems): Promise<ScoredItems> {
  const rows = await rowsOf(model, request);
  const { heads } = await model.scoreAll(rows, { signal: request.signal });
  const file = join(place, "..", BOUND_FILE);
  const bound = existsSync(file) ? await readBound(file) : undefined;
  const features = bound === undefined ? undefined : await featuresOf(model, bound, request);
  const items = split(request, (row) => heads.map((head) => head[row] ?? Number.NaN));
  if (bound === undefined || features === undefined) return { items };
  let row = 0;
  const featured = items.map((one) => ({ ...one, features: one.heads.map(() => features[row++] ?? none) }));
  return { items: featured, bound: bound.bound };
}

const none = new Float64Array(0);

async function rowsOf(model: Model, { items }: ScoreItems) {
  const tokenizer = await model.tokenizer();
  return items.flatMap(({ prompt, answers }) =>
    answers.map((answer) => scoreRowOf(prompt, answer, tokenizer)),
  );
}

/** [answers of all items] */
async function idsOf(model: Model, request: ScoreItems) {
  const rows = await rowsOf(model, request);
  return Promise.all(rows.map((row, index) => scoreIds(row, index, () => model.tokenizer())));
}

/** [answers of all items] */
async function featuresOf(model: Model, { features }: RewardBound, request: ScoreItems) {
  const rows = (await idsOf(model, request)).map(({ prompt, completion }) => ({
    prompt,
    completions: [completion],
  }));
  const states = await lastStates({ model, rows: { rows }, signal: request.signal });
  return states.map(([state = new Float32Array(0)]) => featureOf(features, state));
}

/** beta (log policy - log first policy) of each answer: the reward that DPO's policy is the best one for. */
async function implicitScores(
  models: LoopModels,
  { policy: first, trainers = {} }: Pick<CreateTrainingLoop, "policy" | "trainers">,
  request: ScoreItems,
): Promise<ScoredItems> {
  const { policy, signal } = request;
  // Log-ratios of a policy to itself.
  if (policy.place === first) return { items: split(request, () => [0]) };
  const beta = trainers.dpo?.beta ?? trainers.kto?.beta ?? BETA;
  const [model, trunk] = [await models.at(policy.place), await models.at(first)];
  const rows = await idsOf(model, request);
  const [ours, theirs] = [await model.logprobs(rows, { signal }), await trunk.logprobs(rows, { signal })];
  const sum = (values: Float32Array = new Float32Array(0)) =>
    values.reduce((total, value) => total + value, 0);
  return { items: split(request, (row) => [beta * (sum(ours[row]) - sum(theirs[row]))]) };
}

/** Scores of the answers of all items, by item. */
function split({ items }: ScoreItems, heads: (row: number) => readonly number[]): readonly ItemScores[] {
  let row = 0;
  return items.map(({ answers }) => ({ heads: answers.map(() => heads(row++)) }));
}
