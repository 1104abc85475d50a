// Turns a table of options into commander's flags, and what was typed back into options.
// Must not know a command.

import { type Command, Option } from "commander";
import type { z } from "zod";
import { checkOptions, defaultText, type OptionRow, optionTable, readConfigFile } from "../options/index.js";
import { commandName } from "./command-name.js";

/** Adds one flag per option, under the headings of the schema. Defaults stay with the schema. */
export function addFlags(command: Command, schema: z.ZodObject): void {
  for (const row of optionTable(schema)) {
    command.addOption(flagOf(row));
    if (isEitherWay(row))
      command.addOption(new Option(`--no-${row.name}`, `not: ${row.description}`).helpGroup(`${row.group}:`));
  }
}

/** A switch without a default: what it is depends on other things unless somebody says so. */
function isEitherWay({ kind, default: standard, required }: OptionRow): boolean {
  return kind === "boolean" && standard === undefined && !required;
}

function flagOf(row: OptionRow): Option {
  const text = row.default === true ? `--no-${row.name}` : `--${row.name}`;
  const value = row.kind === "boolean" ? "" : ` <${row.value}>`;
  const standard =
    row.default === undefined || row.kind === "boolean" ? "" : ` (default: ${defaultText(row)})`;
  const needed = row.required ? " (required)" : "";
  const meaning = row.default === true ? `do not ${row.description}` : row.description;
  const flag = new Option(`${text}${value}`, `${meaning}${standard}${needed}`).helpGroup(`${row.group}:`);
  return row.kind === "list" ? flag.argParser(gather(row)) : flag;
}

/** Each use of the flag adds to the list. */
function gather({ separator }: OptionRow): (value: string, before: unknown) => readonly string[] {
  return (value, before) => {
    const values = separator === undefined ? [value] : value.split(separator).map((part) => part.trim());
    return [...(Array.isArray(before) ? (before as string[]) : []), ...values];
  };
}

export interface GivenOptions<Schema extends z.ZodObject> {
  /** What flags and configuration file give, by names in code. */
  readonly given: Readonly<Record<string, unknown>>;
  /** The same with defaults. */
  readonly resolved: z.output<Schema>;
}

/**
 * Options of a parsed command line: flags over the configuration file over defaults.
 * @throws ATTUNE_OPTION, ATTUNE_CONFIG or ATTUNE_FILE
 */
export function givenOptions<Schema extends z.ZodObject>(
  command: Command,
  schema: Schema,
): GivenOptions<Schema> {
  const rows = optionTable(schema);
  const name = commandName(command);
  const flags: Record<string, unknown> = {};
  for (const row of rows) {
    if (command.getOptionValueSource(row.key) !== "cli") continue;
    flags[row.key] = typed(row, command.getOptionValue(row.key));
  }
  const file = flags.config;
  const config = typeof file === "string" ? readConfigFile({ file, schema, command: name }) : {};
  const given = { ...config, ...flags };
  return { given, resolved: checkOptions({ schema, command: name, values: given, spelling: "flag" }) };
}

/** A number where a number is wanted; what is none stays text, and the check says so. */
function typed(row: OptionRow, value: unknown): unknown {
  if (row.kind !== "number" || typeof value !== "string") return value;
  const number = Number(value);
  return value.trim() === "" || Number.isNaN(number) ? value : number;
}
