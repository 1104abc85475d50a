// What an item asks for, of its row: with its answers as they were added, or as somebody was shown them. Pure.

import { fail } from "../../errors/index.js";
import type { AskedItem } from "../check-judgement.js";
import type { Ask, FeedbackAnswer } from "../judgement.js";
import type { AssignmentsTable, ItemsTable } from "../store/tables.js";

export function askedItem(
  { asks, answers }: Pick<ItemsTable, "asks" | "answers">,
  assignment?: Pick<AssignmentsTable, "shown">,
): AskedItem {
  const all = JSON.parse(answers) as FeedbackAnswer[];
  const order = assignment === undefined ? [...all.keys()] : (JSON.parse(assignment.shown) as number[]);
  return { asks: JSON.parse(asks) as Ask[], answers: order.map((place) => all[place]?.content ?? "") };
}

/** What was redacted has no answers any more, and nothing is to be said of it. @throws ATTUNE_LEASE */
export function refuseRedacted({ answers }: Pick<ItemsTable, "answers">): void {
  if (answers === "[]")
    throw fail("ATTUNE_LEASE", "Expected an item that is there but its owner has taken it out.");
}
