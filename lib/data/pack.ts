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
  /**
   * For scores: whole completions, each with one target, the state after its last token (masks don't matter). Default
   * false: every token but the last predicts the next one.
   */
  readonly score?: boolean;
  /**
   * Rows of one prompt lie in one micro-batch, as far as they fit, and share its segment: for rows of single answers, several
   * to a prompt. Default false: every row brings its own prompt.
   */
  readonly sharePrompts?: boolean;
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

/**
 * Trunk rows of a row: its prompt once, and each completion without its last token, which predicts nothing; for scores
 * with it.
 */
export function trunkRowsOf({ prompt, completions }: PackableRow, score = false): number {
  const unused = score ? 0 : 1;
  return completions.reduce((sum, { length }) => sum + Math.max(0, length - unused), prompt.length);
}

/**
 * Micro-batches of one optimiser step. A row (with all its completions) is never split. Best fit, longest rows first;
 * rows keep their order inside a micro-batch, and micro-batches are ordered by their first row.
 */
export function packStep(options: PackStepOptions): PackedBatch[] {
  const { data, rows, microBatchTokens, score = false, sharePrompts = false } = options;
  if (!Number.isSafeInteger(microBatchTokens) || microBatchTokens < 1) {
    const text = `Expected microBatchTokens to be an integer >= 1 but received ${microBatchTokens}.`;
    throw fail("ATTUNE_OPTION", text);
  }
  const picked = Array.from(rows, (row) => rowAt(data, row));
  const units = sharePrompts
    ? promptUnits(picked, microBatchTokens, score)
    : picked.map((_, place) => [place]);
  const costs = units.map((places) => costOf(places, picked, score));
  const bins = bestFit(costs, microBatchTokens);
  const batches = bins.map((bin) => bin.flatMap((unit) => units[unit] ?? []).sort((a, b) => a - b));
  return batches
    .sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))
    .map((places) => packRows({ data, rows: places.map((place) => rows[place] ?? 0), score, sharePrompts }));
}

/** Places of rows that share a prompt, by the places of their first ones; no more of them than a micro-batch takes. */
function promptUnits(rows: readonly PackableRow[], capacity: number, score: boolean): number[][] {
  const units: number[][] = [];
  /** The unit of a prompt that still grows, and what it costs. */
  const open = new Map<string, { readonly places: number[]; cost: number }>();
  for (const [place, row] of rows.entries()) {
    const key = promptKey(row.prompt);
    const whole = trunkRowsOf(row, score);
    const unit = open.get(key);
    if (unit !== undefined && unit.cost + whole - row.prompt.length <= capacity) {
      unit.places.push(place);
      unit.cost += whole - row.prompt.length;
      continue;
    }
    const places = [place];
    units.push(places);
    open.set(key, { places, cost: whole });
  }
  return units;
}

/** Trunk rows of rows that share one prompt. */
function costOf(places: readonly number[], rows: readonly PackableRow[], score: boolean): number {
  const [first] = places;
  const prompt = first === undefined ? 0 : (rows[first]?.prompt.length ?? 0);
  return places.reduce((sum, place) => {
    const row = rows[place];
    return sum + (row === undefined ? 0 : trunkRowsOf(row, score) - prompt);
  }, prompt);
}

function promptKey(prompt: Int32Array): string {
  return Buffer.from(prompt.buffer, prompt.byteOffset, prompt.byteLength).toString("latin1");
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
  return bins.map(({ places }) => places);
}

/** Packs rows into one batch, in the order given. */
export function packRows({ data, rows, score = false, sharePrompts = false }: PackRowsOptions): PackedBatch {
  const numbers = Int32Array.from(rows);
  const picked = Array.from(numbers, (row) => rowAt(data, row));
  const writer = new BatchWriter(picked, { score, sharePrompts });
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

interface WriterOptions {
  readonly score: boolean;
  readonly sharePrompts: boolean;
}

/** Fills the flat arrays of one batch, row by row. */
class BatchWriter {
  readonly #tokens: Int32Array;
  readonly #positions: Int32Array;
  readonly #targets: Int32Array;
  readonly #segments: number[] = [];
  readonly #completions: number[] = [];
  readonly #groups: number[] = [];
  readonly #score: boolean;
  /** Where prompts that others may share stand; undefined: nothing is shared. */
  readonly #prompts: Map<string, { readonly segment: number; readonly lastRow: number }> | undefined;
  /** Trunk rows, targets and whole sequences' tokens so far. */
  #rowCount = 0;
  #targetCount = 0;
  #tokenCount = 0;

  constructor(rows: readonly PackableRow[], { score, sharePrompts }: WriterOptions) {
    const trunk = rows.reduce((sum, row) => sum + trunkRowsOf(row, score), 0);
    const targets = rows.reduce((sum, row) => sum + (score ? row.completions.length : targetsOfRow(row)), 0);
    this.#score = score;
    this.#prompts = sharePrompts ? new Map() : undefined;
    this.#tokens = new Int32Array(trunk);
    this.#positions = new Int32Array(trunk);
    this.#targets = new Int32Array(2 * targets);
  }

  add({ prompt, completions, masks }: PackableRow): void {
    this.#groups.push(this.#completions.length / 2, completions.length);
    const { segment: promptSegment, lastRow: lastPromptRow } = this.#prompt(prompt);
    for (const [side, completion] of completions.entries()) {
      const mask = masks?.[side];
      const firstTarget = this.#targetCount;
      const firstRow = this.#rowCount;
      const ids = this.#score ? completion : completion.subarray(0, Math.max(0, completion.length - 1));
      if (ids.length > 0) this.#segment({ ids, firstPosition: prompt.length, prefix: promptSegment });
      const rowOf = (i: number) => (i < 0 ? lastPromptRow : firstRow + i);
      if (this.#score) this.#target(rowOf(completion.length - 1), completion.at(-1) ?? 0);
      else
        for (const [i, token] of completion.entries())
          if (mask === undefined || mask[i] === 1) this.#target(rowOf(i - 1), token);
      this.#completions.push(firstTarget, this.#targetCount - firstTarget);
      this.#tokenCount += prompt.length + completion.length;
    }
  }

  finish(rows: Int32Array): PackedBatch {
    return {
      tokens: this.#written(this.#tokens),
      positions: this.#written(this.#positions),
      segments: Int32Array.from(this.#segments),
      targets: this.#targets,
      completions: Int32Array.from(this.#completions),
      groups: Int32Array.from(this.#groups),
      rows,
      counts: { tokens: this.#tokenCount, tokensComputed: this.#rowCount, targets: this.#targetCount },
    };
  }

  /** Without the room that shared prompts left. */
  #written(values: Int32Array): Int32Array {
    return values.length === this.#rowCount ? values : values.slice(0, this.#rowCount);
  }

  /** The prompt's own segment, or the one that an earlier row of the same prompt has. */
  #prompt(ids: Int32Array): { readonly segment: number; readonly lastRow: number } {
    const key = this.#prompts === undefined ? "" : promptKey(ids);
    const known = this.#prompts?.get(key);
    if (known !== undefined) return known;
    const segment = this.#segment({ ids, firstPosition: 0, prefix: -1 });
    const written = { segment, lastRow: this.#rowCount - 1 };
    this.#prompts?.set(key, written);
    return written;
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
