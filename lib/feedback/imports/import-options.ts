// What files of judgements are read as, and what their fields mean where the file does not tell. Must not read files.

import { z } from "zod";

/** All formats. */
export const importFormats = [
  "hh",
  "summarize",
  "arena",
  "argilla",
  "label-studio",
  "rows",
  "items",
] as const;
/** Formats of files of judgements. */
export type ImportFormat = (typeof importFormats)[number];

/** As messages and annotators' names put them. */
export const formatNames: Readonly<Record<ImportFormat, string>> = {
  hh: "hh-rlhf",
  summarize: "summarize-from-feedback",
  arena: "Chatbot Arena",
  argilla: "Argilla",
  "label-studio": "Label Studio",
  rows: "rows for training",
  items: "items of attune",
};

/** `edit:1` = the value is a corrected text of the second answer. */
export const questionUse = z
  .string()
  .regex(
    /^(?:ignore|pair|ranking|(?:rating|thumb|edit|comment|span)(?::\d{1,2})?)$/,
    'expected ignore, pair, ranking, rating, thumb, edit, comment or span, and ":N" for answer N from 0',
  );

export const importMapping = z.strictObject({
  prompt: z.string().optional().describe("field that holds the prompt"),
  answers: z.array(z.string()).min(1).optional().describe("fields that hold the answers, in order"),
  questions: z
    .record(z.string(), questionUse)
    .default({})
    .describe("what the values of a question are: pair, ranking, rating:0, thumb:0, edit:0, comment, span:0"),
});
/** What fields and questions of a file mean, where the file does not tell. */
export type ImportMapping = z.infer<typeof importMapping>;

/** Schema of ImportOptions, with what each is for. */
export const importOptions = z.strictObject({
  format: z
    .enum(["auto", ...importFormats])
    .default("auto")
    .describe("what the file is of"),
  by: z.enum(["people", "ai"]).default("people").describe("who judged, where the file does not say"),
  mapping: importMapping.prefault({}).describe("of Argilla and Label Studio: which field is what"),
  ratingScale: z
    .tuple([z.number(), z.number()])
    .refine(([low, high]) => low < high, "expected the smaller number first")
    .default([1, 5])
    .describe("least and most of ratings"),
  skipBadRows: z.int().min(0).default(0).describe("bad rows that are counted and passed over"),
});
/** How a file of judgements is read. */
export type ImportOptions = z.input<typeof importOptions>;
