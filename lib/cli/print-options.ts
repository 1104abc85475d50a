// `--print-config` and `--print-schema` of every command that takes `--config`. Must not know a command.

import type { Command } from "commander";
import type { z } from "zod";
import {
  type ConfiguredCommand,
  commandSchemas,
  configText,
  optionsJsonSchema,
  optionTable,
} from "../options/index.js";
import { givenOptions } from "./flags.js";
import type { Terminal } from "./terminal.js";

/** Prints the options where a flag asks for them, and says whether it did: the command then does nothing else. */
export function printOptions(name: ConfiguredCommand, command: Command, terminal: Terminal): boolean {
  if (command.getOptionValue("printSchema") === true) {
    terminal.stdout.write(`${JSON.stringify(optionsJsonSchema(name), undefined, 2)}\n`);
    return true;
  }
  if (command.getOptionValue("printConfig") !== true) return false;
  terminal.stdout.write(resolvedConfig(name, command));
  return true;
}

/** Every option with its value as a file for `--config`; what is still missing stands there as a comment. */
function resolvedConfig(name: ConfiguredCommand, command: Command): string {
  const schema = commandSchemas[name];
  const resolved: Record<string, unknown> = givenOptions(command, schema.partial() as z.ZodObject).resolved;
  const { config: _, json: __, printConfig: ___, printSchema: ____, ...values } = resolved;
  const missing = optionTable(schema).filter(({ key, required }) => required && !(key in values));
  const lines = missing.map((row) => `# ${row.name}: ${row.description}\n`);
  return `${configText(schema, values, `attune ${name} --config FILE`)}${lines.join("")}`;
}
