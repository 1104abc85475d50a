// The open items of a project as the loop sees them: what they ask and whose answers they show. Must not write.

import type { FeedbackAnswer, FeedbackContent } from "../judgement.js";
import type { Database } from "../store/tables.js";
import { textAnswers } from "../text-item.js";
import type { AskedPair } from "./loop-work.js";

export interface OpenPair extends AskedPair {
  readonly split: "train" | "valid" | "test";
  /** Leases and judgements that it has. */
  readonly taken: number;
  /** Ids of the policies that made its answers. */
  readonly policies: readonly string[];
}

/** Items read together. */
const CHUNK = 2_000;

/** Those with a slot for somebody; gold is never open work. */
export async function openPairs(reading: Database, project: string): Promise<readonly OpenPair[]> {
  const pairs: OpenPair[] = [];
  for (let after = -1; ; ) {
    const rows = await reading
      .selectFrom("items")
      .select(["item", "number", "prompt", "answers", "prompt_hash", "split", "taken"])
      .where("project", "=", project)
      .where("state", "=", "open")
      .where("gold", "is", null)
      .where("number", ">", after)
      .whereRef("taken", "<", "slots")
      .orderBy("number")
      .limit(CHUNK)
      .execute();
    for (const row of rows) {
      const answers = textAnswers(JSON.parse(row.answers) as FeedbackAnswer[]);
      // Nothing here scores images and clips: people are asked of them by their own priority.
      if (answers === undefined) continue;
      pairs.push({
        item: row.item,
        promptHash: row.prompt_hash,
        prompt: JSON.parse(row.prompt) as FeedbackContent,
        answers,
        split: row.split,
        taken: row.taken,
        policies: [...new Set(answers.flatMap(({ policy }) => (policy === undefined ? [] : [policy])))],
      });
    }
    if (rows.length < CHUNK) return pairs;
    after = Number(rows.at(-1)?.number ?? after);
  }
}

/** By item: how often people passed it over. */
export async function skipCounts(reading: Database, project: string): Promise<ReadonlyMap<string, number>> {
  const rows = await reading
    .selectFrom("skips")
    .select((e) => ["item", e.fn.countAll<number>().as("count")])
    .where("project", "=", project)
    .groupBy("item")
    .execute();
  return new Map(rows.map(({ item, count }) => [item, Number(count)]));
}
