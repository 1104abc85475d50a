// `attune online-dpo`: parse, call the library, print.

import type { Command } from "commander";
import { commandSchemas } from "../options/index.js";
import { type OnlineDpoOptions, onlineDpo } from "../train/index.js";
import { onlineRows, onlineWatch } from "./online-help.js";
import type { Terminal } from "./terminal.js";
import { trainingCommand } from "./training-command.js";

const help = `${onlineRows}
The KL to the reference (the start, or --reference) is kept small by the loss itself: --beta X, where small moves further.
  Prompts whose answers all score the same make no pair and are counted.
${onlineWatch}

Examples:
  attune online-dpo --model runs/sft/model --data prompts.jsonl --reward-model runs/reward/model --output runs/online
  attune online-dpo --model runs/sft/model --data prompts.jsonl --reward-function rewards.mjs --output runs/ipo --loss ipo --samples 4`;

export function onlineDpoCommand(terminal: Terminal, ended: (code: number) => void): Command {
  return trainingCommand({
    name: "online-dpo",
    summary: "learn from pairs of its own answers (online DPO, IPO)",
    description:
      "The policy answers each prompt several times; the best and the worst answer by score make the pair that a loss of dpo learns from.",
    help,
    schema: commandSchemas["online-dpo"],
    start: (options) => onlineDpo(options as unknown as OnlineDpoOptions),
    terminal,
    ended,
  });
}
