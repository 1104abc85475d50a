// Which losses a run of dpo adds up and with what parameters: defaults filled in, contradictions refused, and what the
// losses cannot take looked for in the rows. Must not build batches or import the engine's code.

import type { TokenisedRow, TokenisedRows } from "../data/index.js";
import type { CompletionSums, ListwiseForm, PairwiseName } from "../engine/contract.js";
import { type AttuneError, fail } from "../errors/index.js";
import {
  type DpoLossName,
  type DpoSettings,
  dpoLosses,
  type LossParameter,
  lossesWith,
  lossParameters,
} from "../options/index.js";
import { sumsOverOrders, tooManyTied } from "./summed-ties.js";

type LossValues = Pick<DpoSettings, LossParameter>;

/** What names and tunes the losses of a run; some runs have no ties, cache or rankings. */
export type LossSettings = LossValues &
  Pick<DpoSettings, "loss" | "lossWeights"> &
  Partial<Pick<DpoSettings, "reference" | "referenceOffload" | "cache" | "ties" | "truncate">>;

/** What the losses of a run need and how they are tuned. */
export interface LossPlan {
  readonly names: readonly DpoLossName[];
  readonly rows: "pairs" | "rankings";
  /** Whether any of them compares with the reference. */
  readonly reference: boolean;
  /** The parameters that act, with defaults; the others are undefined. */
  readonly values: LossValues;
  /** How equal answers count; undefined where the losses don't ask. */
  readonly ties: DpoSettings["ties"];
  /** Of pairs; empty for rankings. */
  readonly terms: readonly { readonly name: PairwiseName; readonly weight: number }[];
  /** Of rankings. */
  readonly form: ListwiseForm | undefined;
  /** The loss that sorts over a whole update. */
  readonly sorts: "aot" | "aot_unpaired" | undefined;
  /** Whether the likelihood of the chosen sides is a part of the loss. */
  readonly imitates: boolean;
}

/**
 * The losses that the settings name.
 * @throws ATTUNE_OPTION for a parameter that acts on none of them, a default that is not the same for all, and mixtures
 * that cannot be formed
 */
