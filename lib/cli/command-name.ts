// What a command is called on the command line: `dpo`, `feedback serve`. Pure.

import type { Command } from "commander";

/** With the names of the groups it stands in, without the program's. */
export function commandName(command: Command): string {
  const names: string[] = [];
  for (let one: Command | null = command; one !== null && one.parent !== null; one = one.parent)
    names.unshift(one.name());
  // A command that was not added to a program yet.
  return names.length === 0 ? command.name() : names.join(" ");
}
