// `attune reward`: parse, call the library, print.

import type { Command } from "commander";
import { commandSchemas } from "../options/index.js";
import { type RewardOptions, reward } from "../train/index.js";
import type { Terminal } from "./terminal.js";
import { trainingCommand } from "./training-command.js";

const help = `
Rows (one JSON object per line; text, or lists of messages where the model has a chat template):
  {"prompt": "…", "chosen": " …", "rejected": " …"}               label, margin and weight may stand beside them
  {"prompt": "…", "completions": [" …", " …", " …"], "ranks": [1, 3, 2]}
  {"prompt": "…", "completions": [" …", " …", " …"], "best": 0}
  {"prompt": "…", "completion": " …", "rating": 4, "axis": "helpful"}

Examples:
  attune reward --model runs/sft/model --data pairs.jsonl --eval-share 0.1 --output runs/reward
  attune reward --model runs/sft/model --data pairs.jsonl --heads 5 --output runs/ensemble
  attune reward --model runs/sft/model --data rankings.jsonl --adapter-rank 16 --dtype bf16 --output runs/reward`;

export function rewardCommand(terminal: Terminal, ended: (code: number) => void): Command {
  return trainingCommand({
    name: "reward",
    summary: "learn to score answers from pairs, rankings or ratings (reward model)",
    description: "Reward model: a head on the model learns to score answers as people judged them.",
    help,
    schema: commandSchemas.reward,
    start: (options) => reward(options as unknown as RewardOptions),
    terminal,
    ended,
  });
}
