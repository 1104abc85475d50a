// Carries out what events change in the projections: one by one as they happen, or gathered by the thousand when the log
// is folded again. Must not decide anything.

import { sql } from "kysely";
import type { FeedbackEvent } from "../event.js";
import { BulkWrite } from "./bulk-write.js";
import { type Effect, effectsOf } from "./fold.js";
import { type Projection, projectionKeys, projections, type Writing } from "./tables.js";

/** One event's effects, at once. */
export async function applyEvent(writing: Writing, event: FeedbackEvent): Promise<void> {
  for (const effect of effectsOf(event)) {
    if (effect.kind === "insert")
      // The table's type is known where the effect is made.
      await writing
        .insertInto(effect.table)
        .values(rowOf(event.project, effect) as never)
        .execute();
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
  /** By table and key. */
  private readonly inserted = byTable<AnyRow>();
  private readonly changed = byTable<Change>();
  private readonly bulk = new BulkWrite();

  constructor(private readonly project: string) {}

  take(event: FeedbackEvent): void {
    for (const effect of effectsOf(event)) {
      if (effect.kind === "insert") {
        const row = rowOf(this.project, effect);
        this.inserted[effect.table].set(
          nameOf(projectionKeys[effect.table].map((column) => row[column] ?? "")),
          row,
        );
      } else this.change(changeOf(effect));
    }
  }

  private change(change: Change): void {
    const name = nameOf(change.key);
    const fresh = this.inserted[change.table].get(name);
    if (fresh !== undefined) {
      Object.assign(fresh, change.set);
      for (const [column, amount] of Object.entries(change.add))
        fresh[column] = Number(fresh[column] ?? 0) + amount;
      return;
    }
    const known = this.changed[change.table].get(name);
    if (known === undefined) {
      this.changed[change.table].set(name, change);
      return;
    }
    Object.assign(known.set, change.set);
    for (const [column, amount] of Object.entries(change.add))
      known.add[column] = (known.add[column] ?? 0) + amount;
  }

  async write(writing: Writing): Promise<void> {
    for (const table of projections) {
      await this.bulk.insert(writing, table, [...this.inserted[table].values()]);
      const changes = [...this.changed[table].values()].map(({ key, set, add }) => {
        const columns = projectionKeys[table].map((column, i) => [column, key[i]]);
        return { key: { project: this.project, ...Object.fromEntries(columns) }, set, add };
      });
      await this.bulk.change(writing, table, changes);
      this.inserted[table].clear();
      this.changed[table].clear();
    }
  }
}

type ByTable<Value> = Readonly<Record<Projection, Map<string, Value>>>;

function byTable<Value>(): ByTable<Value> {
  const all = projections.map((table) => [table, new Map<string, Value>()]);
  return Object.fromEntries(all) as ByTable<Value>;
}

/** Of a row inside its table. */
function nameOf(key: readonly (string | number)[]): string {
  return key.length === 1 ? String(key[0]) : JSON.stringify(key);
}
