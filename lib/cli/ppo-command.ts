// `attune ppo`: parse, call the library, print.

import type { Command } from "commander";
import { commandSchemas } from "../options/index.js";
import { type PpoOptions, ppo } from "../train/index.js";
import { onlineRows, onlineWatch } from "./online-help.js";
import type { Terminal } from "./terminal.js";
import { trainingCommand } from "./training-command.js";

const help = `${onlineRows}
The KL to the reference (the start, or --reference): without it a policy finds answers that only the scorer likes.
  --beta X multiplies a penalty per token, 0 is none; --kl-target X lets it find the beta that keeps answers X nats away.
  The value network starts from --value-model, or the first reward model; with reward functions alone give --value-model policy.
  --ptx-data mixes pre-training texts into every update (PPO-ptx), so that other abilities stay.
${onlineWatch}

Examples:
  attune ppo --model runs/sft/model --data prompts.jsonl --reward-model runs/reward/model --output runs/ppo --batch-size 64
  attune ppo --model runs/sft/model --data prompts.jsonl --reward-model runs/reward/model --output runs/ppo --adapter-rank 16 \\
    --dtype bf16 --kl-target 6 --eval-data held-out.jsonl --gold-model runs/gold/model --eval-every 10
  attune ppo --model runs/sft/model --data prompts.jsonl --reward-function rewards.mjs --value-model policy --output runs/ppo`;

export function ppoCommand(terminal: Terminal, ended: (code: number) => void): Command {
  return trainingCommand({
    name: "ppo",
    summary: "learn from rewards of its own answers (PPO)",
    description:
      "RLHF proper: the policy answers prompts, the answers are scored, and PPO raises the score with a value network beside it.",
    help,
    schema: commandSchemas.ppo,
    start: (options) => ppo(options as unknown as PpoOptions),
    terminal,
    ended,
  });
}
