// What of a project is exported, and as which rows. Declared once. Must not read the store.

import { z } from "zod";

/** All kinds of rows. */
export const exportKinds = [
  "preference",
  "reward",
  "unpaired",
  "ranking",
  "rating",
  "prompt-completion",
  "critique",
] as const;
/** Kinds of rows that judgements become; columns as docs/data.md has them. */
export type ExportKind = (typeof exportKinds)[number];

/** All modes of consensus. */
export const consensusModes = ["soft", "majority", "each"] as const;
/** What becomes of several judgements of one pair. */
export type ConsensusMode = (typeof consensusModes)[number];

const margin = z.number().min(0);

/** Schema of ExportOptions, with what each is for. */
export const exportOptions = z
  .strictObject({
    kind: z.enum(exportKinds),
    split: z.enum(["train", "valid", "test"]).optional(),
    since: z.int().min(0).optional().describe("judgements behind this event"),
    policy: z.string().min(1).optional().describe("items with an answer of this policy"),
    consensus: z
      .enum(consensusModes)
      .default("soft")
      .describe("of pairs that several judged: one row of what they say together, of what most say, or each"),
    margins: z
      .tuple([margin, margin, margin, margin])
      .default([0, 0, 0, 0])
      .describe("margin of a pair's strength 0 to 3"),
    ties: z.boolean().default(false).describe("preference: ties too, with label 0.5; reward has them anyway"),
    rankingPairs: z
      .boolean()
      .default(false)
      .describe("preference and reward: all strict pairs of rankings, with one group"),
    ratingGap: z
      .number()
      .positive()
      .optional()
      .describe(
        "preference and reward: answers to a prompt that one person rated so far apart, margin the gap",
      ),
    ratingHigh: z.number().optional().describe("unpaired: ratings from here on are good answers"),
    ratingLow: z.number().optional().describe("unpaired: ratings up to here are bad answers"),
    axis: z.string().min(1).optional().describe("ratings of this axis alone"),
    stale: z
      .enum(["mark", "leave-out"])
      .default("mark")
      .describe("rows of answers whose policy is more than maxLag behind its model's newest"),
    simulated: z.boolean().default(false).describe("what simulated people said too"),
    ai: z.boolean().default(false).describe("what programs said too, marked by a column ai"),
  })
  .refine(
    ({ ratingHigh, ratingLow }) => (ratingHigh === undefined) === (ratingLow === undefined),
    "expected both ratingHigh and ratingLow, or neither",
  )
  .refine(
    ({ ratingHigh = 1, ratingLow = 0 }) => ratingLow < ratingHigh,
    "expected ratingLow to be below ratingHigh",
  );
/** What of a project is exported, and as which rows. */
export type ExportOptions = z.input<typeof exportOptions>;
export type ReadExportOptions = z.output<typeof exportOptions>;
