// `attune feedback backup`: a copy of an embedded store as it is at one moment. Must not know how.

import { existsSync, statSync } from "node:fs";
import { Command } from "commander";
import { fail } from "../../errors/index.js";
import { backupEmbeddedStore } from "../../feedback/index.js";
import { commandSchemas } from "../../options/index.js";
import { addFlags, givenOptions } from "../flags.js";
import { bytes } from "../format.js";
import { exitCodes } from "../report-error.js";
import type { Terminal } from "../terminal.js";
import { isUrl } from "./with-store.js";

const help = `
To restore, put the file into a new folder under the name feedback.db, and see that the log folds to what was shown:
  mkdir restored && cp backup.db restored/feedback.db && attune feedback rebuild --store restored
The service may run meanwhile. A store in PostgreSQL is backed up with pg_dump.

Example:
  attune feedback backup --output backup.db`;

export function backupCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const schema = commandSchemas["feedback backup"];
  const command = new Command("backup")
    .summary("copy an embedded store into one file")
    .description(
      "Writes the whole store, as it is at one moment, into one new file; also while the service runs.",
    )
    .addHelpText("after", help);
  addFlags(command, schema);
  return command.action(async () => {
    const { store: place, output, json } = givenOptions(command, schema).resolved;
    if (existsSync(output))
      throw fail(
        "ATTUNE_OUTPUT_EXISTS",
        `Expected --output to be a new file but ${output} exists. Choose another.`,
      );
    if (isUrl(place))
      throw fail("ATTUNE_OPTION", "Expected --store to be a folder. Back up PostgreSQL with pg_dump.");
    await backupEmbeddedStore(place, output);
    const { size } = statSync(output);
    terminal.stdout.write(
      json ? `${JSON.stringify({ output, bytes: size })}\n` : `${output}: ${bytes(size)}\n`,
    );
    ended(exitCodes.done);
  });
}
