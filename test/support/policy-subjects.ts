// Subjects of the losses of policies and values: samples with old and reference log-probs near the model's own, on both
// sides of every bound. Must not compute a loss.

import { lossTables } from "../../lib/engine/checks.js";
import type { KlForm, PolicyLoss, PolicyRatio, ValueLoss } from "../../lib/engine/contract.js";
import { type Columns, column, type LossSubject, list, type RowTargets, weightOf } from "./loss-subject.js";

/** One subject per entry of the tables. */
export function policySubjects(): readonly LossSubject[] {
  const { policy, policyRatios, klPenalties } = lossTables();
  return [
    ...policy.flatMap((entry) =>
      policyRatios.map(({ name }) => policySubject(entry, name as PolicyRatio, `by ${name}`)),
    ),
    ...klPenalties.map(({ name }) => penaltySubject(name as KlForm)),
  ];
}

export function valueSubjects(): readonly LossSubject[] {
  return [valueSubject("value", {}), valueSubject("value clipped, with a bias", { clip: 0.5, bias: 0.4 })];
}

/** Numbers of every target of a batch, from its row, completion and place, completion by completion. */
function perTarget(
  { rows }: Columns,
  targets: RowTargets,
  of: (value: number, place: { row: number; side: number; token: number; count: number }) => number,
): Float64Array {
  const values = rows.flatMap((row) =>
    (targets[row] ?? []).flatMap((own, side) =>
      Array.from(own, (value, token) => of(value, { row, side, token, count: own.length })),
    ),
  );
  return Float64Array.from(values);
}

const perCompletion = ({ rows, counts }: Columns, of: (row: number, side: number) => number) =>
  Float64Array.from(
    rows.flatMap((row, group) => Array.from({ length: counts[group] ?? 0 }, (_, side) => of(row, side))),
  );

/** Log-ratios on both sides of 0 and of every bound, none so near to one that a small step crosses it. */
const offsets = [0.01, -0.7, -0.02, 0.9] as const;
const offsetOf = (place: number): number => offsets[place % offsets.length] ?? 0;
const advantageOf = (place: number): number => [1.2, -0.6, 0.4, -1, 0.8][place % 5] ?? 0;

/** The samples of a list: all of them with weights of their own. */
function policySubject(
  { form, needsCap }: { readonly form: string; readonly needsCap: boolean },
  ratio: PolicyRatio,
  title: string,
  more: (columns: Columns) => Partial<PolicyLoss> = () => ({}),
): LossSubject {
  const clip = needsCap
    ? ({ form: "cispo", ratioCap: 1.8 } as const)
    : ({ form: "clip", clipLow: 0.2, clipHigh: 0.3, ratioCap: 6 } as const);
  if (clip.form !== form) throw new Error(`there are no bounds for the policy loss ${form}: write some`);
  const old = (columns: Columns) =>
    // What holds the ratio constant is compared with models that are moved by as much.
    perTarget(columns, needsCap ? columns.movedTargets : columns.targets, (value, place) => {
      const { row, side, token, count } = place;
      if (ratio === "token") return value - offsetOf(row + side + token);
      return value - offsetOf(row + side) / (ratio === "sequence" ? count : 1);
    });
  return {
    title: `policy ${form} ${title}`,
    data: list,
    model: "tokens",
    temperature: 0.8,
    sorts: undefined,
    follows: needsCap,
    make: (columns) =>
      ({
        kind: "policy",
        ...clip,
        ratio,
        normaliser: 40,
        weights: column(columns, weightOf),
        completionWeights: perCompletion(columns, (row, side) => 0.5 + 0.25 * ((row + side) % 3)),
        advantages:
          ratio === "token"
            ? perTarget(columns, columns.targets, (_, { row, side, token }) =>
                advantageOf(row + 2 * side + token),
              )
            : perCompletion(columns, (row, side) => advantageOf(row + 2 * side)),
        oldLogprobs: old(columns),
        temperature: 0.8,
        ...more(columns),
      }) as PolicyLoss,
  };
}

/** All that goes beside the ratio: a stale sample's start, a penalty and a bonus. */
function penaltySubject(klForm: KlForm): LossSubject {
  const [ppo] = lossTables().policy.filter(({ form }) => form === "clip");
  if (ppo === undefined) throw new Error("there is no clipped policy loss");
  const near = (columns: Columns, away: (place: number) => number) =>
    perTarget(columns, columns.targets, (value, { row, side, token }) => value - away(row + side + token));
  return policySubject(ppo, "token", `stale, with ${klForm} and entropy`, (columns) => ({
    startLogprobs: near(columns, offsetOf),
    oldLogprobs: near(columns, (place) => offsetOf(place) + 0.5 * ((place % 4) - 1)),
    referenceLogprobs: near(columns, (place) => 0.2 * ((place % 5) - 2.5)),
    klWeight: 0.3,
    klForm,
    entropyWeight: 0.2,
  }));
}

function valueSubject(title: string, { clip, bias = 0 }: Pick<ValueLoss, "clip" | "bias">): LossSubject {
  const moves = [0.1, 1.2, -1, -0.2] as const;
  return {
    title,
    data: list,
    model: "values",
    sorts: undefined,
    make: (columns) => ({
      kind: "value",
      normaliser: 40,
      weights: column(columns, weightOf),
      completionWeights: perCompletion(columns, (row, side) => 0.5 + 0.25 * ((row + side) % 3)),
      bias,
      returns: perTarget(
        columns,
        columns.targets,
        (value, { row, token }) => value + bias + ((row + token) % 3 === 0 ? 0.6 : -0.6),
      ),
      ...(clip === undefined
        ? {}
        : {
            clip,
            oldValues: perTarget(
              columns,
              columns.targets,
              (value, { row, token }) => value + bias - (moves[(row + token) % moves.length] ?? 0),
            ),
          }),
    }),
  };
}
