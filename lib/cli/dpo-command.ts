// `attune dpo`: parse, call the library, print.

import { Command } from "commander";
import { commandSchemas } from "../options/index.js";
import { type DpoOptions, dpo } from "../train/index.js";
import { addFlags, givenOptions } from "./flags.js";
import type { Terminal } from "./terminal.js";
import { followTraining } from "./train-command.js";

const example = `
Rows (one JSON object per line, plain or gzipped):
  {"prompt": "…", "chosen": " …", "rejected": " …"}
  {"chosen": "…", "rejected": "…"}     whole transcripts; what both share is the prompt

Example:
  attune dpo --model path/to/model --data pairs.jsonl --output runs/dpo --beta 0.1`;

export function dpoCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("dpo")
    .summary("learn from preference pairs (direct preference optimisation)")
    .description(
      "Direct preference optimisation: the model learns to prefer the chosen answers of your pairs.",
    )
    .addHelpText("after", example);
  addFlags(command, commandSchemas.dpo);
  return command.action(async () => {
    const { given, resolved } = givenOptions(command, commandSchemas.dpo);
    const { config: _, json: __, ...options } = given;
    const run = dpo(options as unknown as DpoOptions);
    ended(await followTraining({ run, terminal, json: resolved.json }));
  });
}
