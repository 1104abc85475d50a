// Renders options as Markdown tables for the docs, from the schema alone. Must not import any room.

import type { z } from "zod";
import { defaultText, type OptionRow, optionTable } from "./option-table.js";
import { optionGroups } from "./shared-options.js";

/** One table per heading; a pipe inside a cell is escaped. */
export function optionsMarkdown(schema: z.ZodObject): string {
  const rows = optionTable(schema);
  const parts: string[] = [];
  for (const group of optionGroups) {
    const members = rows.filter((row) => row.group === group);
    if (members.length === 0) continue;
    parts.push(`**${group}**`, "", "| flag | default | meaning |", "| --- | --- | --- |");
    parts.push(...members.map(markdownRow), "");
  }
  return parts.join("\n").trimEnd();
}

function markdownRow(row: OptionRow): string {
  const negatable = row.default === true;
  const eitherWay = row.kind === "boolean" && row.default === undefined;
  const flag = `--${negatable ? "no-" : eitherWay ? "[no-]" : ""}${row.name}${row.value === "" ? "" : ` ${row.value}`}`;
  const standard = row.required ? "required" : defaultText(row);
  const meaning = negatable ? `${row.name}: ${row.description}` : row.description;
  const range = row.kind === "number" ? ` (${row.expected})` : "";
  return `| \`${flag.replaceAll("|", "\\|")}\` | ${standard} | ${`${meaning}${range}`.replaceAll("|", "\\|")} |`;
}
