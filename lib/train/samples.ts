// Answers of the model to a few fixed prompts between the steps: how it speaks as it learns. Greedy, so that only the
// weights make a difference. Must not know an algorithm.

import { join } from "node:path";
import type { TokenisedRows } from "../data/index.js";
import type { Generation, JobOptions, TrainableModel } from "../engine/contract.js";
import type { Tokenizer } from "../text/index.js";
import { appendToFile } from "./run-files.js";

/** One line of samples.jsonl. */
export interface Sample {
  /** Steps taken before. */
  readonly step: number;
  readonly prompt: string;
  readonly completion: string;
  /** `stop`: the model ended its answer; `length`: it was cut. */
  readonly finished: "stop" | "length";
}

/** The first rows' prompts, each once, that leave room for an answer. */
export function promptsOf(rows: TokenisedRows, count: number, maxPositions: number): readonly Int32Array[] {
  const found = new Map<string, Int32Array>();
  for (let position = 0; position < rows.length && found.size < count; position++) {
    const prompt = rows.at(position)?.prompt;
    if (prompt !== undefined && prompt.length < maxPositions) found.set(prompt.join(), prompt);
  }
  return [...found.values()];
}

export interface TakeSamples {
  readonly model: TrainableModel;
  readonly tokenizer: Tokenizer;
  readonly prompts: readonly Int32Array[];
  readonly maxNewTokens: number;
  readonly step: number;
  readonly job: JobOptions;
}

/** One answer per prompt, in their order. */
export async function takeSamples(request: TakeSamples): Promise<readonly Sample[]> {
  const { model, tokenizer, prompts, maxNewTokens, step, job } = request;
  const stopTokens = tokenizer.eosIds;
  const generation = await model.startGeneration(prompts, { maxNewTokens, temperature: 0, stopTokens });
  try {
    const answers = await allTokens(generation, prompts.length, job);
    return answers.map(({ ids, stopped }, i) => ({
      step,
      prompt: tokenizer.decode(prompts[i] ?? []),
      completion: tokenizer.decode(ids, { skipSpecial: true }),
      finished: stopped ? "stop" : "length",
    }));
  } finally {
    await generation.dispose();
  }
}

interface Answer {
  readonly ids: number[];
  stopped: boolean;
}

async function allTokens(generation: Generation, count: number, job: JobOptions): Promise<readonly Answer[]> {
  const answers = Array.from({ length: count }, (): Answer => ({ ids: [], stopped: false }));
  for (;;) {
    const decoded = await generation.next(job);
    if (decoded === undefined) return answers;
    for (const [i, sequence] of decoded.sequences.entries()) {
      const answer = answers[sequence];
      if (answer === undefined) throw new RangeError(`no prompt for sequence ${sequence}`);
      answer.ids.push(decoded.tokens[i] ?? 0);
      answer.stopped = decoded.finished[i] === 1;
    }
  }
}

/** Appends to samples.jsonl in the run's folder. Throws ATTUNE_OUTPUT. */
export function writeSamples(output: string, samples: readonly Sample[]): void {
  appendToFile(join(output, "samples.jsonl"), ...samples.map((sample) => JSON.stringify(sample)));
}
