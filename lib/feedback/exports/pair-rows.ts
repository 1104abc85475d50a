// Rows of two answers: of pairs (what all say together, or each), of corrected texts, of rankings taken apart. Pure.

import { textOf } from "../check-judgement.js";
import type { TextAnswer } from "../judgement.js";
import type { PeopleFacts } from "../people.js";
import type { ReadJudgement } from "../read-judgements.js";
import { notesOf } from "./notes.js";
import { completionOf, type ExportedRow, type Making, type OfItem, rowOf, sameAnswer } from "./row-parts.js";

/** What all who judged a pair say together, or one of them. */
export interface SaidOfPair {
  /** P(the item's first answer is better). */
  readonly label: number;
  readonly weight: number;
  readonly strengths: readonly number[];
  readonly sources: readonly ReadJudgement[];
}

/** Undefined where nobody compared them. */
export function saidOfPair({ judgements, item, options, facts }: OfItem): SaidOfPair | undefined {
  const pairs = judgements.flatMap((judgement) => {
    const value = judgement.values.find((one) => one.kind === "pair");
    return value?.kind === "pair" && value.choice !== "cannot_compare" ? [{ judgement, value }] : [];
  });
  if (pairs.length === 0) return undefined;
  const said = pairs.map(({ judgement, value }) => ({
    judgement,
    /** P(the item's first answer is better), as this one says. */
    label: value.choice === "left" || value.choice === "right" ? labelOf(judgement, value.choice) : 0.5,
    strength: value.strength ?? 0,
  }));
  // Programs are not among the people whose votes make a consensus.
  const alone = options.consensus === "each" || pairs.some(({ judgement }) => judgement.purpose === "ai");
  const label =
    options.consensus === "soft" && !alone
      ? (facts?.consensus.labels.get(facts.units.get(item.item) ?? -1) ?? 0.5)
      : majorityOf(said.map((one) => one.label));
  return {
    label,
    weight: alone ? weightOf(facts, said[0]?.judgement) : 1,
    strengths: said.map(({ strength }) => strength),
    sources: pairs.map(({ judgement }) => judgement),
  };
}

/** Ties are rows of a reward model, and of preferences where somebody wants them. */
export function* pairRows(making: Making): Generator<ExportedRow> {
  const { margins, kind, ties } = making.options;
  const [first, second] = making.item.answers;
  const said = saidOfPair(making);
  if (said === undefined || first === undefined || second === undefined) return;
  const { label, weight, sources } = said;
  if (label === 0.5 && kind === "preference" && !ties) return;
  const [chosen, rejected] = label >= 0.5 ? [first, second] : [second, first];
  const better = label >= 0.5 ? 0 : 1;
  const strengths = said.strengths.map((strength) => margins[strength as 0 | 1 | 2 | 3] ?? 0);
  const columns = {
    ...sidesOf(chosen, rejected),
    label: Math.max(label, 1 - label),
    margin: strengths.reduce((sum, margin) => sum + margin, 0) / strengths.length,
    ...(weight === 1 ? {} : { weight }),
    ...notesOf(sources, (answer) => (answer === better ? "chosen" : "rejected")),
  };
  yield* rowOf(making, sources, { columns, answers: [chosen, rejected] });
}

function sidesOf(chosen: TextAnswer, rejected: TextAnswer) {
  return { chosen: completionOf(chosen), rejected: completionOf(rejected) };
}

function labelOf({ shown }: ReadJudgement, choice: "left" | "right"): number {
  return (choice === "left" ? shown[0] : shown[1]) === 0 ? 1 : 0;
}

function majorityOf(labels: readonly number[]): number {
  const lead = labels.reduce((sum, label) => sum + Math.sign(label - 0.5), 0);
  return lead > 0 ? 1 : lead < 0 ? 0 : 0.5;
}

/** 2 a - 1: nothing for a coin-flipper. */
function weightOf(facts: PeopleFacts | undefined, judgement: ReadJudgement | undefined): number {
  const person = facts?.people.find(({ annotator }) => annotator === judgement?.annotator);
  return person?.reliability === undefined ? 1 : 2 * person.reliability - 1;
}

/** What was written instead is better than what was there. */
export function* editRows(making: Making): Generator<ExportedRow> {
  for (const judgement of making.judgements)
    for (const value of judgement.values) {
      if (value.kind !== "edit") continue;
      const place = judgement.shown[value.answer] ?? -1;
      const answer = making.item.answers[place];
      if (answer === undefined || textOf(answer.content) === value.text) continue;
      const edited = editedAnswer(answer, value.text);
      const columns = {
        ...{ chosen: edited, rejected: completionOf(answer), label: 1, margin: 0 },
        ...notesOf([judgement], (other) => (other === place ? "rejected" : undefined)),
      };
      yield* rowOf(making, [judgement], { columns, answers: [answer] });
    }
}

/** The answer with another last message. */
export function editedAnswer({ content }: TextAnswer, text: string) {
  const before = typeof content === "string" ? [] : content.slice(0, -1);
  return completionOf({ content: [...before, { role: "assistant", content: text }] });
}

/** Every two answers of which one stands before the other; what has no place stands behind all that have one. */
export function* rankingPairRows(making: Making): Generator<ExportedRow> {
  const { item } = making;
  for (const judgement of making.judgements)
    for (const value of judgement.values) {
      if (value.kind !== "ranking") continue;
      const tierOf = judgement.shown.map((_, place) => value.tiers.findIndex((tier) => tier.includes(place)));
      const tiers = tierOf.map((tier) => (tier < 0 ? value.tiers.length : tier));
      for (const [better, tier] of tiers.entries())
        for (const [worse, other] of tiers.entries())
          if (tier < other) yield* rankedPair(making, judgement, [better, worse]);
    }
  /** The prompt's, as in the item: all its pairs stay together. */
  function* rankedPair(of: Making, judgement: ReadJudgement, [better, worse]: readonly [number, number]) {
    const places = [judgement.shown[better] ?? -1, judgement.shown[worse] ?? -1];
    const [chosen, rejected] = places.map((place) => item.answers[place]);
    if (chosen === undefined || rejected === undefined || sameAnswer(chosen, rejected)) return;
    const columns = {
      ...{ ...sidesOf(chosen, rejected), label: 1, margin: 0, group: item.promptHash },
      ...notesOf([judgement], (answer) => ["chosen", "rejected"][places.indexOf(answer)]),
    };
    yield* rowOf(of, [judgement], { columns, answers: [chosen, rejected] });
  }
}