export function planLosses(settings: LossSettings): LossPlan {
  const names = settings.loss;
  const [twice] = names.filter((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw wrong("loss", `every loss once but found ${twice} twice`);
  const listwise = names.filter((name) => dpoLosses[name].rows === "rankings");
  if (listwise.length > 0 && names.length > 1) {
    const text = `${listwise[0]} alone, as it is a loss of rankings, but received ${names.join(",")}`;
    throw wrong("loss", text);
  }
  if (listwise.length > 0 && settings.truncate)
    throw unused(
      "truncate",
      "rankings are compared whole or not at all",
      "Raise max-length, or leave it out.",
    );
  const reference = names.some((name) => dpoLosses[name].reference);
  refuseReference(settings, reference);
  const sorting = names.filter((name) => name === "aot" || name === "aot_unpaired");
  if (sorting.length > 1) throw wrong("loss", "one of aot and aot_unpaired but received both");
  const values = lossValues(settings);
  const weights = lossWeights(settings, listwise.length > 0);
  return {
    names,
    rows: listwise.length > 0 ? "rankings" : "pairs",
    reference,
    values,
    ties: tiesOf(settings),
    terms:
      listwise.length > 0
        ? []
        : names.map((name, i) => ({ name: name as PairwiseName, weight: weights[i] ?? 1 })),
    form: listwise[0] as ListwiseForm | undefined,
    sorts: sorting[0],
    imitates: names.some(
      (name) => name === "sft" || name === "orpo" || (isIn(name, "nllWeight") && (values.nllWeight ?? 0) > 0),
    ),
  };
}

/** What belongs to a reference, where the losses have none. */
function refuseReference(settings: LossSettings, wanted: boolean): void {
  if (wanted) return;
  const { loss, reference, referenceOffload = false, cache } = settings;
  const asked = {
    reference: reference !== undefined,
    "reference-offload": referenceOffload,
    cache: cache !== undefined && cache !== "off",
  };
  const found = Object.entries(asked).find(([, given]) => given)?.[0];
  if (found !== undefined)
    throw unused(
      found,
      `${loss.join(", ")} ${loss.length === 1 ? "compares" : "compare"} with no reference`,
      "Leave it out.",
    );
}

function isIn(name: DpoLossName, parameter: LossParameter): boolean {
  return dpoLosses[name].parameters[parameter] !== undefined;
}

function lossWeights({ loss, lossWeights: given }: LossSettings, ranking: boolean): readonly number[] {
  if (given === undefined) return [];
  if (ranking) throw unused("loss-weights", "a loss of rankings stands alone", "Leave it out.");
  if (given.length === loss.length) return given;
  throw wrong("loss-weights", `one number per loss (${loss.join(",")}) but received ${given.length}`);
}

function lossValues(settings: LossSettings): LossValues {
  const { loss: names } = settings;
  const values: Partial<Record<LossParameter, number | string>> = {};
  for (const parameter of lossParameters) {
    const value = parameterValue(parameter, settings);
    if (value !== undefined) values[parameter] = value;
  }
  // Of every parameter the schema's type, or its default, which a test holds to the schema.
  const filled = values as LossValues;
  if (names.includes("exo_pair") && filled.labelSmoothing === 0)
    throw wrong("label-smoothing", "a share above 0 for exo_pair but received 0");
  refuseSmoothing(filled.labelSmoothing ?? 0, names);
  refuseDivergence(filled.fDivergence, names);
  return filled;
}

function parameterValue(parameter: LossParameter, settings: LossSettings): number | string | undefined {
  const { loss: names } = settings;
  const given = settings[parameter];
  const users = names.filter((name) => isIn(name, parameter));
  const option = dashed(parameter);
  if (users.length === 0) {
    // Smoothing by nothing asks for nothing.
    if (given === undefined || (parameter === "labelSmoothing" && given === 0)) return undefined;
    const others = lossesWith(parameter).join(", ");
    throw unused(option, `it does not act on ${names.join(", ")}`, `It acts on ${others}. Leave it out.`);
  }
  if (parameter === "alpha" && settings.fDivergence !== "alpha_divergence") {
    if (given === undefined) return undefined;
    throw unused(option, "it is the order of the alpha divergence", "Add f-divergence alpha_divergence.");
  }
  if (given !== undefined) return given;
  const standards = [...new Set(users.map((name) => dpoLosses[name].parameters[parameter]))];
  if (standards.length === 1) return standards[0];
  const each = users.map((name) => `${name} ${dpoLosses[name].parameters[parameter]}`).join(", ");
  throw wrong(option, `a value for all of ${users.join(", ")}, whose defaults are not the same (${each})`);
}

function refuseSmoothing(share: number, names: readonly DpoLossName[]): void {
  const [refusing] = names.filter((name) => dpoLosses[name].refusesSmoothing);
  if (share === 0 || refusing === undefined) return;
  const others = lossesWith("labelSmoothing").join(", ");
  throw unused("label-smoothing", `${refusing} has no place for it`, `These have: ${others}.`);
}

function refuseDivergence(divergence: DpoSettings["fDivergence"], names: readonly DpoLossName[]): void {
  const [refusing] = names.filter((name) => name !== "sft" && !isIn(name, "fDivergence"));
  if (divergence === undefined || divergence === "reverse_kl" || refusing === undefined) return;
  const others = lossesWith("fDivergence").join(", ");
  throw unused("f-divergence", `${refusing} has no place for it`, `These have: ${others}.`);
}

function tiesOf({ loss: names, ties }: LossSettings): DpoSettings["ties"] {
  const [name = "sigmoid"] = names;
  const known: readonly string[] = dpoLosses[name].ties;
  const [standard] = dpoLosses[name].ties;
  if (ties === undefined || known.includes(ties)) return ties ?? standard;
  if (known.length > 0) throw wrong("ties", `one of ${known.join(", ")} for ${name} but received ${ties}`);
  throw unused("ties", `${name} asks for the best answer alone`, "Leave it out.");
}

function dashed(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function wrong(option: string, text: string): AttuneError {
  return fail("ATTUNE_OPTION", `Expected ${option} to be ${text}.`, { details: { option } });
}

function unused(option: string, why: string, advice: string): AttuneError {
  return fail("ATTUNE_OPTION", `Expected no ${option} here: ${why}. ${advice}`, { details: { option } });
}

/**
 * The implicit reward of a completion, as TRL logs it: beta times the log-ratio; without a reference what the loss compares.
 */
export function rewardOf({
  names,
  reference,
  values,
}: LossPlan): (sums: CompletionSums, ref: number) => number {
  const { beta = 1, orpoLambda = 1 } = values;
  if (reference) return ({ logprob }, ref) => beta * (logprob - ref);
  const [first] = names;
  if (first === "cpo") return ({ logprob }) => beta * logprob;
  const scale = first === "orpo" ? orpoLambda : first === "simpo" ? beta : 1;
  return ({ logprob, count }) => (scale * logprob) / count;
}

/**
 * Looks through the rows for judgements that the losses have no place for.
 * @throws ATTUNE_DATA with the row's place
 */
export function checkJudgements(plan: LossPlan, data: TokenisedRows): void {
  const checks = [...(plan.rows === "pairs" ? pairChecks(plan) : rankingChecks(plan)), ...weightChecks(plan)];
  if (checks.length === 0) return;
  for (let position = 0; position < data.length; position++) {
    const row = data.at(position);
    if (row === undefined) continue;
    for (const check of checks) {
      const problem = check(row);
      if (typeof problem === "object") throw problem;
      if (problem === undefined) continue;
      const { place } = row;
      throw fail("ATTUNE_DATA", `${place.file}:${place.line}: ${problem}`, { details: { ...place } });
    }
  }
}

/** What is wrong with a row, behind its place; or the whole error. */
type RowCheck = (row: TokenisedRow) => string | AttuneError | undefined;

function pairChecks({ names, imitates }: LossPlan): readonly RowCheck[] {
  // Beside a comparison imitation takes the chosen side whatever the label is, as long as it is not the worse one.
  const compares = (name: DpoLossName) => name !== "sft" || names.length === 1;
  const [hard] = names.filter((name) => !dpoLosses[name].softLabels && compares(name));
  const soft = lossesWith("labelSmoothing").filter((name) => dpoLosses[name].softLabels);
  if (hard !== undefined)
    return [
      ({ label }) => {
        if (label === 1) return undefined;
        const text = `expected label 1, as loss ${hard} has no place for soft ones, but found ${label}.`;
        const advice = label === 0.5 ? "Leave ties out with ties drop, or use" : "Use";
        return `${text} ${advice} one of ${soft.join(", ")}.`;
      },
    ];
  if (!imitates) return [];
  return [
    ({ label }) => {
      if (label >= 0.5) return undefined;
      const text = `expected label 0.5 or more, as ${names.join(",")} imitates the chosen side, but found ${label}: the rejected side is the better one.`;
      return `${text} Swap the sides and write label ${Number((1 - label).toPrecision(6))}, or leave imitation out.`;
    },
  ];
}

function weightChecks({ names }: LossPlan): readonly RowCheck[] {
  const [unweighted] = names.filter((name) => !dpoLosses[name].weights);
  if (unweighted === undefined) return [];
  return [
    ({ weight }) => {
      if (weight === 1) return undefined;
      const text = `expected weight 1, as loss ${unweighted} compares over all rows of an update, but found ${weight}.`;
      return `${text} Leave the column out, or use another loss.`;
    },
  ];
}

function rankingChecks({ names, form, ties }: LossPlan): readonly RowCheck[] {
  const checks: RowCheck[] = [];
  if (sumsOverOrders(ties)) checks.push((row) => tooManyTied(row, ties));
  if (form === "all-pairs" && ties === "half")
    checks.push(({ placed, ranks = [] }) => {
      if (placed === undefined) return undefined;
      const text = `expected a place for every answer, as ties half learns from all pairs, but found ${placed} of ${ranks.length}.`;
      return `${text} Use ties drop, or loss plackett-luce.`;
    });
  if (names.includes("best-of-k"))
    checks.push(({ ranks = [] }) => {
      const winners = ranks.filter((rank) => rank === 1).length;
      if (winners === 1) return undefined;
      const text = `expected one answer of rank 1, as loss best-of-k needs, but found ${winners}.`;
      return `${text} Use plackett-luce or all-pairs for ties.`;
    });
  return checks;
}
