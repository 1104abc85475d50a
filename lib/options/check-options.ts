// Checks options against their schema and explains the first thing that is wrong, with the nearest name.
// Must not import any room but errors.

import type { z } from "zod";
import { type AttuneError, fail, unknownName } from "../errors/index.js";
import { defaultText, type OptionRow, optionTable } from "./option-table.js";

/** How names are spelled where the options came from: `learningRate` in code, `--learning-rate` as a flag. */
export type Spelling = "code" | "flag" | "yaml";

export interface CheckRequest<Schema extends z.ZodObject> {
  readonly schema: Schema;
  /** `sft`, `dpo`: named in errors about unknown options. */
  readonly command: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly spelling?: Spelling;
}

/** The name of an option as the person wrote it. */
export function spelled(row: OptionRow, spelling: Spelling): string {
  if (spelling === "code") return row.key;
  return spelling === "flag" ? `--${row.name}` : row.name;
}

/**
 * The options with defaults filled in.
 * @throws ATTUNE_OPTION for an unknown name, a missing option or a value that is not allowed
 */
export function checkOptions<Schema extends z.ZodObject>(request: CheckRequest<Schema>): z.output<Schema> {
  const { schema, command, values, spelling = "code" } = request;
  const rows = optionTable(schema);
  for (const key of Object.keys(values)) {
    if (rows.some((row) => row.key === key)) continue;
    const names = rows.map((row) => spelled(row, spelling));
    throw fail("ATTUNE_OPTION", unknownName(`option for ${command}:`, key, names));
  }
  const present = Object.fromEntries(
    rows.filter(({ key }) => values[key] !== undefined).map((row) => [row.key, listed(row, values[row.key])]),
  );
  const parsed = schema.safeParse(present);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues[0]?.path[0];
  const row = rows.find((candidate) => candidate.key === wrong);
  if (row === undefined) throw fail("ATTUNE_OPTION", parsed.error.message, { cause: parsed.error });
  throw wrongValue(row, present[row.key], command, spelling);
}

/** A list may be given as one text or number, and its numbers as texts. */
function listed({ kind, items, separator }: OptionRow, value: unknown): unknown {
  if (kind !== "list") return value;
  if (typeof value === "number") return [value];
  const parts =
    typeof value !== "string"
      ? value
      : separator === undefined
        ? [value]
        : value.split(separator).map((part) => part.trim());
  return items === "number" && Array.isArray(parts) ? parts.map(numbered) : parts;
}

/** What is no number stays as it is, and the check says so. */
function numbered(value: unknown): unknown {
  const number = Number(value);
  return typeof value !== "string" || value === "" || Number.isNaN(number) ? value : number;
}

function wrongValue(row: OptionRow, value: unknown, command: string, spelling: Spelling): AttuneError {
  const name = spelled(row, spelling);
  if (value === undefined) {
    return fail("ATTUNE_OPTION", `${command} needs ${name}: ${row.description}.`, {
      details: { option: row.name },
    });
  }
  const hint = row.default === undefined ? "" : ` Default: ${defaultText(row)}.`;
  return fail(
    "ATTUNE_OPTION",
    `Expected ${name} to be ${row.expected} but received ${shown(value)}.${hint}`,
    {
      details: { option: row.name, received: value },
    },
  );
}

function shown(value: unknown): string {
  if (Array.isArray(value) && value.length === 1 && value[0] !== "") return shown(value[0]);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return JSON.stringify(value) ?? String(value);
}
