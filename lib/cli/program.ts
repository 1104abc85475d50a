// The command line as a function: arguments in, exit code out. Must not touch the process: main.ts does.

import { Command, CommanderError } from "commander";
import { fail, unknownName } from "../errors/index.js";
import { attuneVersion } from "../train/index.js";
import { doctorCommand } from "./doctor-command.js";
import { dpoCommand } from "./dpo-command.js";
import { quickstartCommand } from "./quickstart-command.js";
import { exitCodes, reportError } from "./report-error.js";
import { sftCommand } from "./sft-command.js";
import type { Terminal } from "./terminal.js";

const introduction = `
How it goes:
  1. attune quickstart                       see the whole job on a toy world
  2. attune sft --model M --data demonstrations.jsonl --output runs/sft
                                             teach a model by showing good answers
  3. attune dpo --model runs/sft/model --data pairs.jsonl --output runs/dpo
                                             let it prefer the better of two answers
  The trained model is in OUTPUT/model, the metrics of every step in OUTPUT/metrics.jsonl.

  attune COMMAND --help explains the options of a command; all of them may stand in a YAML file (--config).
  Exit codes: 0 done, 1 failed, 2 wrong usage or data, 130 interrupted after saving.`;

/** Runs one command line (without node and script) and returns its exit code; every error has been reported. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = exitCodes.done;
  const program = createProgram(terminal, (ended) => {
    code = ended;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    return reportError(explained(error, program, args), terminal);
  }
}

function createProgram(terminal: Terminal, ended: (code: number) => void): Command {
  const program = new Command("attune")
    .description("RLHF for Node.js: takes a language model from human judgements to aligned weights.")
    .version(attuneVersion)
    .addHelpText("after", introduction);
  const make = [quickstartCommand, sftCommand, dpoCommand, doctorCommand];
  for (const create of make) program.addCommand(create(terminal, ended));
  for (const command of [program, ...program.commands]) {
    command.exitOverride().showSuggestionAfterError(false);
    command.configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      // The error is rendered once, by reportError.
      writeErr: () => undefined,
      getOutHelpWidth: () => terminal.stdout.columns ?? 110,
    });
  }
  return program.action(() => {
    terminal.stdout.write(program.helpInformation());
    throw fail("ATTUNE_OPTION", "Expected a command. The help above lists them.");
  });
}

/** Commander's own errors in our words: unknown names with the nearest one, everything with a way out. */
function explained(error: unknown, program: Command, args: readonly string[]): unknown {
  if (!(error instanceof CommanderError) || error.exitCode === 0) return error;
  const command = program.commands.find((candidate) => candidate.name() === args[0]);
  const quoted = /'([^']+)'/.exec(error.message)?.[1] ?? "";
  if (error.code === "commander.unknownOption") {
    const flags = [...(command ?? program).options.map(({ long }) => long ?? ""), "--help"];
    const kind = command === undefined ? "option:" : `option for ${command.name()}:`;
    return fail("ATTUNE_OPTION", unknownName(kind, quoted, flags));
  }
  if (error.code === "commander.excessArguments" && command !== undefined) {
    const extra = command.args.map((argument) => JSON.stringify(argument)).join(" ");
    return fail(
      "ATTUNE_OPTION",
      `Expected only options behind ${command.name()} but received ${extra}. Every value needs its flag: see attune ${command.name()} --help.`,
    );
  }
  if (error.code === "commander.optionMissingArgument") {
    const [flag = "", value = "a value"] = quoted.split(" ");
    return fail("ATTUNE_OPTION", `Expected ${flag} to be followed by ${value} but nothing stands behind it.`);
  }
  if (command === undefined && args[0] !== undefined && !args[0].startsWith("-")) {
    const names = program.commands.map((candidate) => candidate.name());
    return fail("ATTUNE_OPTION", unknownName("command", args[0], names));
  }
  return error;
}
