// A pipeline of the toy world for tests of learning: the stages of the quickstart in a folder of its own, and what tests ask of
// the result. Must not assert anything.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine } from "../../lib/engine/index.js";
import { answerScorer, type BestOfNPoint, bestOfNCurve, sampleAnswers } from "../../lib/evaluate/index.js";
import {
  askAnnotators,
  generation,
  imitate,
  learnReward,
  meanLoss,
  pretrain,
  sizes,
  type ToyLab,
  toyFiles,
  trueScores,
  writeToyWorld,
} from "../../lib/world/index.js";

export interface ToyRun extends ToyLab {
  /** Held-out accuracy of the reward model on noisy judgements. */
  readonly accuracy: number;
  dispose(): Promise<void>;
}

/** Everything up to the reward model. */
export async function prepare(seed: number): Promise<ToyRun> {
  const folder = mkdtempSync(join(tmpdir(), "attune-toy-"));
  const files = toyFiles(folder);
  const prompts = await writeToyWorld(folder, seed);
  const engine = await createEngine({ device: "cpu" });
  const lab: ToyLab = { engine, seed, files, prompts, job: {}, follow: async (run) => run.result };
  await pretrain(lab);
  await imitate(lab);
  await askAnnotators(lab);
  const accuracy = await learnReward(lab);
  const dispose = async () => {
    await engine.dispose();
    rmSync(folder, { recursive: true });
  };
  return { ...lab, accuracy, dispose };
}

export interface BestOfTable {
  readonly byTrue: readonly BestOfNPoint[];
  readonly byProxy: readonly BestOfNPoint[];
}

/** Best of 1, 4, 16 and 64 answers of the SFT model, chosen by the true reward and by the reward model; gold is the true one. */
export async function bestOfTable({ engine, files, prompts, seed }: ToyRun): Promise<BestOfTable> {
  const samples = 64;
  const asked = prompts.heldOut.slice(0, sizes.watched);
  const policy = await engine.loadModel(files.model("sft"), { dtype: "fp32" });
  const judge = await engine.loadModel(files.model("reward"), { dtype: "fp32" });
  try {
    const answers = await sampleAnswers({
      model: policy,
      prompts: asked,
      samples,
      seed: seed + 1,
      generation,
    });
    const rows = asked.flatMap((prompt, i) => (answers[i] ?? []).map((answer) => ({ prompt, answer })));
    const { eosIds } = await policy.tokenizer();
    const proxy = Float64Array.from(
      await answerScorer({ rewardModel: judge, sharedEosIds: eosIds })(rows, {}),
    );
    const gold = Float64Array.from(await trueScores(rows, {}));
    const ofPrompt = (list: Float64Array, i: number) => list.subarray(i * samples, (i + 1) * samples);
    const curve = (chooser: Float64Array) =>
      bestOfNCurve({
        prompts: asked.map((_, i) => ({ proxy: ofPrompt(chooser, i), gold: ofPrompt(gold, i) })),
        sizes: [1, 4, 16, 64],
        draws: 1000,
      });
    return { byTrue: curve(gold), byProxy: curve(proxy) };
  } finally {
    await judge.dispose();
    await policy.dispose();
  }
}

/** Nats per token of held-out texts of pre-training, under the model of a run. */
export async function textLoss({ engine, files }: ToyRun, name: string): Promise<number> {
  const model = await engine.loadModel(files.model(name), { dtype: "fp32" });
  try {
    return await meanLoss({ model, data: files.heldOutTexts });
  } finally {
    await model.dispose();
  }
}

/** Names of the alarms of a run, in their order. */
export function alarmsOf({ files }: ToyRun, name: string): readonly string[] {
  let lines: readonly string[];
  try {
    lines = readFileSync(join(files.run(name), "alarms.jsonl"), "utf8")
      .trimEnd()
      .split("\n");
  } catch {
    // A run without alarms writes no file.
    return [];
  }
  return lines.filter((line) => line !== "").map((line) => (JSON.parse(line) as { name: string }).name);
}

/** Looks at the watched prompts that a run took, in their order. */
export function looksOf({ files }: ToyRun, name: string): readonly Readonly<Record<string, number>>[] {
  const lines = readFileSync(join(files.run(name), "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n");
  return lines
    .map((line) => JSON.parse(line) as Record<string, number> & { split: string })
    .filter(({ split }) => split === "eval");
}
