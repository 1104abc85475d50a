// Inserts and changes rows by the thousand, in statements that are made once and used again. Must not know what rows mean.

import { CompiledQuery, type InsertObject, type RawBuilder, sql } from "kysely";
import type { FeedbackTables, Writing } from "./tables.js";

/** Values of one statement: more would not be faster. */
const MOST_VALUES = 2_000;

type Table = keyof FeedbackTables;
type Row = Readonly<Record<string, unknown>>;

/** A row's change: columns that get a value, and whole numbers to which something is added. */
export interface RowChange {
  /** Column and value, such as project and item. */
  readonly key: Row;
  readonly set: Row;
  readonly add: Readonly<Record<string, number>>;
}

/** Holds the statements of one kind of work. */
export class BulkWrite {
  private readonly statements = new Map<string, string>();

  /** Of one table, all with the same columns. */
  async insert(writing: Writing, table: Table, rows: readonly Row[]): Promise<void> {
    const columns = Object.keys(rows[0] ?? {});
    for (const some of inPieces(rows, columns.length)) {
      const text = this.statement(`insert ${table} ${columns} ${some.length}`, () => {
        const blank = Object.fromEntries(columns.map((column) => [column, ""]));
        const blanks = some.map(() => blank) as unknown as InsertObject<FeedbackTables, Table>[];
        return writing.insertInto(table).values(blanks).compile().sql;
      });
      const values = some.flatMap((row) => columns.map((column) => row[column]));
      await writing.executeQuery(CompiledQuery.raw(text, values));
    }
  }

  async change(writing: Writing, table: Table, changes: readonly RowChange[]): Promise<void> {
    const alike = new Map<string, RowChange[]>();
    for (const change of changes) {
      const name = [change.key, change.set, change.add].map((part) => Object.keys(part).join()).join(" ");
      const known = alike.get(name);
      if (known === undefined) alike.set(name, [change]);
      else known.push(change);
    }
    for (const [name, all] of alike) await this.changeAlike(writing, table, name, all);
  }

  private async changeAlike(
    writing: Writing,
    table: Table,
    name: string,
    changes: readonly RowChange[],
  ): Promise<void> {
    const [first] = changes;
    if (first === undefined || Object.keys(first.set).length + Object.keys(first.add).length === 0) return;
    const valuesOf = ({ key, set, add }: RowChange) => [...[key, set, add].flatMap(Object.values)];
    for (const some of inPieces(changes, valuesOf(first).length)) {
      const text = this.statement(
        `change ${table} ${name} ${some.length}`,
        () => changeStatement(table, first, some.length).compile(writing).sql,
      );
      await writing.executeQuery(CompiledQuery.raw(text, some.flatMap(valuesOf)));
    }
  }

  private statement(name: string, make: () => string): string {
    const known = this.statements.get(name) ?? make();
    this.statements.set(name, known);
    return known;
  }
}

function* inPieces<Value>(values: readonly Value[], width: number): Generator<readonly Value[]> {
  const most = Math.max(1, Math.floor(MOST_VALUES / width));
  for (let from = 0; from < values.length; from += most) yield values.slice(from, from + most);
}

/** Both databases name the columns of listed values column1, column2, … PostgreSQL takes them for texts. */
function changeStatement(table: Table, { key, set, add }: RowChange, rows: number): RawBuilder<unknown> {
  const names = [key, set, add].flatMap(Object.keys);
  const listed = (column: string) => sql.ref(`listed.column${names.indexOf(column) + 1}`);
  const changed = [
    ...Object.keys(set).map((column) => sql`${sql.ref(column)} = ${typed(column, listed(column))}`),
    ...Object.keys(add).map(
      (column) =>
        sql`${sql.ref(column)} = ${sql.ref(`${table}.${column}`)} + cast(${listed(column)} as bigint)`,
    ),
  ];
  const same = Object.keys(key).map(
    (column) => sql`${sql.ref(`${table}.${column}`)} = ${typed(column, listed(column))}`,
  );
  const row = sql`(${sql.join(names.map(() => ""))})`;
  return sql`update ${sql.table(table)} set ${sql.join(changed)}
    from (values ${sql.join(Array.from({ length: rows }, () => row))}) as listed
    where ${sql.join(same, sql` and `)}`;
}

/** Columns of projections that an event may set and that are no texts. */
const numbers: Readonly<Record<string, RawBuilder<unknown>>> = {
  priority: sql`double precision`,
  slots: sql`integer`,
  planned: sql`integer`,
  until: sql`bigint`,
  withdrawn: sql`integer`,
  incomparable: sql`integer`,
  guidelines: sql`integer`,
};

function typed(column: string, value: RawBuilder<unknown>): RawBuilder<unknown> {
  const type = numbers[column];
  return type === undefined ? value : sql`cast(${value} as ${type})`;
}
