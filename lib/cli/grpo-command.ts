// `attune grpo`: parse, call the library, print.

import type { Command } from "commander";
import { commandSchemas } from "../options/index.js";
import { type GrpoOptions, grpo } from "../train/index.js";
import { onlineRows, onlineWatch } from "./online-help.js";
import type { Terminal } from "./terminal.js";
import { trainingCommand } from "./training-command.js";

const help = `${onlineRows}
The KL to the reference (the start, or --reference) is part of the loss, times --beta, which is 0 by default: right for rewards
  that cannot be fooled, such as checked solutions. With a reward model give --beta 0.04 or so.
${onlineWatch}

Examples:
  attune grpo --model runs/sft/model --data problems.jsonl --reward-function check.mjs --output runs/grpo --samples 8
  attune grpo --model runs/sft/model --data prompts.jsonl --reward-model runs/reward/model --output runs/grpo --beta 0.04
  attune grpo --model runs/sft/model --data problems.jsonl --reward-function check.mjs --output runs/gspo --ratio sequence \\
    --clip-low 0.0003 --clip-high 0.0004`;

export function grpoCommand(terminal: Terminal, ended: (code: number) => void): Command {
  return trainingCommand({
    name: "grpo",
    summary: "learn from rewards of groups of answers (GRPO and kin)",
    description:
      "Groups of answers to each prompt are scored, and each is compared with its group (GRPO; Dr. GRPO, DAPO, GSPO, CISPO by options).",
    help,
    schema: commandSchemas.grpo,
    start: (options) => grpo(options as unknown as GrpoOptions),
    terminal,
    ended,
  });
}
