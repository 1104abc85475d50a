// The options of a feedback loop: when it trains, on what, and when it stops. Must not import any room.

import { z } from "zod";
import { option, loopOptions as trainerOptions } from "./shared-options.js";

const training = { group: "Training", value: "N" } as const;

/** As they stand in a command's schema. */
export const feedbackLoopOptions = {
  trainAfter: option(
    z.number().int().min(1).default(100),
    "judgements of training prompts that begin a round of training; what comes meanwhile waits for the next",
    training,
  ),
  queue: option(
    z.number().int().min(0).default(200),
    "items of the newest policy that are kept open; where there are fewer, it answers more prompts",
    { group: "Prompts", value: "N" },
  ),
  answers: option(z.number().int().min(1).max(16).default(2), "answers of one item", {
    group: "Prompts",
    value: "N",
  }),
  replay: option(
    z.number().min(0).default(1),
    "older rows, drawn uniformly, for each new one of a round; a round that restarts takes all",
    { group: "Rows", value: "X" },
  ),
  restart: option(
    z.boolean().default(false),
    "begin each round at the first policy, on all rows, rather than at the newest one",
    { group: "Training" },
  ),
  dropStale: option(
    z.boolean().default(false),
    "leave out rows of policies that are more than the project's maxLag behind the newest one",
    { group: "Rows" },
  ),
  closeStale: option(
    z.boolean().default(true),
    "close open items of such policies that nobody has judged or is judging",
    { group: "Prompts" },
  ),
  stopRule: option(
    z.boolean().default(true),
    "end training when people prefer the best policy so far to two later ones running, or the KL is over its budget",
    { group: "Evaluation" },
  ),
  goldVotes: option(
    z.number().int().min(2).default(30),
    "judgements on validation prompts that such a comparison needs at least",
    { group: "Evaluation", value: "N" },
  ),
  klBudget: option(
    z.number().positive().default(50),
    "nats per answer that a policy may be away from the first one",
    { group: "Evaluation", value: "X" },
  ),
  settleMs: option(
    z.number().min(0).default(250),
    "milliseconds before news are looked at, so that many judgements are one look",
    { group: "Machine", value: "N" },
  ),
  seed: trainerOptions.seed,
};

export const loopSettings = z.strictObject(feedbackLoopOptions);
export type LoopSettings = z.output<typeof loopSettings>;
export type LoopSettingsInput = z.input<typeof loopSettings>;
