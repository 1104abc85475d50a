// Stops a run whose loss or gradient is NaN or infinite, naming the step and the rows behind it.
// Must not compute anything.

import type { PackedBatch, TokenisedRow } from "../data/index.js";
import type { StepResult } from "../engine/contract.js";
import { type AttuneError, fail } from "../errors/index.js";

/** Rows named in the text; the details hold all of them. */
const namedRows = 8;

export interface LossCheck {
  /** From 1. */
  readonly step: number;
  readonly data: readonly TokenisedRow[];
  readonly batch: PackedBatch;
  readonly result: StepResult;
}

/** @throws ATTUNE_NOT_FINITE with the rows whose own loss is not finite */
export function requireFiniteLoss({ step, data, batch, result }: LossCheck): void {
  const wrong = [...result.groupLosses].flatMap((loss, group) => (Number.isFinite(loss) ? [] : [group]));
  if (wrong.length === 0 && Number.isFinite(result.loss)) return;
  const groups = wrong.length > 0 ? wrong : [...batch.rows.keys()];
  const rows = groups.map((group) => batch.rows[group] ?? 0);
  throw notFinite({ what: "loss", step, data, rows, loss: result.loss });
}

export interface NotFinite {
  readonly what: "loss" | "gradient";
  readonly step: number;
  readonly data: readonly TokenisedRow[];
  /** Positions in `data`. */
  readonly rows: ArrayLike<number>;
  readonly loss?: number;
}

/** The error for a step that cannot be applied; the weights are still those of the step before. */
export function notFinite({ what, step, data, rows, loss }: NotFinite): AttuneError {
  const places = Array.from(rows, (row) => data[row]?.place).filter((place) => place !== undefined);
  const names = places.map(({ file, line }) => `${file}:${line}`);
  const more = names.length > namedRows ? ` and ${names.length - namedRows} more` : "";
  const found = loss === undefined ? "NaN or infinite" : `${loss}`;
  return fail(
    "ATTUNE_NOT_FINITE",
    `The ${what} of step ${step} is ${found}, from ${names.slice(0, namedRows).join(", ")}${more}. ` +
      "The weights were left as they were after the step before. Look at these rows, or lower the learning rate.",
    { details: { step, rows: places } },
  );
}
