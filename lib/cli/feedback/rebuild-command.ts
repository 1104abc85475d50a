// `attune feedback rebuild`: folds the log again. Must not know how.

import { Command } from "commander";
import { commandSchemas } from "../../options/index.js";
import { addFlags, givenOptions } from "../flags.js";
import { grouped } from "../format.js";
import { exitCodes } from "../report-error.js";
import type { Terminal } from "../terminal.js";
import { withStore } from "./with-store.js";

const help = `
What the service shows is folded from the log of events, which is the truth. This drops what was folded and folds the log
again: nothing is lost by it, and nothing should change.

Examples:
  attune feedback rebuild
  attune feedback rebuild --store restored`;

export function rebuildCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const schema = commandSchemas["feedback rebuild"];
  const command = new Command("rebuild")
    .summary("fold the store's log again")
    .description("Makes everything that is folded from the log new, such as after a restore.")
    .addHelpText("after", help);
  addFlags(command, schema);
  return command.action(async () => {
    const { store: place, json } = givenOptions(command, schema).resolved;
    const events = await withStore(place, (store) => store.rebuild());
    terminal.stdout.write(
      json ? `${JSON.stringify({ events })}\n` : `${grouped(events)} events folded again\n`,
    );
    ended(exitCodes.done);
  });
}
