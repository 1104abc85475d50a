// Judgements that a loop has not looked at: pairs and what they said, by answer. Must not write.

import { textOf } from "../check-judgement.js";
import { type ReadJudgement, readItems, readJudgements } from "../read-judgements.js";
import type { Database } from "../store/tables.js";
import { type TextItem, textItem } from "../text-item.js";

export interface NewVote {
  readonly judgement: ReadJudgement;
  readonly item: TextItem;
  /** Of a pair: which of the item's answers is better; undefined for ties and other kinds. */
  readonly better: 0 | 1 | undefined;
}

/** In the order in which they came; of images and clips none. */
export async function newVotes(
  reading: Database,
  project: string,
  since: number,
): Promise<readonly NewVote[]> {
  const votes: NewVote[] = [];
  for await (const chunk of readJudgements(reading, { project, since })) {
    const items = await readItems(
      reading,
      project,
      chunk.map(({ item }) => item),
    );
    for (const judgement of chunk) {
      const known = items.get(judgement.item);
      const item = known === undefined ? undefined : textItem(known);
      if (item !== undefined) votes.push({ judgement, item, better: betterAnswer(judgement) });
    }
  }
  return votes;
}

function betterAnswer({ values, shown }: ReadJudgement): 0 | 1 | undefined {
  const pair = values.find((value) => value.kind === "pair");
  if (pair?.kind !== "pair" || (pair.choice !== "left" && pair.choice !== "right")) return undefined;
  return shown[pair.choice === "left" ? 0 : 1] === 0 ? 0 : 1;
}

/** Whether an item's answers differ as text, and none is empty: between others nobody can choose. */
export function answersDiffer(answers: TextItem["answers"]): boolean {
  const texts = answers.map(({ content }) => textOf(content).trim());
  return new Set(texts).size === texts.length && !texts.includes("");
}
