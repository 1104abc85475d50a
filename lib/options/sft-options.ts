// The options of `sft`. Must not import any room.

import { z } from "zod";
import {
  fileOptions,
  loopOptions,
  machineOptions,
  option,
  outputOptions,
  rowOptions,
} from "./shared-options.js";

export const sftOptions = z.strictObject({
  ...fileOptions,
  ...loopOptions,
  learningRate: option(z.number().positive().default(2e-5), "peak learning rate of AdamW", {
    group: "Training",
    value: "X",
  }),
  format: option(
    z.enum(["auto", "text", "prompt-completion", "preference"]).default("auto"),
    "what the rows are; auto tells it from the columns of the first one; of a preference row prompt and chosen are used",
    { group: "Rows" },
  ),
  ...rowOptions,
  ...machineOptions,
  ...outputOptions,
});

/** What `sft` takes. */
export type SftSettingsInput = z.input<typeof sftOptions>;
/** The same with every default filled in. */
export type SftSettings = z.output<typeof sftOptions>;
