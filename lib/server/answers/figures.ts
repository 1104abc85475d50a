// What the calls of figures answer: progress, rate, agreement, ratings, people. For the OpenAPI document and the tests that
// hold answers to it. Must not measure.

import { z } from "zod";
import { type itemStates, rateSteps, styleTerms } from "../../feedback/index.js";

export const milliseconds = z.int().describe("milliseconds since 1970");
export const count = z.int().min(0);

export const interval = z.object({ low: z.number(), high: z.number() }).describe("95%");

const side = z.object({
  gamma: z.number().describe("log-odds by which the left side wins between equals"),
  interval,
  alarm: z.boolean().describe("the interval leaves out 0 and gamma is beyond 0.2"),
});

type Counts = Readonly<Record<(typeof itemStates)[number], z.ZodType>>;

export const progress = z.object({
  items: z
    .object({ open: count, enough: count, disputed: count, closed: count } satisfies Counts)
    .describe("how many are in each state"),
  judgements: count,
  cannotCompare: count.describe("of them, those of clips that cannot be compared"),
  skips: count,
  leases: count.describe("held now"),
  lastHour: count,
  lastDay: count,
  people: count.describe("who judged in the last 24 hours"),
  seq: count.describe("of the log: what follows can be read behind it"),
});

export const rate = z.object({
  by: z.enum(rateSteps),
  now: milliseconds,
  buckets: z
    .array(
      z.object({
        from: milliseconds,
        judgements: count,
        counted: count.describe("of them, those that took an item further"),
      }),
    )
    .describe("the oldest first, without gaps"),
  wanted: count.describe("judgements that open items still want"),
});

const alpha = {
  alpha: z.number().describe("Krippendorff's; 1: all agree, 0: as much as chance"),
  degenerate: z.boolean().describe("every value is the same, which says nothing"),
  values: count,
  units: count.describe("that got two values or more"),
  interval,
  percent: z.number().min(0).max(1).describe("says nothing without alpha: chance alone makes it large"),
};

export const agreement = z.array(
  z.object({
    of: z.string().describe('pair, strength, thumb, ranking, or "rating: axis"'),
    level: z.enum(["nominal", "ordinal", "interval", "ratio"]),
    imported: count.describe("of the values, those that were judged elsewhere"),
    ...alpha,
    byGroup: z.record(z.string(), z.object(alpha)).optional().describe("inside each declared group"),
    tau: z.number().optional().describe("of rankings: mean Kendall tau-b of two people's orders"),
  }),
);

export const ratings = z.object({
  models: z
    .array(
      z.object({
        model: z.string(),
        rating: z.number().describe("1000, and 400 for odds of ten to one"),
        interval,
        rank: z.int().min(1),
        group: z.int().describe("models of different groups were never compared"),
        votes: count,
        fragileVotes: count
          .optional()
          .describe("votes that would have to be missing for the next to pass it"),
        fragileAnnotators: count.optional(),
      }),
    )
    .describe("the best first"),
  method: z.enum(["bradley-terry", "plackett-luce"]),
  votes: count,
  imported: count.describe("of these, judged elsewhere"),
  bothBad: count,
  side: side.optional(),
  styles: z.array(
    z.object({
      style: z.enum(styleTerms),
      coefficient: z.number().describe("log-odds of one unit"),
      interval,
    }),
  ),
  tieStrength: z.number().optional(),
  annotators: count,
  fewAnnotators: z.boolean().describe("under ten: intervals are too narrow"),
});

const share = z.object({ right: z.number().min(0), count, interval });

export const people = z.object({
  side: side.describe("of all pairs, also of answers without models"),
  groups: z.array(
    z.object({
      group: z.string(),
      annotators: count,
      judgements: count,
      withAll: share.optional().describe("pairs on which they prefer what all together prefer"),
    }),
  ),
  annotators: z.array(
    z.object({
      annotator: z.string().describe("for owners its id; otherwise a number"),
      name: z.string().optional().describe("for owners alone"),
      group: z.string().optional(),
      judgements: count,
      skips: count,
      medianMs: z.number().nullable().describe("null: nobody was timed"),
      gold: share.optional(),
      repeats: share.optional().describe("own items shown again: how often the answer was the same"),
      reliability: z.number().optional().describe("probability of a right vote"),
      sideBias: z.number().optional().describe("log-odds for the left side over what everyone has"),
      flagged: z.boolean().describe("surely right on fewer than eight in ten gold items"),
    }),
  ),
});
