// The options of `attune generate`. Must not import any room.

import { z } from "zod";
import { commandOptions, machineOptions, option } from "./shared-options.js";

const number = (value: "N" | "X") => ({ group: "Sampling", value }) as const;

/** How tokens are chosen; the names and defaults of `model.generate`. */
export const samplingOptions = {
  maxNewTokens: option(z.number().int().min(1).default(128), "tokens of an answer at most", number("N")),
  temperature: option(
    z.number().min(0).default(1),
    "divides the logits: below 1 surer, above 1 more varied; 0 takes the likeliest token",
    number("X"),
  ),
  topK: option(z.number().int().min(0).default(0), "keep the k likeliest tokens; 0 keeps all", number("N")),
  topP: option(
    z.number().gt(0).max(1).default(1),
    "keep the likeliest tokens up to this probability; 1 keeps all",
    number("X"),
  ),
  minP: option(
    z.number().min(0).max(1).default(0),
    "keep tokens of at least this share of the likeliest one's probability; 0 keeps all",
    number("X"),
  ),
  repetitionPenalty: option(
    z.number().positive().default(1),
    "makes tokens that have occurred less likely when above 1",
    number("X"),
  ),
  stop: option(
    z.array(z.string().min(1)).optional(),
    "text that ends an answer and is left out of it; may be repeated",
    {
      group: "Sampling",
      value: "TEXT",
    },
  ),
  stopToken: option(
    z.array(z.string().min(1)).optional(),
    "token that ends an answer, by spelling or id, in place of the model's own; may be repeated",
    { group: "Sampling", value: "TOKEN" },
  ),
  samples: option(z.number().int().min(1).default(1), "answers to each prompt", number("N")),
  seed: option(z.number().int().min(0).default(0), "the same seed gives the same answers", number("N")),
  batchSize: option(z.number().int().min(1).default(32), "answers sampled at once", number("N")),
};

export const generateOptions = z.strictObject({
  model: option(z.string().min(1), "Hugging Face folder or GGUF file", { group: "Files", value: "PATH" }),
  adapter: option(z.string().min(1).optional(), "PEFT folder of an adapter for this model", {
    group: "Files",
    value: "DIR",
  }),
  prompt: option(z.array(z.string().min(1)).optional(), "a prompt; may be repeated", {
    group: "Prompts",
    value: "TEXT",
  }),
  prompts: option(
    z.string().min(1).optional(),
    "rows with a prompt (text, messages or ids), in any format that training reads",
    { group: "Prompts", value: "FILE" },
  ),
  chat: option(
    z.boolean().default(false),
    "talk with the model: a message per line of the terminal or of standard input; /help lists commands",
    { group: "Prompts" },
  ),
  system: option(
    z.string().min(1).optional(),
    "system message in front of every conversation; not beside texts that are continued as they are",
    {
      group: "Prompts",
      value: "TEXT",
    },
  ),
  chatTemplate: option(z.string().min(1).optional(), "Jinja file in place of the model's own chat template", {
    group: "Prompts",
    value: "FILE",
  }),
  applyChatTemplate: option(
    z.boolean().default(false),
    "make each text prompt a user message of the model's chat template; without it texts are continued as they are",
    { group: "Prompts" },
  ),
  ...samplingOptions,
  dtype: machineOptions.dtype,
  threads: machineOptions.threads,
  device: machineOptions.device,
  output: option(z.string().min(1).optional(), "JSON lines file for the answers; it must not exist yet", {
    group: "Output",
    value: "FILE",
  }),
  json: option(z.boolean().default(false), "print one JSON object per answer, with token ids and log-probs", {
    group: "Output",
  }),
  config: commandOptions.config,
});

/** What `attune generate` takes. */
export type GenerateSettings = z.output<typeof generateOptions>;
