// Says of new votes on the random share how likely they were, before anything is trained on them.
// Must not train, and must not write: predictions are kept by the operation saveLoop.

import type { KeptPrediction } from "../operations/loop.js";
import { type ItemScores, meanProbability } from "../selection/index.js";
import type { Database } from "../store/tables.js";
import type { NewVote } from "./new-votes.js";

export interface PredictVotes {
  readonly reading: Database;
  readonly project: string;
  readonly votes: readonly NewVote[];
  /** Judgements up to here were trained on. */
  readonly trainedSeq: number;
  readonly version: string;
  /** Of these items; undefined: nothing can score yet. */
  readonly score: (votes: readonly NewVote[]) => Promise<ReadonlyMap<string, ItemScores> | undefined>;
}

/**
 * One for each vote that was drawn uniformly and prefers an answer. A vote on a pair that somebody else's vote has taught
 * already is none: it would be predicted from its own answer sheet.
 */
export async function predictVotes(options: PredictVotes): Promise<readonly KeptPrediction[]> {
  const { votes, version, score } = options;
  const drawn = votes.filter(({ judgement, better }) => judgement.random && better !== undefined);
  if (drawn.length === 0) return [];
  const taught = await taughtItems(options, drawn);
  const open = drawn.filter(({ item }) => !taught.has(item.item));
  const scores = open.length === 0 ? undefined : await score(open);
  if (scores === undefined) return [];
  return open.flatMap(({ judgement, item, better }) => {
    const own = scores.get(item.item);
    if (own === undefined || better === undefined) return [];
    const first = meanProbability(own);
    return [{ judgement: judgement.judgement, version, probability: better === 0 ? first : 1 - first }];
  });
}

/** Items of training prompts whose earlier judgements a round may have seen, also those withdrawn since. */
async function taughtItems(
  { reading, project, trainedSeq }: PredictVotes,
  votes: readonly NewVote[],
): Promise<ReadonlySet<string>> {
  const names = [...new Set(votes.filter(({ item }) => item.split === "train").map(({ item }) => item.item))];
  const taught = new Set<string>();
  for (let from = 0; from < names.length; from += ITEMS_AT_ONCE) {
    const rows = await reading
      .selectFrom("judgements")
      .select("item")
      .distinct()
      .where("project", "=", project)
      .where("item", "in", names.slice(from, from + ITEMS_AT_ONCE))
      .where("seq", "<=", trainedSeq)
      .where("purpose", "=", "work")
      .execute();
    for (const { item } of rows) taught.add(item);
  }
  return taught;
}

/** The database takes so many names at once. */
const ITEMS_AT_ONCE = 500;
