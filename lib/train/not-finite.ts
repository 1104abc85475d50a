// Takes a step, and when its loss is NaN or infinite stops the run naming the step and the rows behind it.
// Must not know an algorithm.

import { type PackedBatch, packRows, type TokenisedRows } from "../data/index.js";
import type { JobOptions, LossSpec, StepResult, TrainableModel } from "../engine/contract.js";
import { AttuneError, fail } from "../errors/index.js";

/** Rows named in the text; the details hold all of them. */
const namedRows = 8;

export interface FiniteStep {
  readonly model: TrainableModel;
  readonly batch: PackedBatch;
  readonly loss: LossSpec;
  readonly job: JobOptions;
  /** From 1. */
  readonly step: number;
  readonly data: TokenisedRows;
}

/** What a run trains, and the value network beside it. */
export type Network = "policy" | "value";

/**
 * `model.step`, whose result is finite.
 * @throws ATTUNE_NOT_FINITE with the rows that cause it; gradients are cleared, weights are as before
 */
export async function finiteStep(request: FiniteStep): Promise<StepResult> {
  const { model, batch, loss, job, step, data } = request;
  let found = "";
  try {
    const result = await model.step(batch, loss, job);
    const wrong = [...result.groupLosses].flatMap((value, group) => (Number.isFinite(value) ? [] : [group]));
    if (wrong.length === 0 && Number.isFinite(result.loss)) return result;
    found = String(result.loss);
  } catch (error) {
    if (!(error instanceof AttuneError) || error.code !== "ATTUNE_NOT_FINITE") throw error;
  }
  await model.clearGradients();
  const rows = await rowsBehind(request);
  const network = loss.kind === "value" ? "value" : "policy";
  throw notFinite({ what: "loss", step, data, rows, found, network });
}

/** The rows whose own log-probs or scores are not finite; all rows of the batch when each is fine alone. */
async function rowsBehind({ model, batch, loss, job, data }: FiniteStep): Promise<readonly number[]> {
  const wrong: number[] = [];
  for (const [group, row] of batch.rows.entries()) {
    const score = loss.kind === "scores";
    const alone = packRows({ data, rows: [row], score });
    const scored = score || loss.kind === "value";
    const values = scored ? await model.scores(alone, job) : (await model.forward(alone, job)).logprobs;
    const reference = "reference" in loss ? loss.reference : undefined;
    const given = reference?.subarray(...completionRange(batch, group)) ?? [];
    if (![...values, ...given].every(Number.isFinite)) wrong.push(row);
  }
  return wrong.length > 0 ? wrong : [...batch.rows];
}

function completionRange(batch: PackedBatch, group: number): [number, number] {
  const first = batch.groups[2 * group] ?? 0;
  return [first, first + (batch.groups[2 * group + 1] ?? 0)];
}

export interface NotFinite {
  readonly what: "loss" | "gradient";
  readonly step: number;
  readonly data: TokenisedRows;
  /** Positions in `data`. */
  readonly rows: ArrayLike<number>;
  /** The value, where there is one. */
  readonly found?: string;
  /** Whose it is. Default "policy": what the run trains. */
  readonly network?: Network;
}

/** The error for a step that cannot be applied; the weights are still those of the optimiser step before. */
export function notFinite({ what, step, data, rows, found, network = "policy" }: NotFinite): AttuneError {
  const places = Array.from(rows, (row) => data.at(row)?.place).filter((place) => place !== undefined);
  // Several answers to a prompt have one place.
  const names = [...new Set(places.map(({ file, line }) => `${file}:${line}`))];
  const more = names.length > namedRows ? ` and ${names.length - namedRows} more` : "";
  const [of, rate] =
    network === "value"
      ? [" of the value network", "look at their rewards, or lower --value-learning-rate"]
      : ["", "look at these rows, or lower the learning rate"];
  return fail(
    "ATTUNE_NOT_FINITE",
    `The ${what}${of} of step ${step} is ${found || "NaN or infinite"}, from ${names.slice(0, namedRows).join(", ")}` +
      `${more}. The weights are still those of the optimiser step before: ${rate}.`,
    { details: { step, rows: places } },
  );
}
