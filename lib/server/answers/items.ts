// What the calls of items and of single judgements answer. For the OpenAPI document and the tests that hold answers to it.
// Must not read a store.

import { z } from "zod";
import {
  answer,
  ask,
  content,
  itemStates,
  judgementValue,
  projectSettings,
  roles,
} from "../../feedback/index.js";
import { count, milliseconds } from "./figures.js";

const positions = z.array(z.int().min(0));

export const lease = z.object({
  lease: z.string(),
  until: milliseconds,
  prompt: content,
  answers: z.array(content).describe("as shown, left to right; nothing says whose they are"),
  asks: z.array(ask),
  unsafe: z.boolean(),
  guidelines: count.describe("version"),
  draft: z.unknown().optional().describe("what was filled in before, as it was sent"),
});

export const ownWork = z.object({
  judgements: count,
  today: count.describe("in the last 24 hours"),
  last: z
    .array(z.object({ judgement: z.string(), created: milliseconds }))
    .describe("that may be taken back, the newest first"),
});

export const ownJudgement = z.object({
  judgement: z.string(),
  prompt: content,
  answers: z.array(content).describe("as they were shown"),
  asks: z.array(ask),
  values: z.array(judgementValue),
  unsafe: z.boolean(),
  created: milliseconds,
});

export const guidelines = z.object({ version: count.describe("0: none were written"), text: z.string() });

export const listedItems = z.object({
  items: z.array(
    z.object({
      item: z.string(),
      number: count,
      externalId: z.string().nullable(),
      prompt: content,
      answers: z.array(answer),
      asks: z.array(ask),
      split: z.enum(["train", "valid", "test"]),
      gold: z.array(judgementValue).optional().describe("what is right, where it is known"),
      state: z.enum(itemStates),
      slots: count.describe("judgements that are wanted"),
      planned: count.describe("of the slots, those before anybody disagreed; 0: judged elsewhere"),
      judged: count,
      unsafe: z.boolean(),
      created: milliseconds,
    }),
  ),
  next: count.optional().describe("`after` of the next page; absent: this is the last"),
});

export const saidOfItem = z.object({
  judgements: z.array(
    z.object({
      judgement: z.string(),
      annotator: z.string(),
      purpose: z.enum(["work", "gold", "repeat", "import", "ai"]),
      values: z.array(judgementValue),
      shown: positions.describe("where each position that a value names was when the item was added"),
      created: milliseconds,
    }),
  ),
});

export const settings = z.object({
  project: z.string(),
  name: z.string(),
  settings: projectSettings,
  guidelines: count.describe("version"),
  created: milliseconds,
  store: z.enum(["embedded", "postgres"]),
  schema: z.record(z.string(), z.unknown()).describe("JSON Schema of the settings"),
});

export const tokens = z.object({
  tokens: z.array(
    z.object({
      token: z.string().describe("its id; nothing here opens anything"),
      role: z.enum(roles),
      name: z.string(),
      annotator: z.string().optional(),
      created: milliseconds,
      expires: milliseconds.optional(),
      revoked: milliseconds.optional(),
      own: z.boolean().describe("the one that asks"),
    }),
  ),
});

export const captured = z.object({
  item: z.string(),
  judgement: z.string(),
  isNew: z.boolean().describe("false: the same had been said before"),
});

export const redacted = z.object({
  item: z.string().optional(),
  judgements: z.array(z.string()).describe("that are gone with it"),
});

export const me = z.object({
  role: z.enum(roles),
  projects: z
    .array(z.object({ project: z.string(), name: z.string() }))
    .describe("those that the token opens"),
  annotator: z.string().optional().describe("absent: the token belongs to nobody who judges"),
  name: z.string().optional(),
});
