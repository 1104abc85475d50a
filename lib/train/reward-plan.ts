// What a reward run makes of its settings and rows before anything is written: the loss, the rows it works on, and the
// reference completions. Must not compute anything on the model.

import { type LoadRowsOptions, selectRows, type TokenisedRows } from "../data/index.js";
import { type AttuneError, fail } from "../errors/index.js";
import type { RewardSettings } from "../options/index.js";
import type { OpenedRows, PreparedRows } from "./judged-rows.js";
import { type RatingScales, ratingScales, rowsOfAxes, standardised } from "./rating-scales.js";
import type { LossPlan } from "./reward-loss.js";
import {
  bestAnswerRows,
  isTieModel,
  judgementKind,
  lossFor,
  type RewardLoss,
  requireFit,
  scoredRows,
  tieShare,
} from "./reward-rows.js";

export interface RewardPlan extends LossPlan {
  /** Of the rows that are trained on: where a tie model starts. */
  readonly tieShare: number;
  /** What `normalise` sets to mean 0; undefined without. */
  readonly reference: TokenisedRows | undefined;
}

/** How rows become tokens. Pairs of one prompt are one row, but for models of ties, whose pairs stand alone. */
export function rewardRowRules(settings: RewardSettings) {
  const { format, ties, loss } = settings;
  const scale = scaleOf(settings.ratingScale);
  const task: LoadRowsOptions["task"] = "reward";
  return {
    task,
    format,
    ties: ties === "drop" ? "drop" : "keep",
    mergeGroups: loss === "auto" || !isTieModel(loss),
    ...(scale === undefined ? {} : { ratingScale: scale }),
  } as const;
}

/** `1,5` as two numbers. Throws ATTUNE_OPTION. */
function scaleOf(given: readonly number[] | undefined): readonly [number, number] | undefined {
  if (given === undefined) return undefined;
  const [min = Number.NaN, max = Number.NaN] = given;
  if (min < max) return [min, max];
  const text = `Expected rating-scale to be two numbers, the smaller one first, such as 1,5 but received ${given.join(",")}.`;
  throw fail("ATTUNE_OPTION", text, { details: { option: "rating-scale" } });
}

const tiesOf: Readonly<Partial<Record<RewardLoss, readonly string[]>>> = {
  "bradley-terry": ["half", "drop"],
  "all-pairs": ["half", "drop"],
  "plackett-luce": ["breslow", "average", "marginal"],
};

/**
 * Refuses what a loss has no place for. `loss` may still be "auto": then only what no loss has a place for.
 * @throws ATTUNE_OPTION
 */
export function refuseUnused(settings: RewardSettings, loss: RewardSettings["loss"] = settings.loss): void {
  const { axis, heads, normalise } = settings;
  if (settings.referenceData !== undefined && normalise === "none")
    throw contradiction("reference-data", "normalise is none", "Leave one of them out.");
  if (axis !== undefined && axis.length > 1 && heads !== undefined)
    throw contradiction("heads", "every axis has a head of its own", "Leave one of them out.");
  if (axis !== undefined && new Set(axis).size < axis.length)
    throw contradiction("axis", `an axis stands there twice (${axis.join(",")})`, "Name each one once.");
  if (loss === "auto") return;
  const { ties } = settings;
  const allowed = tiesOf[loss] ?? [];
  if (ties !== undefined && !allowed.includes(ties)) {
    const advice = allowed.length === 0 ? "Leave it out." : `Choose one of ${allowed.join(", ")}.`;
    throw contradiction(`ties ${ties}`, `the loss ${loss} has no place for it`, advice);
  }
  if (settings.centring > 0 && loss !== "bradley-terry" && loss !== "all-pairs")
    throw contradiction("centring", `the loss ${loss} has no pairs to centre`, "Leave it out.");
  if (loss === "rating") return;
  const only = axis !== undefined ? "axis" : settings.ratingScale !== undefined ? "rating-scale" : undefined;
  if (only !== undefined)
    throw contradiction(only, `it describes ratings, and the loss is ${loss}`, "Leave it out.");
}

