// The command line as a function: arguments in, exit code out. Must not touch the process: main.ts does.

import { Command, CommanderError } from "commander";
import { fail, unknownName } from "../errors/index.js";
import { attuneVersion } from "../train/index.js";
import { benchCommand } from "./bench-command.js";
import { buildCommand } from "./build-command.js";
import { commandName } from "./command-name.js";
import { convertCommand } from "./convert-command.js";
import { doctorCommand } from "./doctor-command.js";
import { dpoCommand } from "./dpo-command.js";
import { evaluateCommand } from "./evaluate-command.js";
import { feedbackCommand } from "./feedback/feedback-command.js";
import { generateCommand } from "./generate-command.js";
import { grpoCommand } from "./grpo-command.js";
import { helpLayout } from "./help-layout.js";
import { ktoCommand } from "./kto-command.js";
import { onlineDpoCommand } from "./online-dpo-command.js";
import { ppoCommand } from "./ppo-command.js";
import { quickstartCommand } from "./quickstart-command.js";
import { reportCommand } from "./report-command.js";
import { exitCodes, reportError } from "./report-error.js";
import { rewardCommand } from "./reward-command.js";
import { rlooCommand } from "./rloo-command.js";
import { scoreCommand } from "./score-command.js";
import { sftCommand } from "./sft-command.js";
import type { Terminal } from "./terminal.js";

const introduction = `
From a file of pairs to a model that talks (M is a Hugging Face folder or a GGUF file):
  1. attune doctor
       says what this machine can do; attune quickstart shows the whole job on a toy world, without any file
  2. attune dpo --model M --data pairs.jsonl --adapter-rank 16 --dtype bf16 --output runs/dpo
       pairs.jsonl has a {"prompt": "…", "chosen": " …", "rejected": " …"} on each line.
       Ctrl-C saves; the same line with --resume goes on. Without --adapter-rank the whole model is trained.
  3. attune generate --model M --adapter runs/dpo/model --chat
       a conversation with the tuned model
  4. attune convert --model M --adapter runs/dpo/model --output tuned
       merges the adapter: transformers loads the folder "tuned", and so does --model tuned
  Where you have good answers rather than pairs, or before the pairs:
     attune sft --model M --data demonstrations.jsonl --output runs/sft
  Where people only gave thumbs up and down ({"prompt": "…", "completion": " …", "label": true}):
     attune kto --model M --data thumbs.jsonl --output runs/kto
  A model that scores answers, from pairs, rankings or ratings; and how good a model is on rows nobody trained on:
     attune reward --model M --data rankings.jsonl --output runs/reward
     attune evaluate --model tuned --data eval.jsonl --reference M --output runs/dpo/evaluation.json
  A model that learns from answers of its own, which that model scores, or a function of yours:
     attune ppo --model M --data prompts.jsonl --reward-model runs/reward/model --output runs/ppo
     attune grpo --model M --data prompts.jsonl --reward-function rewards.mjs --output runs/grpo
  People who compare, rank, rate and mend answers in the browser, and rows of what they say:
     attune feedback serve --demo
     attune feedback export --kind preference --output pairs.jsonl

  OUTPUT/report.html shows how a run went; attune report RUN… compares several, and shows evaluations that lie in RUN.
  OUTPUT/metrics.jsonl has every step.
  All options may stand in a YAML file (--config FILE; --print-config writes one). attune help COMMAND explains a
  command, with examples.
  Exit codes: 0 done, 1 failed, 2 wrong usage or data, 130 interrupted after saving.`;

/** Runs one command line (without node and script) and returns its exit code; every error has been reported. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = exitCodes.done;
  const program = createProgram(terminal, (ended) => {
    code = ended;
  });
  try {
    // Commander's own help knows commands of the first level alone.
    const [first, ...names] = args;
    await program.parseAsync(first === "help" && names.length > 1 ? [...names, "--help"] : args, {
      from: "user",
    });
    return code;
  } catch (error) {
    return reportError(explained(error, program, args), terminal);
  }
}

function createProgram(terminal: Terminal, ended: (code: number) => void): Command {
  const program = new Command("attune")
    .description("RLHF for Node.js: takes a language model from human judgements to aligned weights.")
    .version(attuneVersion)
    .helpCommand("help [command]", "explain a command")
    .addHelpText("after", introduction);
  const make = [
    quickstartCommand,
    sftCommand,
    dpoCommand,
    ktoCommand,
    rewardCommand,
    ppoCommand,
    rlooCommand,
    grpoCommand,
    onlineDpoCommand,
    generateCommand,
    evaluateCommand,
    scoreCommand,
    feedbackCommand,
    reportCommand,
    convertCommand,
    benchCommand,
    doctorCommand,
    buildCommand,
  ];
  for (const create of make) program.addCommand(create(terminal, ended));
  for (const command of [
    program,
    ...program.commands,
    ...program.commands.flatMap(({ commands }) => commands),
  ]) {
    command.exitOverride().showSuggestionAfterError(false);
    command.configureHelp(helpLayout);
    command.configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      // The error is rendered once, by reportError.
      writeErr: () => undefined,
      getOutHelpWidth: () => terminal.stdout.columns ?? 110,
    });
  }
  return program.action(() => {
    program.outputHelp();
    throw fail("ATTUNE_OPTION", "Expected a command. The help above lists them.");
  });
}

/** Commander's own errors in our words: unknown names with the nearest one, everything with a way out. */
function explained(error: unknown, program: Command, args: readonly string[]): unknown {
  if (!(error instanceof CommanderError) || error.exitCode === 0) return error;
  const names = args[0] === "help" ? args.slice(1) : args;
  const [name] = names;
  const group = program.commands.find((candidate) => candidate.name() === name);
  const command = group?.commands.find((candidate) => candidate.name() === names[1]) ?? group;
  const quoted = /'([^']+)'/.exec(error.message)?.[1] ?? "";
  if (error.code === "commander.unknownOption") {
    const flags = [...(command ?? program).options.map(({ long }) => long ?? ""), "--help"];
    const kind = command === undefined ? "option:" : `option for ${commandName(command)}:`;
    return fail("ATTUNE_OPTION", unknownName(kind, quoted, flags));
  }
  if (error.code === "commander.excessArguments" && command !== undefined) {
    const extra = command.args.map((argument) => JSON.stringify(argument)).join(" ");
    return fail(
      "ATTUNE_OPTION",
      `Expected only options behind ${commandName(command)} but received ${extra}. Every value needs its flag: see attune ${commandName(command)} --help.`,
    );
  }
  if (error.code === "commander.optionMissingArgument") {
    const [flag = "", value = "a value"] = quoted.split(" ");
    return fail("ATTUNE_OPTION", `Expected ${flag} to be followed by ${value} but nothing stands behind it.`);
  }
  if (command === undefined && name !== undefined && !name.startsWith("-")) {
    const names = program.commands.map((candidate) => candidate.name());
    return fail("ATTUNE_OPTION", unknownName("command", name, names));
  }
  return error;
}
