// What an owner decides of a project: what is asked, of how many people, and how sure one wants to be of them.
// Must not know the store.

import { z } from "zod";
import { ask } from "./judgement.js";

export const selectors = ["random", "disagreement", "optimistic", "gap"] as const;
/** Ways to choose what is asked next. */
export type SelectorName = (typeof selectors)[number];

const share = z.number().min(0).max(1);

/** Schema of ProjectSettings, with what each is for. */
export const projectSettings = z.strictObject({
  asks: z
    .array(ask)
    .min(1)
    .default([{ kind: "pair", strength: true }])
    .describe("what items ask for unless they say something else"),
  overlap: z
    .strictObject({
      least: z.int().min(1).max(1000).default(1).describe("judgements of every item"),
      shared: z
        .int()
        .min(1)
        .max(1000)
        .default(3)
        .describe("of a random share of items, so that agreement can be measured"),
      share: share.default(0.1).describe("which share of items that is, 0 to 1"),
      most: z
        .int()
        .min(1)
        .max(1000)
        .default(5)
        .describe("where people disagree, one more each time up to this many"),
    })
    .prefault({}),
  gold: share.default(0.05).describe("share of leases whose answer is known"),
  repeat: share.default(0.03).describe("share of leases that show an own item again, sides swapped"),
  repeatAfter: z.int().min(1).max(10_000).default(20).describe("items in between"),
  random: share
    .default(0.2)
    .describe("share of leases that are drawn uniformly; ratings and agreement use them"),
  selector: z.enum(selectors).default("random").describe("what is asked first, behind the random share"),
  temperature: z.number().min(1e-3).max(1e6).default(1).describe("of the softmax over priorities"),
  leaseMinutes: z
    .number()
    .min(0.1)
    .max(10_080)
    .default(10)
    .describe("an item is held for somebody, longer while they work at it"),
  undo: z.int().min(0).max(1000).default(20).describe("own judgements that may be taken back"),
  unsafePerDay: z.int().min(0).max(1_000_000).default(50).describe("items marked unsafe, for one person"),
  maxLag: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(2)
    .describe("judgements on policies further behind are marked stale"),
  seed: z.int().min(0).default(0).describe("of all that is drawn"),
});
/** What an owner decides of a project, defaults filled in. */
export type ProjectSettings = z.infer<typeof projectSettings>;
/** What an owner decides of a project; what is absent has its default. */
export type ProjectSettingsInput = z.input<typeof projectSettings>;
