// Reads options from a YAML file and writes the resolved ones; keys are the flags' names without dashes in front.
// Must not import any room but errors.

import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import type { z } from "zod";
import { fail, reasonOf, unknownName } from "../errors/index.js";
import { checkOptions } from "./check-options.js";
import { notInFiles, optionTable } from "./option-table.js";

export interface ReadConfigRequest {
  readonly file: string;
  readonly schema: z.ZodObject;
  readonly command: string;
}

/**
 * The options of a YAML file by their names in code; values are checked when they are merged with the flags.
 * A switch that is on by default may be written either way: `shuffle: false` or `no-shuffle: true`.
 * @throws ATTUNE_FILE when it cannot be read, ATTUNE_CONFIG when it is no YAML map or holds an unknown key
 */
export function readConfigFile({ file, schema, command }: ReadConfigRequest): Record<string, unknown> {
  const map = readMap(file);
  const rows = optionTable(schema).filter(({ key }) => !notInFiles.has(key));
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(map)) {
    const row = rows.find((candidate) => candidate.name === name);
    const negated = rows.find((candidate) => candidate.default === true && `no-${candidate.name}` === name);
    if (negated !== undefined && negated.name in map) {
      throw fail("ATTUNE_CONFIG", `${file}: expected one of ${negated.name} and ${name} but found both.`);
    }
    if (row !== undefined) options[row.key] = value;
    else if (negated !== undefined && typeof value === "boolean") options[negated.key] = !value;
    else {
      const names = rows.map((candidate) => candidate.name);
      throw fail("ATTUNE_CONFIG", `${file}: ${unknownName(`key for ${command}:`, name, names)}`);
    }
  }
  checkGiven(file, schema, command, options);
  return options;
}

/** Checks the values that the file gives, so that an error names the file; missing ones may come from flags. */
function checkGiven(
  file: string,
  schema: z.ZodObject,
  command: string,
  options: Readonly<Record<string, unknown>>,
): void {
  try {
    checkOptions({ schema: schema.partial(), command, values: options, spelling: "yaml" });
  } catch (error) {
    throw fail("ATTUNE_CONFIG", `${file}: ${reasonOf(error)}`, { cause: error });
  }
}

function readMap(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw fail("ATTUNE_FILE", `Cannot read the configuration ${file}: ${reasonOf(error)}.`, { cause: error });
  }
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    throw fail("ATTUNE_CONFIG", `${file} is not valid YAML: ${reasonOf(error)}`, { cause: error });
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== "object" || Array.isArray(content)) {
    throw fail("ATTUNE_CONFIG", `${file}: expected a map of options, for example "epochs: 2".`);
  }
  return content as Record<string, unknown>;
}

/** The options as a YAML file that `--config` reads back. */
export function configText(
  schema: z.ZodObject,
  options: Readonly<Record<string, unknown>>,
  heading: string,
): string {
  const named: Record<string, unknown> = {};
  for (const row of optionTable(schema)) {
    if (options[row.key] !== undefined) named[row.name] = options[row.key];
  }
  return `# ${heading}\n${stringify(named)}`;
}
