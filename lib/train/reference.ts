// Log-probs of the frozen reference for the rows of a batch: looked up, or computed at a row's first visit.
// Must not know a loss.

import { type PackedBatch, packRows, type TokenisedRows } from "../data/index.js";
import type { FrozenModel, JobOptions } from "../engine/contract.js";
import { type AttuneError, fail } from "../errors/index.js";
import { tokensHash } from "./fingerprint.js";
import type { ReferenceCache } from "./reference-cache.js";

export interface ReferenceOptions {
  readonly model: FrozenModel;
  readonly data: TokenisedRows;
  /** Undefined: every visit of a row computes it again. */
  readonly cache: ReferenceCache | undefined;
  readonly job: JobOptions;
  /** Whether it was asked for by name: rows must then not bring log-probs of another one. Default false. */
  readonly chosen?: boolean;
}

/** The reference of a run; `logprobs` gives what the loss needs. */
export class Reference {
  readonly #options: ReferenceOptions;
  readonly #hashes = new Map<number, string>();

  constructor(options: ReferenceOptions) {
    this.#options = options;
  }

  /** Summed log-probs, one per completion of the batch, in its order. Those that a row brings along are taken as they are. */
  async logprobs(batch: PackedBatch): Promise<Float64Array> {
    const { model, data, cache, job, chosen = false } = this.#options;
    const known = new Map<number, ArrayLike<number>>();
    for (const row of batch.rows) {
      const brought = data.at(row)?.referenceLogps;
      if (brought !== undefined && chosen) throw broughtAlong(data, row);
      const found = brought ?? cache?.get(this.#hash(row));
      if (found !== undefined) known.set(row, found);
    }
    const missing = [...batch.rows].filter((row) => !known.has(row));
    if (missing.length > 0) {
      const part = missing.length === batch.rows.length ? batch : packRows({ data, rows: missing });
      const sums = completionSums(part, (await model.forward(part, job)).logprobs);
      for (const [group, row] of part.rows.entries()) {
        const first = part.groups[2 * group] ?? 0;
        const own = sums.slice(first, first + (part.groups[2 * group + 1] ?? 0));
        known.set(row, own);
        cache?.set(this.#hash(row), own);
      }
    }
    return Float64Array.from([...batch.rows].flatMap((row) => Array.from(known.get(row) ?? [])));
  }

  #hash(row: number): string {
    const known = this.#hashes.get(row);
    if (known !== undefined) return known;
    const { data } = this.#options;
    const found = data.at(row);
    const hash = found === undefined ? "" : tokensHash([found.prompt, ...found.completions]);
    this.#hashes.set(row, hash);
    return hash;
  }
}

function broughtAlong(data: TokenisedRows, row: number): AttuneError {
  const place = data.at(row)?.place;
  const text = `${place?.file}:${place?.line}: expected no log-probs of a reference beside the one that was asked for.`;
  const advice = "Leave out reference, or the columns ref_chosen_logps and ref_rejected_logps.";
  return fail("ATTUNE_DATA", `${text} ${advice}`, { details: { ...place } });
}

/** Adds up the targets of each completion, in double precision and in their order, as the loss does. */
export function completionSums(batch: PackedBatch, logprobs: Float32Array): Float64Array {
  return Float64Array.from({ length: batch.completions.length / 2 }, (_, completion) => {
    const first = batch.completions[2 * completion] ?? 0;
    const count = batch.completions[2 * completion + 1] ?? 0;
    let sum = 0;
    for (let target = first; target < first + count; target++) sum += logprobs[target] ?? 0;
    return sum;
  });
}
