// attune's own items, one to a line, as POST /v1/items takes them. Pure.

import type { RowColumns } from "../../data/index.js";
import type { Item } from "../judgement.js";
import { itemInput } from "../judgement.js";

/** @throws ATTUNE_DATA_COLUMN naming the field */
export function readItem(row: RowColumns): Item {
  const read = itemInput.safeParse(row.columns);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = (issue?.path ?? []).map(String).join(".");
  const expected = `an item of attune in field "${field}"`;
  throw row.bad("ATTUNE_DATA_COLUMN", expected, issue?.message ?? "something else", field);
}
