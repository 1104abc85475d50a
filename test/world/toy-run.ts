// What the toy world's tests do with a model: imitation, a reward model of simulated judgements, best-of-N by both rewards, and
// a policy gradient without any KL. Small sizes; must not assert anything.

import { join } from "node:path";
import { type PackableRow, packStep } from "../../lib/data/index.js";
import type { Engine, Model } from "../../lib/engine/index.js";
import {
  type Answer,
  type BestOfNPoint,
  bestOfNCurve,
  OverOptimisationAlarms,
  type ScoreAnswers,
  sampleAnswers,
  type WatchedStep,
  watchedStep,
} from "../../lib/evaluate/index.js";
import { reward, sft } from "../../lib/train/index.js";
import {
  annotators,
  judgePairs,
  shopDemonstrations,
  shopPrompts,
  trueScores,
  writeTinyModel,
} from "../../lib/world/index.js";

export interface ToyRun {
  readonly engine: Engine;
  readonly seed: number;
  /** Policy after imitation, and reward model on it. */
  readonly policy: Model;
  readonly judge: Model;
  readonly training: readonly string[];
  readonly heldOut: readonly string[];
  readonly proxy: ScoreAnswers;
  /** Held-out accuracy of the reward model on noisy judgements. */
  readonly accuracy: number;
}

const generation = { maxNewTokens: 48, batchSize: 128 } as const;
/** Rates of a real model are some hundred times smaller. */
const rates = { sft: 3e-3, reward: 1e-3, policy: 5e-4 } as const;

/** Everything up to reinforcement, into a folder. */
export async function prepare(engine: Engine, folder: string, seed: number): Promise<ToyRun> {
  const at = (name: string) => join(folder, name);
  await writeTinyModel({ folder: at("start"), seed, tokens: "words" });
  const shared = { seed, batchSize: 16, warmupRatio: 0.05 } as const;
  const start = await engine.loadModel(at("start"), { dtype: "fp32" });
  await sft({
    ...shared,
    model: start,
    data: shopDemonstrations({ seed, count: 1500 }),
    output: at("sft"),
    epochs: 4,
    learningRate: rates.sft,
    schedule: "cosine",
  }).result;
  const prompts = shopPrompts({ seed, count: 500 });
  const [training, heldOut] = [prompts.slice(0, 468), prompts.slice(468)];
  const asked = training.slice(0, 250);
  const answers = await sampleAnswers({ model: start, prompts: asked, samples: 4, seed, generation });
  const questions = asked.map((prompt, i) => ({ prompt, answers: answers[i] ?? [] }));
  const { rows } = judgePairs({ questions, panel: annotators({ seed }), seed });
  const scorer = reward({
    ...shared,
    model: at("sft/model"),
    data: rows,
    evalShare: 0.15,
    output: at("reward"),
    epochs: 3,
    learningRate: rates.reward,
  });
  const { evaluation } = await scorer.result;
  const judge = await engine.loadModel(at("reward/model"), { dtype: "fp32" });
  const proxy: ScoreAnswers = (list, job) =>
    judge.score(
      // A reward model reads no empty answer: the end alone is an answer of one token.
      list.map(({ prompt, answer }) => ({ prompt: prompt as string, completion: answer.text || "." })),
      job,
    );
  const accuracy = evaluation?.last.eval_accuracy ?? Number.NaN;
  return { engine, seed, policy: start, judge, training, heldOut, proxy, accuracy };
}

export interface BestOfTable {
  readonly byTrue: readonly BestOfNPoint[];
  readonly byProxy: readonly BestOfNPoint[];
}

