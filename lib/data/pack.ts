// Packs the rows of one optimiser step into micro-batches of flat arrays: no padding, prompts shared by segments.
// Must not know losses or models; native/core/batch.h states the same contract.

import { fail } from "../errors/index.js";
import type { TokenisedRow } from "./tokenised-row.js";

/** The single currency between TypeScript and native code. T = trunk rows. */
export interface PackedBatch {
  /** [T] token ids. */
  readonly tokens: Int32Array;
  /** [T] positions of real tokens; a completion continues its prompt's. */
  readonly positions: Int32Array;
  /** [3 per segment] first trunk row, rows, index of the earlier segment whose keys it also sees (or -1). */
  readonly segments: Int32Array;
  /** [2 per target] trunk row that predicts, token id to be scored. */
  readonly targets: Int32Array;
  /** [2 per completion] first target, targets. */
  readonly completions: Int32Array;
  /** [2 per group] first completion, completions. A group is one row of the data. */
  readonly groups: Int32Array;
  /** [groups] position of each group's row in the data set. */
  readonly rows: Int32Array;
  readonly counts: PackedCounts;
}

export interface PackedCounts {
  /** Tokens of all sequences in full: prompt + completion, once per completion. */
  readonly tokens: number;
  /** Trunk rows: each prompt once, and no row that predicts nothing. */
  readonly tokensComputed: number;
  readonly targets: number;
}

/** What packing needs of a row. */
export type PackableRow = Pick<TokenisedRow, "prompt" | "completions" | "masks">;

/** A set of rows to pack from: an array, or a store that reads them when asked. */
export interface PackableRows {
  readonly length: number;
  at(position: number): PackableRow | undefined;
}

export interface PackRowsOptions {
  readonly data: PackableRows;
  /** Positions in `data`, one group each. */
  readonly rows: ArrayLike<number>;
}

export interface PackStepOptions extends PackRowsOptions {
  /** Most trunk rows of one micro-batch; a longer row gets a micro-batch of its own. */
  readonly microBatchTokens: number;
}

/** Targets of a row: tokens of its completions that its masks do not leave out. */
export function targetsOfRow({ completions, masks }: PackableRow): number {
  return completions.reduce(
    (sum, { length }, i) => sum + (masks?.[i] === undefined ? length : ones(masks[i])),
    0,
  );
}

function ones(mask: Uint8Array): number {
  return mask.reduce((sum, one) => sum + one, 0);
}

/** Trunk rows of a row: its prompt once, and each completion without its last token, which predicts nothing. */
export function trunkRowsOf({ prompt, completions }: PackableRow): number {
  return completions.reduce((sum, { length }) => sum + Math.max(0, length - 1), prompt.length);
}

/**
 * Micro-batches of one optimiser step. A row (with all its completions) is never split. Best fit, longest rows first;
 * rows keep their order inside a micro-batch, and micro-batches are ordered by their first row.
 */
export function packStep({ data, rows, microBatchTokens }: PackStepOptions): PackedBatch[] {
  if (!Number.isSafeInteger(microBatchTokens) || microBatchTokens < 1) {
    const text = `Expected microBatchTokens to be an integer >= 1 but received ${microBatchTokens}.`;
    throw fail("ATTUNE_OPTION", text);
  }
  const costs = Array.from(rows, (row) => trunkRowsOf(rowAt(data, row)));
  const bins = bestFit(costs, microBatchTokens);
  return bins.map((places) => packRows({ data, rows: places.map((place) => rows[place] ?? 0) }));
}

/** Places of items by bin. Longest first, each into the fullest bin that still takes it. */
function bestFit(costs: readonly number[], capacity: number): number[][] {
  const cost = (place: number) => costs[place] ?? 0;
  const order = costs.map((_, place) => place).sort((a, b) => cost(b) - cost(a) || a - b);
  const bins: { places: number[]; left: number }[] = [];
  for (const place of order) {
    let best: (typeof bins)[number] | undefined;
    for (const bin of bins) {
      if (bin.left >= cost(place) && (best === undefined || bin.left < best.left)) best = bin;
    }
    if (best === undefined) {
      bins.push({ places: [place], left: capacity - cost(place) });
    } else {
      best.places.push(place);
      best.left -= cost(place);
    }
  }
  const sorted = bins.map((bin) => bin.places.sort((a, b) => a - b));
  return sorted.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
}

