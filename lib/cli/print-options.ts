// `--print-config` and `--print-schema` of every command that takes `--config`. Must not know a command.

import type { Command } from "commander";
import type { z } from "zod";
import {
  type ConfiguredCommand,
  commandSchemas,
  configText,
  defaultText,
  notInFiles,
  type OptionRow,
  optionsJsonSchema,
  optionTable,
} from "../options/index.js";
import { givenOptions } from "./flags.js";
import type { Terminal } from "./terminal.js";

/** Options that no file needs. */
const onlyFlags: ReadonlySet<string> = new Set([...notInFiles, "json"]);

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

/** Every option with its value as a file for `--config`; what has none stands there as a comment. */
function resolvedConfig(name: ConfiguredCommand, command: Command): string {
  const schema = commandSchemas[name];
  const { given, resolved } = givenOptions(command, schema.partial() as z.ZodObject);
  const {
    config: _,
    json: __,
    printConfig: ___,
    printSchema: ____,
    ...known
  } = resolved as Record<string, unknown>;
  const values = { ...known };
  // A length that nobody asked for gives way to the model's positions; in a file it would be asked for.
  if (given.maxLength === undefined) delete values.maxLength;
  const rest = optionTable(schema).filter(({ key }) => !(key in values) && !onlyFlags.has(key));
  const comment = (row: OptionRow) => {
    const standard =
      row.default === undefined ? "" : ` (default: ${defaultText(row)}, or what the model holds)`;
    return `# ${row.name}: ${row.description}${standard}\n`;
  };
  const missing = rest.filter(({ required }) => required);
  const optional = rest.filter(({ required }) => !required);
  return [
    configText(schema, values, `attune ${name} --config FILE`),
    ...missing.map(comment),
    ...(optional.length === 0 ? [] : ["\n# Not set:\n"]),
    ...optional.map(comment),
  ].join("");
}
