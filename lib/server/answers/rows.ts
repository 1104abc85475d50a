// What the calls answer that give out line by line or event by event, and what an import says. For the OpenAPI document and
// the tests that hold answers to it. Must not make rows.

import { z } from "zod";
import { eventTypes, importFormats } from "../../feedback/index.js";
import { count, milliseconds } from "./figures.js";

const seq = z.int().min(1);

export const exportedRow = z
  .looseObject({
    source: z.array(z.string()).min(1).describe("ids of the judgements behind it"),
    annotators: z.array(z.string()).describe("pseudonyms"),
    split: z.enum(["train", "valid", "test"]),
  })
  .describe("one line: the columns of the kind that is asked for (docs/data.md), and where it comes from");

export const withdrawn = z
  .object({
    seq,
    judgement: z.string(),
    exported: z.boolean().describe("it had been given out"),
    supersededBy: z.string().optional().describe("what the person says instead"),
  })
  .describe("one line");

export const event = z
  .object({
    project: z.string(),
    seq,
    id: z.string(),
    time: milliseconds,
    type: z.enum(eventTypes),
    actor: z.string().describe('an annotator, "owner", "trainer" or "service"'),
    body: z.record(z.string(), z.unknown()).describe("of the type"),
  })
  .describe("`data` of one event, whose `id` is seq and whose `event` is type");

export const importReport = z.object({
  format: z.enum(importFormats).optional(),
  rows: count.describe("read, those included of which nothing was taken"),
  items: count,
  itemsKnown: count,
  judgements: count,
  aiJudgements: count,
  judgementsKnown: count,
  annotators: count,
  gold: count,
  bad: count.describe("rows that were passed over on request"),
  badMessages: z.array(z.string()),
  passed: z.record(z.string(), count).describe("rows and judgements that say nothing, by why"),
  unused: z.record(z.string(), count).describe("values that no kind of judgement fits, by question"),
});