/** Best of 1, 4, 16 and 64 answers to held-out prompts, chosen by the true reward and by the reward model; gold is true. */
export async function bestOfTable({ policy, heldOut, proxy, seed }: ToyRun): Promise<BestOfTable> {
  const samples = 64;
  const answers = await sampleAnswers({
    model: policy,
    prompts: heldOut,
    samples,
    seed: seed + 1,
    generation,
  });
  const rows = rowsOf(heldOut, answers);
  const scores = await scoresOf(rows, { proxy, gold: trueScores });
  const ofPrompt = (list: Float64Array, i: number) => list.subarray(i * samples, (i + 1) * samples);
  const curve = (chooser: Float64Array) =>
    bestOfNCurve({
      prompts: heldOut.map((_, i) => ({ proxy: ofPrompt(chooser, i), gold: ofPrompt(scores.gold, i) })),
      sizes: [1, 4, 16, 64],
      draws: 1000,
    });
  return { byTrue: curve(scores.gold), byProxy: curve(scores.proxy) };
}

function rowsOf(prompts: readonly string[], answers: readonly (readonly Answer[])[]) {
  return prompts.flatMap((prompt, i) => (answers[i] ?? []).map((answer) => ({ prompt, answer })));
}

async function scoresOf(
  rows: ReturnType<typeof rowsOf>,
  scorers: { readonly proxy: ScoreAnswers; readonly gold: ScoreAnswers },
) {
  const [proxy, gold] = await Promise.all([scorers.proxy(rows, {}), scorers.gold(rows, {})]);
  return { proxy: Float64Array.from(proxy), gold: Float64Array.from(gold) };
}

export interface GreedyRun {
  readonly looks: readonly WatchedStep[];
  readonly alarms: readonly string[];
}

/**
 * REINFORCE with the group's mean as baseline (Williams 1992) on the reward model's score alone: nothing keeps the policy near its
 * start. Looks at it on held-out prompts every `every` steps. The policy of the run is trained in place.
 */
export async function chaseProxy(
  run: ToyRun,
  { steps, every }: { readonly steps: number; readonly every: number },
): Promise<GreedyRun> {
  const { policy, training, seed, proxy } = run;
  const tokenizer = await policy.tokenizer();
  const watch = new OverOptimisationAlarms();
  const looks: WatchedStep[] = [];
  const alarms: string[] = [];
  for (let step = 0; step <= steps; step++) {
    if (step % every === 0) {
      const look = await lookAt(run, step);
      looks.push(look);
      alarms.push(...watch.observe(look).map(({ name }) => name));
    }
    const prompts = Array.from({ length: 32 }, (_, i) => training[(32 * step + i) % training.length] ?? "");
    const answers = await sampleAnswers({
      model: policy,
      prompts,
      samples: 4,
      seed: seed + 1000 + step,
      generation,
    });
    const rows = rowsOf(prompts, answers);
    const { proxy: scores } = await scoresOf(rows, { proxy, gold: trueScores });
    const weights = advantages(scores, 4);
    const data: PackableRow[] = rows.map(({ prompt, answer }) => ({
      prompt: tokenizer.encode(prompt),
      completions: [answer.ids ?? new Int32Array()],
    }));
    await ascend(policy, data, weights);
  }
  return { looks, alarms };
}

async function ascend(policy: Model, data: readonly PackableRow[], weights: Float64Array): Promise<void> {
  const rows = data.map((_, row) => row);
  for (const batch of packStep({ data, rows, microBatchTokens: 4096 })) {
    const own = Float64Array.from(batch.rows, (row) => weights[row] ?? 0);
    await policy.step(batch, { kind: "nll", normaliser: data.length, weights: own });
  }
  await policy.update({ learningRate: rates.policy, maxGradNorm: 1 });
}

/** Scores less the mean of their group, divided by the deviation of all. */
function advantages(scores: Float64Array, group: number): Float64Array {
  const centred = scores.map((score, i) => {
    const first = i - (i % group);
    return score - scores.subarray(first, first + group).reduce((sum, value) => sum + value, 0) / group;
  });
  const deviation = Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0) / centred.length);
  return centred.map((value) => value / (deviation + 1e-4));
}

async function lookAt({ policy, heldOut, proxy, seed }: ToyRun, step: number): Promise<WatchedStep> {
  const answers = await sampleAnswers({
    model: policy,
    prompts: heldOut,
    samples: 4,
    seed: seed + 2,
    generation,
  });
  const scores = await scoresOf(rowsOf(heldOut, answers), { proxy, gold: trueScores });
  return watchedStep({ step, answers, ...scores });
}
