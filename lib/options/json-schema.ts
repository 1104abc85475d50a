// The options of a command as a JSON Schema, for editors and programs that write configuration files.
// Must not import any room.

import { z } from "zod";
import { commandSchemas } from "./command-schemas.js";
import { dashedName, notInFiles, optionTable } from "./option-table.js";

/** Keys are those of the YAML file: the flags' names without dashes in front; none is required, flags may give the rest. */
export function optionsJsonSchema(command: keyof typeof commandSchemas): Readonly<Record<string, unknown>> {
  const schema = commandSchemas[command] as z.ZodObject;
  const whole = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  const rows = optionTable(schema);
  const properties: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(whole.properties ?? {})) {
    const row = rows.find((candidate) => candidate.key === key);
    if (row === undefined || notInFiles.has(key)) continue;
    properties[dashedName(key)] = { ...described(property), description: row.description };
    // A switch that is on by default may be written either way.
    if (row.default === true)
      properties[`no-${row.name}`] = { type: "boolean", description: `not: ${row.description}` };
  }
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: `options of attune ${command}`,
    type: "object",
    additionalProperties: false,
    properties,
  };
}

/** What the command line adds for help (heading, word for the value) is no part of a schema. */
function described(property: unknown): Record<string, unknown> {
  const { group: _, value: __, separator: ___, ...kept } = property as Record<string, unknown>;
  // A list may be written as one text.
  if (kept.type !== "array") return kept;
  return { anyOf: [kept, kept.items] };
}
