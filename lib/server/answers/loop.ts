// What the call of the live loop answers. For the OpenAPI document and the tests that hold answers to it.
// Must not know how a loop runs.

import { z } from "zod";
import { count, interval, milliseconds } from "./figures.js";

const stage = z.enum(["opening", "predicting", "training", "scoring", "generating"]);

const predicted = z.object({
  version: z.string().describe("what predicted"),
  votes: count,
  accuracy: z.number().min(0).max(1),
  interval,
  loss: z.number().min(0).describe("mean of -log P(what was said), nats"),
  from: milliseconds,
  until: milliseconds,
});

export const loopStatus = z.object({
  doing: z.enum([...stage.options, "waiting", "ended"]),
  policy: z.object({ policy: z.string(), number: count, model: z.string() }).nullable(),
  rounds: count,
  waiting: count.describe("judgements of training prompts that no round has seen"),
  trainAfter: count.describe("so many begin a round"),
  open: count.describe("items"),
  openOfNewest: count,
  lag: z.object({ mean: z.number().nullable(), most: z.number().nullable(), stale: count }),
  prequential: z.object({
    all: predicted.nullable(),
    newest: predicted.nullable(),
    versions: z.array(predicted).describe("in the order in which they came"),
    groups: z
      .array(
        z.object({
          group: z.string(),
          annotators: count,
          votes: count,
          accuracy: z.number().min(0).max(1),
          interval,
          loss: z.number().min(0),
        }),
      )
      .describe("of declared groups of annotators: what is right for all together may be wrong for a few"),
  }),
  history: z.array(
    z.object({
      round: count,
      policy: z.string(),
      number: count,
      start: z.string(),
      fresh: count,
      replayed: count,
      stale: count,
      kl: z.number().optional(),
      metrics: z.record(z.string(), z.number().nullable()),
      began: milliseconds,
      ended: milliseconds,
    }),
  ),
  contest: z
    .object({
      policy: z.string(),
      against: z.string(),
      votes: count,
      difference: z.number().nullable(),
      upperBound: z.number().nullable(),
    })
    .nullable()
    .describe("the newest policy beside the best one so far"),
  best: z.string().nullable(),
  stopped: z
    .object({ reason: z.enum(["gold", "kl"]), round: count, time: milliseconds })
    .nullable()
    .describe("why nothing is trained any more"),
  lastError: z.object({ stage, code: z.string(), message: z.string(), time: milliseconds }).nullable(),
});
