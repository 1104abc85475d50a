// Objects inside a column, read with the same checks as a row's columns, and named as such in errors. Pure.

import { RowColumns as Columns, type RowColumns } from "../../data/index.js";

/** The object in a column, or that one of a list of objects. @throws ATTUNE_DATA_COLUMN */
export function nestedColumns(row: RowColumns, column: string, at?: number): RowColumns {
  const held = row.required(column);
  const value: unknown = at === undefined ? held : (held as readonly unknown[])[at];
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return new Columns(value, row.place);
  const where = at === undefined ? `column "${column}"` : `item ${at} of column "${column}"`;
  const found = Array.isArray(value) ? "a list" : JSON.stringify(value)?.slice(0, 30);
  throw row.bad("ATTUNE_DATA_COLUMN", `an object in ${where}`, found ?? "nothing", column);
}

/** @throws ATTUNE_DATA_COLUMN */
export function requireText(row: RowColumns, column: string): string {
  const value = row.required(column);
  if (typeof value === "string") return value;
  const found = JSON.stringify(value)?.slice(0, 30) ?? "nothing";
  throw row.bad("ATTUNE_DATA_COLUMN", `text in column "${column}"`, found, column);
}
