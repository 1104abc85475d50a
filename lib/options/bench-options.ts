// The options of `attune bench`; the suites themselves are its arguments. Must not import any room.

import { z } from "zod";
import { machineOptions, option } from "./shared-options.js";

export const benchOptions = z.strictObject({
  trials: option(
    z.number().int().min(1).max(1000).default(3),
    "processes that measure each suite, one after the other in changing order; figures are medians over them",
    { group: "Machine", value: "N" },
  ),
  quick: option(
    z.boolean().default(false),
    "one small shape of each kind for a few milliseconds: shows that all of it runs, not how fast it is",
    { group: "Machine" },
  ),
  device: option(
    z.enum(["cpu", "cuda"]).default("cpu"),
    "what to measure; shares of a peak are shown for the CPU alone",
    { group: "Machine" },
  ),
  isa: option(
    z.string().min(1).optional(),
    "instruction set of the kernels, one of those that attune doctor lists (default: ATTUNE_ISA, else the best)",
    { group: "Machine", value: "NAME" },
  ),
  threads: machineOptions.threads,
  list: option(z.boolean().default(false), "name the suites, and do nothing else", { group: "Output" }),
  json: option(
    z.boolean().default(false),
    "print machine, peaks and rows as one JSON object on standard output",
    { group: "Output" },
  ),
});

export type BenchSettings = z.output<typeof benchOptions>;
