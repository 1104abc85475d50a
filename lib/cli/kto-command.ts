// `attune kto`: parse, call the library, print.

import type { Command } from "commander";
import { commandSchemas } from "../options/index.js";
import { type KtoOptions, kto } from "../train/index.js";
import type { Terminal } from "./terminal.js";
import { trainingCommand } from "./training-command.js";

const help = `
Rows (one JSON object per line; text, or lists of messages where the model has a chat template):
  {"prompt": "…", "completion": " …", "label": true}      a good answer; false: a bad one
  {"prompt": "…", "chosen": " …", "rejected": " …"}       a pair: a good answer and a bad one

Examples:
  attune kto --model path/to/model --data thumbs.jsonl --output runs/kto
  attune kto --model path/to/model --data thumbs.jsonl --output runs/kto --adapter-rank 16 --dtype bf16
  attune kto --model path/to/model --data thumbs.jsonl --output runs/kto --resume`;

export function ktoCommand(terminal: Terminal, ended: (code: number) => void): Command {
  return trainingCommand({
    name: "kto",
    summary: "learn from thumbs up and down (KTO)",
    description: "Learning from single answers that people called good or bad, such as thumbs up and down.",
    help,
    schema: commandSchemas.kto,
    start: (options) => kto(options as unknown as KtoOptions),
    terminal,
    ended,
  });
}
