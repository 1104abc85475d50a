// The options of `attune convert`. Must not import any room.

import { z } from "zod";
import { commandOptions, machineOptions, option } from "./shared-options.js";

export const convertOptions = z.strictObject({
  model: option(z.string().min(1), "Hugging Face folder or GGUF file to read", {
    group: "Files",
    value: "PATH",
  }),
  adapter: option(z.string().min(1).optional(), "PEFT folder that is merged into the weights", {
    group: "Files",
    value: "DIR",
  }),
  output: option(z.string().min(1), "Hugging Face folder to write; it must not exist yet, or be empty", {
    group: "Files",
    value: "DIR",
  }),
  split: option(
    z.boolean().default(false),
    "with an adapter: write base and adapter apart, into OUTPUT/base and OUTPUT/adapter, instead of merging them",
    { group: "Files" },
  ),
  dtype: option(z.enum(["fp32", "bf16"]).default("fp32"), "number format of the weights that are written", {
    group: "Machine",
  }),
  threads: machineOptions.threads,
  json: commandOptions.json,
});

/** What `attune convert` takes. */
export type ConvertSettings = z.output<typeof convertOptions>;

/** Options of `attune build`. */
export const buildOptions = z.strictObject({
  tool: option(
    z.enum(["cmake", "gyp"]).optional(),
    "build with cmake-js or with node-gyp (default: cmake-js where CMake is installed)",
    { group: "Machine" },
  ),
});
