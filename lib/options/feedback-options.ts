// The options of `attune feedback` and its commands. Must not import any room.

import { z } from "zod";
import { feedbackLoopOptions } from "./loop-options.js";
import { adapterOptions, commandOptions, machineOptions, option } from "./shared-options.js";

/** Kinds of rows that judgements become; the feedback room checks that it makes all of them. */
export const feedbackRowKinds = [
  "preference",
  "reward",
  "unpaired",
  "ranking",
  "rating",
  "prompt-completion",
  "critique",
  "segments",
] as const;
export const feedbackConsensusModes = ["soft", "majority", "each"] as const;
export const feedbackSelectors = ["random", "disagreement", "optimistic", "gap"] as const;
export const feedbackStyles = ["length", "lists", "headings", "bold"] as const;
export const feedbackRoles = ["owner", "annotator", "trainer", "reader"] as const;

const name = () => z.string().min(1).max(200);
const count = () => z.number().int();

/** A store and a project in it: what every command works on. */
const storeOptions = {
  store: option(
    z.string().min(1).default("./feedback"),
    "folder of the store, or the URL of a PostgreSQL database (postgres://user:password@host/database)",
    { group: "Files", value: "FOLDER|URL" },
  ),
  project: option(name().optional(), "id of the project (default: the only one of the store)", {
    group: "Project",
    value: "ID",
  }),
};

export const feedbackServeOptions = z.strictObject({
  ...storeOptions,
  name: option(name().optional(), "what people read as the name of a project that is new (default: its id)", {
    group: "Project",
    value: "TEXT",
  }),
  items: option(
    z.string().min(1).optional(),
    "file of items to add at the start; those that are there already are passed over",
    { group: "Files", value: "FILE" },
  ),
  guidelines: option(
    z.string().min(1).optional(),
    "text or Markdown that says how to judge; a text that has changed becomes a new version",
    { group: "Files", value: "FILE" },
  ),
  selector: option(
    z.enum(feedbackSelectors).optional(),
    "what is asked next, besides the random share (default: as the project has it; random where it is new)",
    { group: "Project" },
  ),
  demo: option(
    z.boolean().default(false),
    "a small project to look around in, with simulated people at work; without --store nothing of it is kept",
    { group: "Project" },
  ),
  demoRaters: option(count().min(0).max(20).default(3), "simulated people of the demo", {
    group: "Project",
    value: "N",
  }),
  policy: option(
    z.string().min(1).optional(),
    "train while people judge: Hugging Face folder or GGUF file to start from; needs --train, --prompts and --output",
    { group: "Training", value: "PATH" },
  ),
  train: option(z.enum(["dpo", "reward+ppo", "kto"]).optional(), "what each round of training does", {
    group: "Training",
  }),
  reward: option(
    z.string().min(1).optional(),
    "reward model that predicts judgements and chooses questions (default: the policy itself, or one that reward+ppo makes)",
    { group: "Training", value: "PATH" },
  ),
  prompts: option(
    z.array(z.string().min(1)).min(1).optional(),
    "rows whose prompts the policy answers, round and round; may be repeated",
    { group: "Prompts", value: "FILE" },
  ),
  output: option(z.string().min(1).optional(), "folder of the rounds of training", {
    group: "Files",
    value: "DIR",
  }),
  maxNewTokens: option(count().min(1).default(256), "tokens of an answer of the policy at most", {
    group: "Prompts",
    value: "N",
  }),
  temperature: option(
    z.number().positive().default(1),
    "how warm the policy answers; where answers to a prompt come out equal nobody can choose between them",
    { group: "Prompts", value: "X" },
  ),
  ...feedbackLoopOptions,
  adapterRank: adapterOptions.adapterRank,
  threads: machineOptions.threads,
  device: machineOptions.device,
  port: option(count().min(0).max(65_535).default(4173), "where to listen; 0 takes a free port", {
    group: "Network",
    value: "N",
  }),
  host: option(z.string().min(1).default("127.0.0.1"), "address to listen on; others need TLS in front", {
    group: "Network",
    value: "ADDRESS",
  }),
  publicUrl: option(
    z.string().min(1).optional(),
    "what browsers open where a server with TLS stands in front, such as https://feedback.example.com",
    { group: "Network", value: "URL" },
  ),
  allowInsecure: option(z.boolean().default(false), "let others reach it without TLS; they can read tokens", {
    group: "Network",
  }),
  allowPrivateWebhooks: option(
    z.boolean().default(false),
    "let webhooks tell addresses of this machine and its network, without TLS too",
    { group: "Network" },
  ),
  config: commandOptions.config,
  json: option(z.boolean().default(false), "print address and link as one JSON object on standard output", {
    group: "Output",
  }),
});

export type FeedbackServeSettings = z.output<typeof feedbackServeOptions>;

export const feedbackExportOptions = z.strictObject({
  ...storeOptions,
  kind: option(z.enum(feedbackRowKinds).default("preference"), "rows to make of the judgements", {
    group: "Rows",
  }),
  output: option(z.string().min(1).optional(), "new file to write (default: standard output)", {
    group: "Files",
    value: "FILE",
  }),
  split: option(
    z.enum(["train", "valid", "test"]).optional(),
    "rows of these prompts alone: train on train, choose on valid, leave test untouched (default: all)",
    { group: "Rows" },
  ),
  since: option(
    count().min(0).optional(),
    "rows of items of which something was said or taken back behind this event",
    {
      group: "Rows",
      value: "SEQ",
    },
  ),
  policy: option(name().optional(), "answers of this policy alone", { group: "Rows", value: "ID" }),
  consensus: option(
    z.enum(feedbackConsensusModes).default("soft"),
    "of pairs that several judged: one row with a soft label, one for what most say, or one of each judgement",
    { group: "Rows" },
  ),
  json: option(
    z.boolean().default(false),
    "with --output: print what was written as one JSON object on standard output",
    { group: "Output" },
  ),
});

