// The rows of a round as files that trainers read, one set for the policy and one for the reward model.
// Must not train.

import { join } from "node:path";
import type { TrainRound } from "../feedback/index.js";
import type { Tokenizer } from "../text/index.js";
import { writeText } from "./feedback-loop-files.js";
import type { LoopTrainer } from "./feedback-loop-options.js";
import { promptOf, trainingRow } from "./feedback-loop-texts.js";

/** Rows to train on, and rows that are only measured; undefined where there are none. */
export interface RowFiles {
  readonly data: string;
  readonly evalData: string | undefined;
}

export interface RoundFiles {
  readonly policy: RowFiles;
  readonly reward: RowFiles;
  readonly prompts: string;
}

type Row = Readonly<Record<string, unknown>>;

export interface WriteRoundFiles {
  readonly folder: string;
  readonly request: TrainRound;
  readonly tokenizer: Tokenizer;
  readonly train: LoopTrainer;
}

export async function writeRoundFiles({
  folder,
  request,
  tokenizer,
  train,
}: WriteRoundFiles): Promise<RoundFiles> {
  const { training, validation, prompts } = request;
  const write = async (name: string, rows: readonly object[]) => {
    const path = join(folder, `${name}.jsonl`);
    await writeText(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return path;
  };
  const all = {
    data: training.rows.map((row) => trainingRow(row, tokenizer)),
    evalData: validation.map((row) => trainingRow(row, tokenizer)),
  };
  const files = async (name: string, choose: (rows: readonly Row[]) => readonly Row[]): Promise<RowFiles> => {
    const measured = choose(all.evalData);
    return {
      data: await write(`${name}-rows`, choose(all.data)),
      evalData: measured.length === 0 ? undefined : await write(`${name}-validation`, measured),
    };
  };
  return {
    policy: await files("policy", (rows) =>
      train === "kto" ? rows.flatMap(thumbsOf) : rows.filter(prefers),
    ),
    reward: await files("reward", (rows) => rows.filter((row) => "chosen" in row)),
    prompts: await write(
      "prompts",
      prompts.map((prompt) => ({ prompt: promptOf(prompt, tokenizer) })),
    ),
  };
}

/** Pairs that prefer an answer: of ties a policy has nothing to learn. */
function prefers({ chosen, label }: Row): boolean {
  return chosen !== undefined && label !== 0.5;
}

/** A pair's better answer is a good one, its worse one a bad one, as far as people are sure of it. */
function thumbsOf(row: Row): readonly Row[] {
  const { chosen, rejected, label, margin: _, ...rest } = row;
  if (chosen === undefined) return [row];
  const weight = 2 * Number(label) - 1;
  if (!(weight > 0)) return [];
  return [
    { ...rest, completion: chosen, label: true, weight },
    { ...rest, completion: rejected, label: false, weight },
  ];
}
