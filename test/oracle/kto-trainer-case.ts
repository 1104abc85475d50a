// What the kto runs of the oracle need beside the others: rows that name their mismatched answers, as TRL paired them, and a
// look at the passes without a gradient. Must not compute a baseline.

import { readFileSync } from "node:fs";
import { expect } from "chai";
import type { PackedBatch } from "../../lib/data/index.js";
import type { FrozenModel } from "../../lib/engine/contract.js";
import { type KtoOptions, kto } from "../../lib/train/index.js";
import { packedRows } from "./packed-rows.js";
import type { ExpectedRow, TrainedCase } from "./trainer-file.js";

interface Thumb {
  readonly prompt: string;
  readonly completion: string;
  readonly label: boolean;
}

export function thumbsOf(path: string): readonly Thumb[] {
  return readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Thumb);
}

/** TRL pairs each row with the answer of the one before it in its batch, the first with that of the last. */
function rowsWithMismatches({ data, settings }: TrainedCase): readonly object[] {
  const rows = thumbsOf(data);
  const size = settings.rows_per_micro_batch;
  return rows.map((row, i) => {
    const start = i - (i % size);
    const before = rows[i === start ? start + size - 1 : i - 1];
    if (before === undefined) throw new Error(`${data}: batches of ${size} do not fit ${rows.length} rows`);
    return { ...row, kl_completion: before.completion };
  });
}

/** Trains with the public kto() on the rows of a case. */
export async function trainKto(
  one: TrainedCase,
  options: Omit<KtoOptions, "data">,
  reference: FrozenModel | undefined,
): Promise<void> {
  const { beta = Number.NaN, desirable_weight: good, undesirable_weight: bad, loss } = one.settings;
  if (good === undefined || bad === undefined) throw new Error(`${one.case}: no weights`);
  const weights = { desirableWeight: good, undesirableWeight: bad };
  const data = rowsWithMismatches(one);
  await kto({ ...options, ...weights, data, beta, loss: loss as "kto", reference }).result;
}

type Sequence = readonly [prompt: readonly number[], completion: readonly number[]];

/** The answers that a policy's passes without a gradient scored, step by step, against those of TRL. */
export function checkMismatches(
  steps: readonly (readonly ExpectedRow[])[],
  forwards: readonly PackedBatch[],
): void {
  const found = forwards.flatMap((batch) =>
    packedRows(batch).flatMap(({ prompt, completions }) => completions.map((ids): Sequence => [prompt, ids])),
  );
  const wanted = steps.map((rows) => rows.map((row): Sequence => [row.prompt, row.kl_completion ?? []]));
  expect(found).to.have.length(wanted.flat().length);
  for (const [step, sequences] of wanted.entries()) {
    // Rows of a step go in the order of a hash.
    const own = found.splice(0, sequences.length);
    expect(own, `step ${step + 1}`).to.have.deep.members(sequences);
  }
}

/** Rows of the trunk of that pass. */
export function mismatchedTrunkRows(rows: readonly ExpectedRow[]): number {
  return rows.reduce(
    (sum, { prompt, kl_completion: ids }) => sum + prompt.length + (ids?.length ?? 1) - 1,
    0,
  );
}