export type FeedbackExportSettings = z.output<typeof feedbackExportOptions>;

export const feedbackImportFormats = [
  "auto",
  "hh",
  "summarize",
  "arena",
  "argilla",
  "label-studio",
  "rows",
  "items",
] as const;

export const feedbackImportOptions = z.strictObject({
  ...storeOptions,
  format: option(
    z.enum(feedbackImportFormats).default("auto"),
    "what the file is of (auto: what its first row looks like)",
    { group: "Rows" },
  ),
  by: option(z.enum(["people", "ai"]).default("people"), "who judged, where the file does not say", {
    group: "Rows",
  }),
  promptField: option(name().optional(), "of Argilla and Label Studio: field that holds the prompt", {
    group: "Rows",
    value: "NAME",
  }),
  answerFields: option(
    z.array(name()).min(1).optional(),
    "of Argilla and Label Studio: fields that hold the answers, in order",
    { group: "Rows", value: "NAMES", separator: "," },
  ),
  question: option(
    z.array(name()).min(1).optional(),
    "what the values of a question are, as NAME=USE: pair, ranking, rating:0, thumb:0, edit:0, comment, span:0, ignore; may be repeated",
    { group: "Rows", value: "NAME=USE" },
  ),
  ratingScale: option(z.array(z.number()).length(2).default([1, 5]), "least and most of ratings", {
    group: "Rows",
    value: "LOW,HIGH",
    separator: ",",
  }),
  skipBadRows: option(count().min(0).default(0), "bad rows that are counted and passed over", {
    group: "Rows",
    value: "N",
  }),
  json: option(z.boolean().default(false), "print what was imported as one JSON object", { group: "Output" }),
});

export type FeedbackImportSettings = z.output<typeof feedbackImportOptions>;

const draws = option(count().min(100).max(10_000).default(1000), "resamplings of the intervals", {
  group: "Evaluation",
  value: "N",
});

export const feedbackRatingsOptions = z.strictObject({
  ...storeOptions,
  draws,
  ties: option(
    z.enum(["half", "davidson"]).default("half"),
    "a tie is half a win for each, or has a chance of its own (Davidson)",
    { group: "Evaluation" },
  ),
  styles: option(
    z.array(z.enum(feedbackStyles)).min(1).optional(),
    "form that may have pleased, taken out of the ratings and shown",
    { group: "Evaluation", value: "NAMES", separator: "," },
  ),
  json: option(z.boolean().default(false), "print them as one JSON object", { group: "Output" }),
});

export type FeedbackRatingsSettings = z.output<typeof feedbackRatingsOptions>;

export const feedbackAgreementOptions = z.strictObject({
  ...storeOptions,
  draws,
  json: option(z.boolean().default(false), "print it as one JSON object", { group: "Output" }),
});

export type FeedbackAgreementSettings = z.output<typeof feedbackAgreementOptions>;

export const feedbackTokenOptions = z.strictObject({
  ...storeOptions,
  link: option(
    z.string().min(1).optional(),
    "the link that serve printed: asks the service that runs, whose folder no second process may open",
    { group: "Network", value: "URL" },
  ),
  role: option(z.enum(feedbackRoles).default("annotator"), "what the token may do", { group: "Project" }),
  annotator: option(
    name().optional(),
    "id of the person it belongs to, who is added where there is none; annotators need one",
    { group: "Project", value: "ID" },
  ),
  name: option(name().optional(), "what the person is called (default: the id)", {
    group: "Project",
    value: "TEXT",
  }),
  group: option(name().optional(), "the person's declared group", { group: "Project", value: "TEXT" }),
  days: option(z.number().positive().optional(), "days until it is over (default: it stays)", {
    group: "Project",
    value: "N",
  }),
  url: option(
    z.string().min(1).default("http://127.0.0.1:4173"),
    "address of the service, for the link that is printed; --link has its own",
    { group: "Network", value: "URL" },
  ),
  revoke: option(z.string().min(1).optional(), "end the token of this id instead of making one", {
    group: "Project",
    value: "TOKEN",
  }),
  list: option(z.boolean().default(false), "list the tokens instead of making one; secrets are not kept", {
    group: "Output",
  }),
  json: option(z.boolean().default(false), "print it as one JSON object", { group: "Output" }),
});

export type FeedbackTokenSettings = z.output<typeof feedbackTokenOptions>;

export const feedbackBackupOptions = z.strictObject({
  store: storeOptions.store,
  output: option(z.string().min(1), "new file to write; a restore is a folder that holds it as feedback.db", {
    group: "Files",
    value: "FILE",
  }),
  json: option(z.boolean().default(false), "print what was written as one JSON object", { group: "Output" }),
});

export const feedbackRebuildOptions = z.strictObject({
  store: storeOptions.store,
  json: option(z.boolean().default(false), "print the number of events as one JSON object", {
    group: "Output",
  }),
});
