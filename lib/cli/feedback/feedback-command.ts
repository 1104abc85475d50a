// `attune feedback`: the commands of the human side. Must not do any of their work.

import { Command } from "commander";
import { fail, unknownName } from "../../errors/index.js";
import type { Terminal } from "../terminal.js";
import { agreementCommand } from "./agreement-command.js";
import { backupCommand } from "./backup-command.js";
import { exportCommand } from "./export-command.js";
import { importCommand } from "./import-command.js";
import { ratingsCommand } from "./ratings-command.js";
import { rebuildCommand } from "./rebuild-command.js";
import { serveCommand } from "./serve-command.js";
import { tokenCommand } from "./token-command.js";

const help = `
From answers to rows that train, with people in between:
  1. attune feedback serve --items items.jsonl
       starts the service and prints the link to open; items.jsonl has on each line
       {"prompt": "…", "answers": [{"content": "…", "model": "a"}, {"content": "…", "model": "b"}]}
  2. attune feedback token --link LINK --annotator mia
       prints a link for Mia; the dashboard makes such links too
  3. attune feedback ratings; attune feedback agreement
       which model people prefer, and how far they agree beyond chance
  4. attune feedback export --kind preference --output pairs.jsonl
       rows for attune dpo and attune reward

  A folder is opened by one process at a time; a store in PostgreSQL (--store postgres://…) by many.

Examples:
  attune feedback serve --demo
  attune feedback serve --help`;

export function feedbackCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("feedback")
    .summary("people judge: the service, its links, ratings, agreement, rows")
    .description("People compare, rank, rate, mend and comment on answers; what they say becomes rows.")
    .helpCommand("help [command]", "explain a command of feedback")
    .addHelpText("after", help);
  const make = [
    serveCommand,
    tokenCommand,
    importCommand,
    exportCommand,
    ratingsCommand,
    agreementCommand,
    backupCommand,
    rebuildCommand,
  ];
  for (const create of make) command.addCommand(create(terminal, ended));
  return command.argument("[command]").action((name: string | undefined) => {
    if (name !== undefined) {
      const names = command.commands.map((one) => one.name());
      throw fail("ATTUNE_OPTION", unknownName("command of feedback", name, names));
    }
    command.outputHelp();
    throw fail("ATTUNE_OPTION", "Expected a command of feedback. The help above lists them.");
  });
}