function contradiction(option: string, why: string, advice: string): AttuneError {
  const text = `Expected no ${option} here: ${why}. ${advice}`;
  return fail("ATTUNE_OPTION", text, { details: { option } });
}

/** Throws ATTUNE_OPTION, ATTUNE_DATA, and what reading the reference data throws. */
export async function planReward(
  { rows, model, warn }: OpenedRows,
  settings: RewardSettings,
): Promise<PreparedRows & { readonly plan: RewardPlan }> {
  const { centring, ties, seed, axis: axes } = settings;
  const ofAxes = (all: TokenisedRows) =>
    axes === undefined || judgementKind(all.at(0)) !== "ratings" ? all : rowsOfAxes(all, axes);
  const data = ofAxes(rows.data);
  const evaluation = rows.evaluation === undefined ? undefined : ofAxes(rows.evaluation);
  const loss = lossFor(settings.loss, data);
  refuseUnused(settings, loss);
  for (const set of [data, evaluation ?? []]) if (set.length > 0) requireFit(set, loss, ties);
  const scales: RatingScales = loss === "rating" ? ratingScales(data) : new Map();
  if (loss === "rating" && evaluation !== undefined) requireKnownAxes(evaluation, scales);
  if (data.length < rows.data.length)
    warn(`${rows.data.length - data.length} rows of other axes than ${axes?.join(", ")} are left out.`);
  const heads = model.scoreHeads;
  if (axes !== undefined && axes.length > 1 && heads !== axes.length)
    throw contradiction(
      "axis",
      `${axes.length} axes need as many heads, and ${model.source} has ${heads}`,
      "",
    );
  const reference = await referenceRows({ rows, model, warn }, settings, data);
  return {
    data: scoredRows(data),
    evaluation: evaluation === undefined ? undefined : scoredRows(evaluation),
    ...(reference?.hash === undefined ? {} : { identity: { "reference data": reference.hash } }),
    plan: {
      loss,
      ties,
      centring,
      heads,
      axes: axes !== undefined && axes.length > 1 ? axes : undefined,
      scales,
      seed,
      tieShare: isTieModel(loss) ? tieShare(data) : 0,
      reference: reference?.rows,
    },
  };
}

function requireKnownAxes(evaluation: TokenisedRows, scales: RatingScales): void {
  for (let position = 0; position < evaluation.length; position++) {
    const row = evaluation.at(position);
    if (row !== undefined) standardised(row, scales);
  }
}

interface Reference {
  readonly rows: TokenisedRows;
  /** Of a file; what stands in for it is known by the training rows. */
  readonly hash?: string;
}

/** Completions that get mean 0: those of a file that are not cut, else the best answers of the training rows. */
async function referenceRows(
  { rows, warn }: OpenedRows,
  { normalise, referenceData }: RewardSettings,
  data: TokenisedRows,
): Promise<Reference | undefined> {
  if (normalise === "none") return undefined;
  if (referenceData === undefined) {
    const best = bestAnswerRows(data);
    if (best.length === 0)
      throw fail(
        "ATTUNE_DATA",
        "Expected training rows with a best answer to normalise by but all are ties. Give --reference-data, or --normalise none.",
      );
    warn(
      `Once trained, scores are shifted so that the best answers of the training rows (${best.length}) score 0 on average. reference-data names other answers, normalise none leaves scores as they are.`,
    );
    return { rows: scoredRows(best) };
  }
  const loaded = await rows.load(referenceData, { task: "sft", format: "prompt-completion" });
  const whole: number[] = [];
  for (let position = 0; position < loaded.rows.length; position++)
    if (loaded.rows.at(position)?.truncated === false) whole.push(position);
  const cut = loaded.rows.length - whole.length;
  if (whole.length === 0) {
    const text = `Expected a reference completion that fits max-length but all ${cut} are longer.`;
    throw fail("ATTUNE_NO_ROWS", `${text} Raise --max-length, or give shorter ones.`);
  }
  if (cut > 0)
    warn(`${cut} of ${loaded.rows.length} reference completions are longer than max-length and left out.`);
  return { rows: scoredRows(selectRows(loaded.rows, Int32Array.from(whole))), hash: loaded.hash };
}
