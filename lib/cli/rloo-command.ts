// `attune rloo`: parse, call the library, print.

import type { Command } from "commander";
import { commandSchemas } from "../options/index.js";
import { type RlooOptions, rloo } from "../train/index.js";
import { onlineRows, onlineWatch } from "./online-help.js";
import type { Terminal } from "./terminal.js";
import { trainingCommand } from "./training-command.js";

const help = `${onlineRows}
The KL to the reference (the start, or --reference) is taken off each answer's score, times --beta: it keeps the policy near where
  it began, and so from answers that only the scorer likes. At 0 nothing does.
${onlineWatch}

Examples:
  attune rloo --model runs/sft/model --data prompts.jsonl --reward-model runs/reward/model --output runs/rloo --samples 4
  attune rloo --model runs/sft/model --data prompts.jsonl --reward-function rewards.mjs --output runs/rloo --adapter-rank 16`;

export function rlooCommand(terminal: Terminal, ended: (code: number) => void): Command {
  return trainingCommand({
    name: "rloo",
    summary: "learn from rewards of several answers per prompt (RLOO)",
    description:
      "Several answers to each prompt are scored, and each is compared with the mean of the others (RLOO): no value network.",
    help,
    schema: commandSchemas.rloo,
    start: (options) => rloo(options as unknown as RlooOptions),
    terminal,
    ended,
  });
}
