// Carries out what events change in the projections: one by one as they happen, or gathered by the thousand when the log
// is folded again. Must not decide anything.

import { sql } from "kysely";
import type { FeedbackEvent } from "../event.js";
import { type Effect, effectsOf } from "./fold.js";
import { type Projection, projectionKeys, projections, type Writing } from "./tables.js";

/** One event's effects, at once. */
export async function applyEvent(writing: Writing, event: FeedbackEvent): Promise<void> {
  for (const effect of effectsOf(event)) {
    if (effect.kind === "insert") await insertRows(writing, effect.table, [rowOf(event.project, effect)]);
    else await updateRow(writing, event.project, changeOf(effect));
  }
}

type AnyRow = Record<string, string | number | null>;

interface Change {
  readonly table: Projection;
  readonly key: readonly (string | number)[];
  readonly set: AnyRow;
  readonly add: Record<string, number>;
}

function rowOf(project: string, effect: Effect & { kind: "insert" }): AnyRow {
  return { project, ...effect.row };
}

function changeOf({ table, key, set, add = {} }: Effect & { kind: "update" }): Change {
  return { table, key, set: { ...set } as AnyRow, add: { ...add } as Record<string, number> };
}

/** Neither database takes more parameters than this in one statement. */
const MOST_PARAMETERS = 30_000;

async function insertRows(writing: Writing, table: Projection, rows: readonly AnyRow[]): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const each = Math.floor(MOST_PARAMETERS / Object.keys(first).length);
  for (let from = 0; from < rows.length; from += each) {
    // The table's type is known where the effect is made.
    await writing
      .insertInto(table)
      .values(rows.slice(from, from + each) as never)
      .execute();
  }
}

async function updateRow(writing: Writing, project: string, { table, key, set, add }: Change): Promise<void> {
  const columns: Record<string, unknown> = { ...set };
  for (const [column, amount] of Object.entries(add))
    if (amount !== 0) columns[column] = sql`${sql.ref(column)} + ${amount}`;
  if (Object.keys(columns).length === 0) return;
  let query = writing
    .updateTable(table)
    .set(columns as never)
    .where("project", "=", project as never);
  for (const [i, column] of projectionKeys[table].entries())
    query = query.where(column as never, "=", key[i] as never);
  await query.execute();
}

/** Effects of many events together: rows that are made and changed inside are written once. */
export class GatheredEffects {
  private readonly inserted = new Map<string, { readonly table: Projection; readonly row: AnyRow }>();
  private readonly changed = new Map<string, Change>();

  constructor(private readonly project: string) {}

  take(event: FeedbackEvent): void {
    for (const effect of effectsOf(event)) {
      if (effect.kind === "insert") {
        const row = rowOf(this.project, effect);
        const key = projectionKeys[effect.table].map((column) => row[column]);
        this.inserted.set(JSON.stringify([effect.table, ...key]), { table: effect.table, row });
      } else this.change(changeOf(effect));
    }
  }

  private change(change: Change): void {
    const name = JSON.stringify([change.table, ...change.key]);
    const fresh = this.inserted.get(name)?.row;
    if (fresh !== undefined) {
      Object.assign(fresh, change.set);
      for (const [column, amount] of Object.entries(change.add))
        fresh[column] = Number(fresh[column] ?? 0) + amount;
      return;
    }
    const known = this.changed.get(name);
    if (known === undefined) {
      this.changed.set(name, change);
      return;
    }
    Object.assign(known.set, change.set);
    for (const [column, amount] of Object.entries(change.add))
      known.add[column] = (known.add[column] ?? 0) + amount;
  }

  async write(writing: Writing): Promise<void> {
    for (const table of projections) {
      const rows = [...this.inserted.values()].filter((one) => one.table === table).map(({ row }) => row);
      await insertRows(writing, table, rows);
    }
    for (const change of this.changed.values()) await updateRow(writing, this.project, change);
    this.inserted.clear();
    this.changed.clear();
  }
}
