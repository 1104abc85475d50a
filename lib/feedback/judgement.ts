// What people can say of answers: the kinds of judgements and their values, as they come in and are kept.
// Positions count the answers as they were shown, from 0, left to right. Must not know the store.

import { z } from "zod";
import { isPlainText } from "./plain-text.js";

/** Ends that the pair's arrow keys stand for, and the two ways to say that neither is better. */
export const pairChoices = ["left", "right", "tie", "both_good", "both_bad", "cannot_compare"] as const;
export type PairChoice = (typeof pairChoices)[number];

/** All reasons to pass an item over. */
export const skipReasons = [
  "unclear_prompt",
  "both_broken",
  "unsafe",
  "not_my_field",
  "duplicate",
  "other",
] as const;
/** Why somebody passes an item over. */
export type SkipReason = (typeof skipReasons)[number];

const position = z.int().min(0).max(99).describe("which answer, as shown, from 0");
/** Of a comment or an edited answer, in UTF-16 units. */
const LONGEST_TEXT = 200_000;

/** Schema of JudgementValue. */
export const judgementValue = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("pair"),
    choice: z.enum(pairChoices),
    strength: z.int().min(0).max(3).optional().describe("how much better, 0 to 3"),
  }),
  z.strictObject({
    kind: z.literal("ranking"),
    tiers: z
      .array(z.array(position).min(1))
      .min(1)
      .describe("positions, the best first; those of one tier are equal; what is left out has no place"),
  }),
  z.strictObject({
    kind: z.literal("rating"),
    answer: position.default(0),
    axis: z.string().min(1).max(100),
    value: z.number(),
  }),
  z.strictObject({ kind: z.literal("thumb"), answer: position.default(0), up: z.boolean() }),
  z.strictObject({
    kind: z.literal("edit"),
    answer: position.default(0),
    text: z.string().max(LONGEST_TEXT),
  }),
  z.strictObject({
    kind: z.literal("comment"),
    answer: position.optional().describe("of all answers when absent"),
    text: z.string().min(1).max(LONGEST_TEXT),
  }),
  z.strictObject({
    kind: z.literal("span"),
    answer: position.default(0),
    start: z.int().min(0).describe("code points"),
    end: z.int().min(1).describe("code points"),
    tag: z.string().min(1).max(100),
  }),
]);
/** What somebody says of answers; positions count them as they were shown, from 0. */
export type JudgementValue = z.infer<typeof judgementValue>;
/** Kinds of judgements. */
export type JudgementKind = JudgementValue["kind"];

/** What an item asks for: at least one of these must be answered, those that are required all. */
export const ask = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("pair"), strength: z.boolean().default(false) }),
  z.strictObject({
    kind: z.literal("ranking"),
    top: z.int().min(1).optional().describe("only the best so many must have a place; 1 is best-of-K"),
  }),
  z.strictObject({
    kind: z.literal("rating"),
    axis: z.string().min(1).max(100),
    low: z.number(),
    high: z.number(),
    step: z.number().positive().default(1),
  }),
  z.strictObject({ kind: z.literal("thumb") }),
  z.strictObject({ kind: z.literal("edit"), required: z.boolean().default(false) }),
  z.strictObject({ kind: z.literal("comment"), required: z.boolean().default(false) }),
  z.strictObject({ kind: z.literal("span"), tags: z.array(z.string().min(1).max(100)).min(1) }),
]);
/** What an item asks of people. */
export type Ask = z.infer<typeof ask>;

/** A message of a conversation, or plain text. */
const message = z.object({ role: z.string().min(1), content: z.string() });
/** Schema of FeedbackContent. */
export const content = z.union([z.string(), z.array(message).min(1)]);
/** Plain text, or the messages of a conversation. */
export type FeedbackContent = z.infer<typeof content>;

/** Schema of FeedbackAnswer. */
export const answer = z.strictObject({
  content,
  model: z.string().max(300).optional(),
  checkpoint: z.string().max(300).optional().describe("hash of the weights"),
  policy: z.string().max(100).optional().describe("id of a registered policy"),
  temperature: z.number().optional(),
  topP: z.number().optional(),
  seed: z.number().optional(),
  logProb: z.number().optional().describe("sum over the answer's tokens, nats"),
  tokens: z.array(z.int().min(0)).optional(),
  source: z.string().max(300).optional(),
});
/** An answer and what is known of how it was made; people see its content alone. */
export type FeedbackAnswer = z.infer<typeof answer>;

/** Schema of ItemInput. */
export const itemInput = z.strictObject({
  externalId: z
    .string()
    .min(1)
    .max(300)
    .refine(isPlainText, "expected one line without control characters")
    .optional()
    .describe("unique in the project"),
  prompt: content,
  answers: z.array(answer).min(1).max(100),
  asks: z.array(ask).min(1).optional().describe("default: the project's"),
  unsafe: z.boolean().default(false).describe("shown behind a warning, and limited per day"),
  priority: z.number().default(0).describe("higher is asked sooner"),
  split: z.enum(["train", "valid", "test"]).optional().describe("default: from the prompt's hash"),
  metadata: z.record(z.string(), z.unknown()).optional(),
});
/** An item to be judged: a prompt, its answers, and what is asked of them. */
export type ItemInput = z.input<typeof itemInput>;
export type Item = z.infer<typeof itemInput>;
