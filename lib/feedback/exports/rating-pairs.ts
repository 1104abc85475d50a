// Pairs of answers to one prompt that one person rated far enough apart: nobody's scale is held against another's.
// Must not write.

import { type ReadJudgement, readItems, readJudgements } from "../read-judgements.js";
import type { Database } from "../store/tables.js";
import { type TextItem, textItem } from "../text-item.js";
import { notesOf } from "./notes.js";
import { completionOf, type ExportedRow, type Making, rowOf, sameAnswer } from "./row-parts.js";

interface Rated {
  readonly judgement: ReadJudgement;
  readonly item: TextItem;
  readonly place: number;
  readonly value: number;
}

export interface RatingPairs extends Omit<Making, "judgements"> {
  readonly reading: Database;
  readonly project: string;
  readonly gap: number;
}

/** All pairs of the item's prompt. */
export async function* ratingPairRows(options: RatingPairs): AsyncGenerator<ExportedRow> {
  for (const rated of (await ratingsOfPrompt(options)).values())
    for (const high of rated)
      for (const low of rated) if (high.value - low.value >= options.gap) yield* pairOf(options, high, low);
}

function* pairOf(options: RatingPairs, high: Rated, low: Rated): Generator<ExportedRow> {
  const [chosen, rejected] = [high, low].map(({ item, place }) => item.answers[place]);
  if (chosen === undefined || rejected === undefined || sameAnswer(chosen, rejected)) return;
  const judgements = [...new Set([high.judgement, low.judgement])];
  const nameOf = (of: Rated, name: string) =>
    notesOf([of.judgement], (answer) => (answer === of.place ? name : undefined)).metadata;
  const metadata = { ...nameOf(low, "rejected"), ...nameOf(high, "chosen") };
  const columns = {
    ...{ chosen: completionOf(chosen), rejected: completionOf(rejected), label: 1 },
    margin: high.value - low.value,
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
  // The better answer's item: the prompt's first one may have no rating any more when this is told again.
  const { item } = high;
  yield* rowOf({ ...options, item, judgements }, judgements, { columns, answers: [chosen, rejected] });
}

/** By person and axis; of hidden checks none. */
async function ratingsOfPrompt({ reading, project, item, options }: RatingPairs) {
  const rows = await reading
    .selectFrom("items")
    .select("item")
    .where("project", "=", project)
    .where("prompt_hash", "=", item.promptHash)
    .where("gold", "is", null)
    .orderBy("number")
    .execute();
  const names = rows.map((row) => row.item);
  const items = await readItems(reading, project, names);
  const found = new Map<string, Rated[]>();
  for (const name of names)
    for await (const chunk of readJudgements(reading, { project, item: name, simulated: options.simulated }))
      for (const judgement of chunk)
        for (const value of judgement.values) {
          const known = items.get(name);
          const own = known === undefined ? undefined : textItem(known);
          if (value.kind !== "rating" || own === undefined) continue;
          if (options.axis !== undefined && options.axis !== value.axis) continue;
          const key = `${judgement.annotator} ${value.axis}`;
          const rated = found.get(key) ?? [];
          found.set(key, rated);
          rated.push({
            judgement,
            item: own,
            place: judgement.shown[value.answer] ?? -1,
            value: value.value,
          });
        }
  return found;
}
