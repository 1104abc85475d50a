// Looks at judged answers before anything is written: both labels there, weights that fit them, no row alone in a step.
// Must not use a model.

import { epochOrder, type RowCounts, stepsPerEpoch, type TokenisedRows } from "../data/index.js";
import { type AttuneError, fail } from "../errors/index.js";
import type { KtoSettings } from "../options/index.js";
import type { PreparedRows } from "./judged-rows.js";
import { mismatchedAnswers } from "./mismatched-answers.js";
import type { OpenRows } from "./open-rows.js";
import type { SharedSettings } from "./settings.js";

export interface CheckAnswers {
  readonly rows: OpenRows;
  readonly settings: KtoSettings & SharedSettings;
  readonly warn: (text: string) => void;
}

/** @throws ATTUNE_OPTION for settings that leave nothing to learn, or that the loss has no place for */
export function checkWeights({ loss, desirableWeight, undesirableWeight, bcoDelta }: KtoSettings): void {
  const refuse = (text: string, option: string) => fail("ATTUNE_OPTION", text, { details: { option } });
  if (desirableWeight === 0 && undesirableWeight === 0)
    throw refuse(
      "Expected desirable-weight or undesirable-weight above 0 but both are 0: nothing would be learned.",
      "desirable-weight",
    );
  if (bcoDelta !== 0 && loss !== "bco")
    throw refuse(
      `Expected no bco-delta here: it does not act on ${loss}. Leave it out, or use loss bco.`,
      "bco-delta",
    );
}

/** @throws ATTUNE_DATA for answers of one label, or a row that is alone in its step and names no `kl_completion` */
export function checkAnswers({ rows, settings, warn }: CheckAnswers): PreparedRows {
  const { data, evaluation, counts, evaluationCounts } = rows;
  const wasSplit = evaluation !== undefined && evaluationCounts === undefined;
  const { good, bad } = labelsOf(data, wasSplit ? undefined : counts);
  if (!settings.allowOneLabel && (good === 0 || bad === 0)) throw oneLabel({ good, bad, wasSplit });
  if (evaluation !== undefined) {
    const text = oneSided(labelsOf(evaluation, evaluationCounts));
    if (text !== undefined) warn(text);
  }
  if (settings.loss === "kto") {
    const text = weightAdvice({ good, bad, ...settings });
    if (text !== undefined) warn(text);
    for (const row of loneRows(data, settings)) requirePartner(data, row);
    if (evaluation?.length === 1) requirePartner(evaluation, 0);
  }
  return { data, evaluation };
}

interface Labels {
  readonly good: number;
  readonly bad: number;
}

/** Of all rows their counts say it; `counts` undefined: they are of more rows than these. */
function labelsOf(data: TokenisedRows, counts: RowCounts | undefined): Labels {
  if (counts !== undefined) return { good: counts.desirable, bad: counts.undesirable };
  let good = 0;
  for (let row = 0; row < data.length; row++) if (data.at(row)?.label === 1) good += 1;
  return { good, bad: data.length - good };
}

/** What an evaluation of one label cannot say. */
function oneSided({ good, bad }: Labels): string | undefined {
  if (good > 0 && bad > 0) return undefined;
  const found = bad === 0 ? `${good} evaluation rows are good` : `${bad} evaluation rows are bad`;
  return `All ${found}: their loss says nothing about telling good answers from bad ones, and there are no margins.`;
}

function oneLabel({ good, bad, wasSplit }: Labels & { readonly wasSplit: boolean }): AttuneError {
  const [count, found, missing] = bad === 0 ? [good, "good", "bad"] : [bad, "bad", "good"];
  const left = wasSplit ? " that eval-share left for training" : "";
  const text = `Expected good and bad answers (column "label" true and false) but all ${count}${left} are ${found}.`;
  const advice = `Add ${missing} ones, or allow it with --allow-one-label; for good answers alone, sft fits better.`;
  return fail("ATTUNE_DATA", `${text} ${advice}`, { details: { column: "label", good, bad } });
}

export interface Balance extends Labels {
  readonly desirableWeight: number;
  readonly undesirableWeight: number;
}

/** Where good answers, times their weight, should stand to bad ones (Ethayarajh et al. 2024, arXiv 2402.01306). */
const bestRatio = [1, 4 / 3] as const;

/** What to change when the weighted ratio of good to bad answers lies outside `bestRatio`. */
export function weightAdvice({ good, bad, desirableWeight, undesirableWeight }: Balance): string | undefined {
  const [least, most] = bestRatio;
  const ratio = (desirableWeight * good) / (undesirableWeight * bad);
  const told = ratio > 0 && Number.isFinite(ratio);
  if (!told || (ratio >= least && ratio <= most)) return undefined;
  const weighted = `${good} good answers x ${desirableWeight} against ${bad} bad ones x ${undesirableWeight}`;
  const [name, from, to] =
    ratio < least
      ? (["--desirable-weight", (desirableWeight * least) / ratio, (desirableWeight * most) / ratio] as const)
      : (["--undesirable-weight", (undesirableWeight * ratio) / most, undesirableWeight * ratio] as const);
  return (
    `${weighted}: a ratio of ${ratio.toFixed(2)}, where 1 to 1.33 works best. ` +
    `Try ${name} ${from.toFixed(2)} to ${to.toFixed(2)}.`
  );
}

/** Rows that are the only one of a step that will be taken. */
function* loneRows(data: TokenisedRows, settings: SharedSettings): Generator<number> {
  const { batchSize, epochs, maxSteps = Number.POSITIVE_INFINITY, seed, shuffle } = settings;
  const rowCount = data.length;
  const perEpoch = stepsPerEpoch({ rowCount, batchSize });
  if (batchSize === 1) for (let row = 0; row < rowCount; row++) yield row;
  else if (rowCount % batchSize === 1) {
    for (let epoch = 0; epoch < epochs && (epoch + 1) * perEpoch <= maxSteps; epoch++)
      yield epochOrder({ rowCount, epoch, seed, shuffle }).at(-1) ?? 0;
  }
}

function requirePartner(data: TokenisedRows, row: number): void {
  mismatchedAnswers({ data, rows: [row], maxLength: Number.MAX_SAFE_INTEGER });
}
