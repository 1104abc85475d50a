// `attune sft`: parse, call the library, print.

import type { Command } from "commander";
import { commandSchemas } from "../options/index.js";
import { type SftOptions, sft } from "../train/index.js";
import type { Terminal } from "./terminal.js";
import { trainingCommand } from "./training-command.js";

const help = `
Rows (one JSON object per line; text, or lists of messages where the model has a chat template):
  {"prompt": "…", "completion": " …"}    the completion is learned
  {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
  {"text": "…"}                          every token is learned
  {"prompt": "…", "chosen": " …", "rejected": " …"}    the chosen answer is learned

Examples:
  attune sft --model path/to/model --data demonstrations.jsonl --output runs/sft --epochs 2
  attune sft --model path/to/model --data rows/ --output runs/sft --adapter-rank 16 --dtype bf16
  attune sft --model path/to/model --data rows/ --output runs/sft --resume`;

export function sftCommand(terminal: Terminal, ended: (code: number) => void): Command {
  return trainingCommand({
    name: "sft",
    summary: "learn from demonstrations (supervised fine-tuning)",
    description: "Supervised fine-tuning: the model learns to give the answers in your rows.",
    help,
    schema: commandSchemas.sft,
    start: (options) => sft(options as unknown as SftOptions),
    terminal,
    ended,
  });
}