/** Packs rows into one batch, in the order given. */
export function packRows({ data, rows }: PackRowsOptions): PackedBatch {
  const numbers = Int32Array.from(rows);
  const picked = Array.from(numbers, (row) => rowAt(data, row));
  const writer = new BatchWriter(picked);
  for (const row of picked) writer.add(row);
  return writer.finish(numbers);
}

function rowAt(data: PackableRows, row: number): PackableRow {
  const found = row < 0 ? undefined : data.at(row);
  if (found === undefined)
    throw fail("ATTUNE_SHAPE", `Expected a row from 0 to ${data.length - 1} but received ${row}.`);
  if (found.prompt.length > 0) return found;
  throw fail(
    "ATTUNE_SHAPE",
    `Expected at least one prompt token in row ${row}: something must predict the first one.`,
  );
}

/** Fills the flat arrays of one batch, row by row. */
class BatchWriter {
  readonly #tokens: Int32Array;
  readonly #positions: Int32Array;
  readonly #targets: Int32Array;
  readonly #segments: number[] = [];
  readonly #completions: number[] = [];
  readonly #groups: number[] = [];
  /** Trunk rows, targets and whole sequences' tokens so far. */
  #rowCount = 0;
  #targetCount = 0;
  #tokenCount = 0;

  constructor(rows: readonly PackableRow[]) {
    const trunk = rows.reduce((sum, row) => sum + trunkRowsOf(row), 0);
    const targets = rows.reduce((sum, row) => sum + targetsOfRow(row), 0);
    this.#tokens = new Int32Array(trunk);
    this.#positions = new Int32Array(trunk);
    this.#targets = new Int32Array(2 * targets);
  }

  add({ prompt, completions, masks }: PackableRow): void {
    this.#groups.push(this.#completions.length / 2, completions.length);
    const promptSegment = this.#segment({ ids: prompt, firstPosition: 0, prefix: -1 });
    const lastPromptRow = this.#rowCount - 1;
    for (const [side, completion] of completions.entries()) {
      const mask = masks?.[side];
      const firstTarget = this.#targetCount;
      const firstRow = this.#rowCount;
      const ids = completion.subarray(0, Math.max(0, completion.length - 1));
      if (ids.length > 0) this.#segment({ ids, firstPosition: prompt.length, prefix: promptSegment });
      for (const [i, token] of completion.entries()) {
        if (mask !== undefined && mask[i] !== 1) continue;
        this.#target(i === 0 ? lastPromptRow : firstRow + i - 1, token);
      }
      this.#completions.push(firstTarget, this.#targetCount - firstTarget);
      this.#tokenCount += prompt.length + completion.length;
    }
  }

  finish(rows: Int32Array): PackedBatch {
    return {
      tokens: this.#tokens,
      positions: this.#positions,
      segments: Int32Array.from(this.#segments),
      targets: this.#targets,
      completions: Int32Array.from(this.#completions),
      groups: Int32Array.from(this.#groups),
      rows,
      counts: { tokens: this.#tokenCount, tokensComputed: this.#rowCount, targets: this.#targetCount },
    };
  }

  #segment({
    ids,
    firstPosition,
    prefix,
  }: {
    ids: Int32Array;
    firstPosition: number;
    prefix: number;
  }): number {
    const index = this.#segments.length / 3;
    this.#segments.push(this.#rowCount, ids.length, prefix);
    this.#tokens.set(ids, this.#rowCount);
    for (let i = 0; i < ids.length; i++) this.#positions[this.#rowCount + i] = firstPosition + i;
    this.#rowCount += ids.length;
    return index;
  }

  #target(row: number, token: number): void {
    this.#targets[2 * this.#targetCount] = row;
    this.#targets[2 * this.#targetCount + 1] = token;
    this.#targetCount += 1;
  }
}
