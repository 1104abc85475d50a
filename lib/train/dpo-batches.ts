// The loss of a batch of pairs or rankings as the engine takes it: columns of its rows, the reference's log-probs, and what
// is known of the whole update only. Must not take steps.

import { type PackedBatch, packStep, type TokenisedRows } from "../data/index.js";
import type { JobOptions, ListwiseLoss, PairwiseLoss, TrainableModel } from "../engine/contract.js";
import { completionRanks, pairLabels, placedCounts, rowWeights } from "./batch-columns.js";
import type { LossPlan } from "./dpo-losses.js";
import { evaluationParts } from "./evaluation.js";
import { completionSums, type Reference } from "./reference.js";

export type RowsLoss = PairwiseLoss | ListwiseLoss;

/** What a loss needs to know of all rows it is divided by: those of an update, or of an evaluation. */
export interface UpdateFacts {
  /** Pairs or rankings. */
  readonly count: number;
  /** Targets of the chosen sides; 0 where no loss asks. */
  readonly chosenTargets: number;
  /** Of each row [chosen, rejected]: what a loss that sorts compares its sides with. */
  readonly matches: ReadonlyMap<number, readonly [number, number]> | undefined;
  /** Rows that went through the policy's trunk to find `matches`. */
  readonly trunkRows: number;
}

export interface FindFacts {
  readonly plan: LossPlan;
  readonly model: TrainableModel;
  /** All micro-batches, in order; walked through only where a loss asks. */
  readonly batches: Iterable<PackedBatch>;
  readonly count: number;
  readonly reference: Reference | undefined;
  readonly job: JobOptions;
}

/** Goes over a whole update before its first step. Losses that sort take a pass without gradients. */
export async function findFacts(request: FindFacts): Promise<UpdateFacts> {
  const { plan, model, batches, count, reference, job } = request;
  const { sorts, imitates } = plan;
  const rows: number[] = [];
  const logprobs: number[] = [];
  const references: number[] = [];
  let chosenTargets = 0;
  let trunkRows = 0;
  for (const batch of sorts === undefined && !imitates ? [] : batches) {
    for (let group = 0; group < batch.rows.length; group++)
      chosenTargets += batch.completions[2 * (batch.groups[2 * group] ?? 0) + 1] ?? 0;
    if (sorts === undefined || reference === undefined) continue;
    rows.push(...batch.rows);
    logprobs.push(...completionSums(batch, (await model.forward(batch, job)).logprobs));
    references.push(...(await reference.logprobs(batch)));
    trunkRows += batch.counts.tokensComputed;
  }
  if (sorts === undefined) return { count, chosenTargets, matches: undefined, trunkRows };
  const values = model.matchUpdate(sorts, Float64Array.from(logprobs), Float64Array.from(references));
  const matches = new Map(rows.map((row, i) => [row, [values[2 * i] ?? 0, values[2 * i + 1] ?? 0]] as const));
  return { count, chosenTargets, matches, trunkRows };
}

/** The micro-batches of an evaluation, as `evaluateRows` forms them. */
export function* evaluationBatches(data: TokenisedRows, microBatchTokens: number): Generator<PackedBatch> {
  for (const rows of evaluationParts(data)) yield* packStep({ data, rows, microBatchTokens });
}

export interface BatchLoss {
  readonly plan: LossPlan;
  readonly data: TokenisedRows;
  readonly reference: Reference | undefined;
  readonly facts: UpdateFacts;
}

/** The loss of a batch, divided by the count of the whole update or evaluation. */
export async function batchLoss(batch: PackedBatch, request: BatchLoss): Promise<RowsLoss> {
  const { plan, data, facts } = request;
  const reference = await request.reference?.logprobs(batch);
  // Losses without a beta don't look at it.
  const { beta = 1 } = plan.values;
  const shared = { normaliser: facts.count, beta, weights: rowWeights(data, batch) };
  if (plan.form !== undefined) {
    if (reference === undefined) throw new TypeError(`${plan.form} without a reference`);
    // Of the other forms the ranks say all.
    const placed = plan.form === "plackett-luce" ? placedCounts(data, batch) : undefined;
    return {
      kind: "listwise",
      form: plan.form,
      ...defined({ ties: listTies(plan.ties), placed }),
      ranks: completionRanks(data, batch),
      reference,
      ...shared,
    };
  }
  const { labelSmoothing, fDivergence, alpha, ipoReduce, simpoGamma, orpoLambda, nllWeight } = plan.values;
  return {
    kind: "pairwise",
    terms: plan.terms,
    ...shared,
    ...defined({
      labelSmoothing,
      divergence: fDivergence,
      alpha,
      ipoReduce,
      simpoGamma,
      orpoLambda,
      nllWeight,
    }),
    ...defined({ discopopTemperature: plan.values.discopopTemperature, reference }),
    ...defined({ matches: matchesOf(batch, facts) }),
    labels: pairLabels(data, batch),
    ...(facts.chosenTargets > 0 ? { chosenTargets: facts.chosenTargets } : {}),
  };
}

/** Of a ranking; "keep" belongs to pairs. */
function listTies(ties: LossPlan["ties"]): ListwiseLoss["ties"] {
  return ties === "keep" ? undefined : ties;
}

function matchesOf(batch: PackedBatch, { matches }: UpdateFacts): Float64Array | undefined {
  if (matches === undefined) return undefined;
  const values = new Float64Array(batch.completions.length / 2);
  for (const [group, row] of batch.rows.entries()) {
    const own = matches.get(row);
    if (own === undefined) throw new RangeError(`no match for row ${row}`);
    values.set(own, batch.groups[2 * group]);
  }
  return values;
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Without what is not set: a key that is there asks for something. */
function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
