// The options of `dpo`. Must not import any room.

import { z } from "zod";
import {
  fileOptions,
  loopOptions,
  machineOptions,
  option,
  outputOptions,
  rowOptions,
} from "./shared-options.js";

export const dpoOptions = z.strictObject({
  ...fileOptions,
  cache: option(
    z.string().min(1).optional(),
    'log-probs of the frozen reference: a folder shared between runs, or "off" to compute them at every visit ' +
      "(default: kept in the run's folder)",
    { group: "Files", value: "DIR|off" },
  ),
  ...loopOptions,
  learningRate: option(z.number().positive().default(1e-6), "peak learning rate of AdamW", {
    group: "Training",
    value: "X",
  }),
  beta: option(
    z.number().positive().default(0.1),
    "strength of the pull to the reference; small moves the policy further",
    { group: "Training", value: "X" },
  ),
  loss: option(z.enum(["sigmoid"]).default("sigmoid"), "loss of a pair", { group: "Training" }),
  labelSmoothing: option(
    z.number().min(0).lt(0.5).default(0),
    "share of pairs whose judgement is assumed to be the wrong way round",
    { group: "Training", value: "X" },
  ),
  ...rowOptions,
  truncate: option(
    z.boolean().default(false),
    "cut rows over max-length (the prompt's end and the completion's start stay) instead of dropping them",
    { group: "Rows" },
  ),
  ...machineOptions,
  ...outputOptions,
});

/** What `dpo` takes. */
export type DpoSettingsInput = z.input<typeof dpoOptions>;
/** The same with every default filled in. */
export type DpoSettings = z.output<typeof dpoOptions>;
