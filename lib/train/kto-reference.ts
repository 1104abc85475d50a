// Log-probs of the frozen reference that an update of judged answers needs: of its rows, looked up or computed at their first
// visit, and of mismatched answers, which share their prompt's pass with the row. Must not know a loss.

import { type PackableRow, packStep, type TokenisedRows } from "../data/index.js";
import type { FrozenModel, JobOptions } from "../engine/contract.js";
import { tokensHash } from "./fingerprint.js";
import type { Mismatched } from "./mismatched-answers.js";
import { completionSums } from "./reference.js";
import type { ReferenceCache } from "./reference-cache.js";

export interface KtoReferenceOptions {
  readonly model: FrozenModel;
  readonly data: TokenisedRows;
  /** Undefined: every visit computes again. */
  readonly cache: ReferenceCache | undefined;
  /** Mismatched answers are the same at every visit (evaluation), so they are worth keeping. */
  readonly keepMismatched: boolean;
  readonly microBatchTokens: number;
  readonly job: JobOptions;
}

/** Summed log-probs under the reference. */
export interface UpdateReference {
  /** Of each row's answer, by position. */
  readonly rows: ReadonlyMap<number, number>;
  /** [mismatched] */
  readonly mismatched: Float64Array;
}

/** What is still to be computed: answers to one prompt, and where each sum goes. */
interface Missing extends PackableRow {
  readonly completions: Int32Array[];
  readonly take: ((sum: number) => void)[];
}

export class KtoReference {
  readonly #options: KtoReferenceOptions;

  constructor(options: KtoReferenceOptions) {
    this.#options = options;
  }

  async measure(rows: ArrayLike<number>, mismatched: readonly Mismatched[]): Promise<UpdateReference> {
    const { data, keepMismatched, model, microBatchTokens, job } = this.#options;
    const found = new Map<number, number>();
    const others = new Float64Array(mismatched.length);
    const missing = new Map<number, Missing>();
    for (const position of Array.from(rows)) {
      const row = data.at(position);
      const [completion] = row?.completions ?? [];
      if (row === undefined || completion === undefined) throw new RangeError(`no answer in row ${position}`);
      const wanted = { position, prompt: row.prompt, completion, keep: true };
      this.#find(wanted, missing, (sum) => found.set(position, sum));
    }
    for (const [i, { row: position, prompt, completion, own }] of mismatched.entries()) {
      const wanted = { position, prompt, completion, keep: own || keepMismatched };
      this.#find(wanted, missing, (sum) => {
        others[i] = sum;
      });
    }
    const computed = [...missing.values()];
    const sums = await answerSums({ model, answers: computed, microBatchTokens, job });
    for (const [i, { take }] of computed.entries())
      for (const [side, sum] of (sums.sums[i] ?? []).entries()) take[side]?.(sum);
    return { rows: found, mismatched: others };
  }

  /** Takes what is cached; else notes the answer beside others to the prompt of the same row. */
  #find(wanted: Wanted, missing: Map<number, Missing>, take: (sum: number) => void): void {
    const { cache } = this.#options;
    const { position, prompt, completion, keep } = wanted;
    const hash = keep && cache !== undefined ? tokensHash([prompt, completion]) : undefined;
    const known = hash === undefined ? undefined : cache?.get(hash)?.[0];
    if (known !== undefined) {
      take(known);
      return;
    }
    const entry = missing.get(position) ?? { prompt, completions: [], take: [] };
    missing.set(position, entry);
    entry.completions.push(completion);
    entry.take.push((sum) => {
      if (hash !== undefined) cache?.set(hash, Float64Array.of(sum));
      take(sum);
    });
  }
}

interface Wanted {
  readonly position: number;
  readonly prompt: Int32Array;
  readonly completion: Int32Array;
  readonly keep: boolean;
}

export interface AnswerSums {
  readonly model: FrozenModel;
  readonly answers: readonly PackableRow[];
  readonly microBatchTokens: number;
  readonly job: JobOptions;
}

/** Prompts planned together: enough to fill micro-batches, few enough to be planned quickly. */
const partAnswers = 256;

/** Summed log-probs of every answer, [answers][completions]; no gradient. `trunkRows`: rows that went through the layers. */
export async function answerSums({ model, answers, microBatchTokens, job }: AnswerSums) {
  const sums: Float64Array[] = [];
  let trunkRows = 0;
  for (let first = 0; first < answers.length; first += partAnswers) {
    const count = Math.min(partAnswers, answers.length - first);
    const rows = Int32Array.from({ length: count }, (_, i) => first + i);
    for (const batch of packStep({ data: answers, rows, microBatchTokens, sharePrompts: true })) {
      const { logprobs } = await model.forward(batch, job);
      const own = completionSums(batch, logprobs);
      for (const [group, row] of batch.rows.entries()) {
        const from = batch.groups[2 * group] ?? 0;
        sums[row] = own.slice(from, from + (batch.groups[2 * group + 1] ?? 0));
      }
      trunkRows += batch.counts.tokensComputed;
    }
  }
  return { sums, trunkRows };
}
