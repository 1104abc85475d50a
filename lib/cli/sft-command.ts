// `attune sft`: parse, call the library, print.

import { Command } from "commander";
import { commandSchemas } from "../options/index.js";
import { type SftOptions, sft } from "../train/index.js";
import { addFlags, givenOptions } from "./flags.js";
import type { Terminal } from "./terminal.js";
import { followTraining } from "./train-command.js";

const example = `
Rows (one JSON object per line, plain or gzipped):
  {"prompt": "Question: …\\nAnswer:", "completion": " …"}   the completion is learned
  {"text": "…"}                                            every token after the first is learned
  {"chosen": "…", "rejected": "…"}                         prompt and chosen are learned

Example:
  attune sft --model path/to/model --data demonstrations.jsonl --output runs/sft`;

export function sftCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("sft")
    .summary("imitate demonstrations (supervised fine-tuning)")
    .description("Supervised fine-tuning: the model learns to give the answers of your rows.")
    .addHelpText("after", example);
  addFlags(command, commandSchemas.sft);
  return command.action(async () => {
    const { given, resolved } = givenOptions(command, commandSchemas.sft);
    const { config: _, json: __, ...options } = given;
    const run = sft(options as unknown as SftOptions);
    ended(await followTraining({ run, terminal, json: resolved.json }));
  });
}
