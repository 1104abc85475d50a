// `attune dpo`: parse, call the library, print.

import type { Command } from "commander";
import { commandSchemas } from "../options/index.js";
import { type DpoOptions, dpo } from "../train/index.js";
import type { Terminal } from "./terminal.js";
import { trainingCommand } from "./training-command.js";

const help = `
Rows (one JSON object per line; text, or lists of messages where the model has a chat template):
  {"prompt": "…", "chosen": " …", "rejected": " …"}
  {"chosen": "…", "rejected": "…"}     whole transcripts; what both share is the prompt
  {"prompt": "…", "completions": [" …", " …", " …"], "ranks": [1, 2, 2]}     a ranking, for the losses of rankings

Examples:
  attune dpo --model path/to/model --data pairs.jsonl --output runs/dpo --beta 0.1
  attune dpo --model path/to/model --data pairs.jsonl --output runs/dpo --adapter-rank 16 --dtype bf16
  attune dpo --model path/to/model --data pairs.jsonl --output runs/ipo --loss ipo --beta 0.5
  attune dpo --model path/to/model --data pairs.jsonl --output runs/mix --loss sigmoid,sft --loss-weights 1,0.1
  attune dpo --model path/to/model --data rankings.jsonl --output runs/ranked --loss plackett-luce
  attune dpo --model path/to/model --data pairs.jsonl --output runs/dpo --resume`;

export function dpoCommand(terminal: Terminal, ended: (code: number) => void): Command {
  return trainingCommand({
    name: "dpo",
    summary: "learn from preference pairs or rankings (direct preference optimisation)",
    description:
      "Direct preference optimisation and its kin: the model learns to prefer the better answers of your pairs or rankings.",
    help,
    schema: commandSchemas.dpo,
    start: (options) => dpo(options as unknown as DpoOptions),
    terminal,
    ended,
  });
}
