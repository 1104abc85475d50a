// Rows to be evaluated: their type is told first, then they are tokenised for it; their columns are kept where somebody
// asks for them. Must not know models.

import {
  countDropped,
  type LoadedRows,
  loadRows,
  type Row,
  type RowCounts,
  type RowFormat,
  type RowSource,
  type RowType,
  readRows,
  selectRows,
  type Task,
  type TokenisedRows,
} from "../data/index.js";
import { parseRaw, pathsOf, rawRows } from "../data/raw-rows.js";
import { typeNames } from "../data/row-type.js";
import { fail } from "../errors/index.js";
import type { Tokenizer } from "../text/index.js";

/** The columns of a row as its file has them. */
export type RowColumns = Readonly<Record<string, unknown>>;

export interface OpenEvaluationRows {
  readonly data: RowSource;
  readonly tokenizer: Tokenizer;
  /** For a reward model: whole answers, none of them cut. */
  readonly scored: boolean;
  /** Default "auto": told from the columns of the first sound row. */
  readonly format?: RowFormat;
  /** Default 1024. */
  readonly maxLength?: number;
  /** Cut rows over `maxLength` (not where answers are scored) instead of dropping them. Default false. */
  readonly truncate?: boolean;
  readonly skipBadRows?: number;
  readonly vocabularySize?: number;
  readonly tokenCache?: string;
  /** Keep the columns of every row. Default false. */
  readonly columns?: boolean;
  readonly signal?: AbortSignal;
  readonly warn?: (text: string) => void;
}

export interface EvaluationRows {
  readonly type: RowType;
  readonly rows: TokenisedRows;
  readonly counts: RowCounts;
  /** By the number of the row over all files, which `TokenisedRow.index` is; empty unless asked for. */
  readonly columns: ReadonlyMap<number, RowColumns>;
  /** SHA-256 of the tokenised rows. */
  readonly hash: string;
  close(): void;
}

/** What rows of each type are tokenised for. */
const tasks: Readonly<Partial<Record<RowType, Task>>> = {
  text: "sft",
  "prompt-completion": "sft",
  prompt: "prompt",
  preference: "preference",
  unpaired: "unpaired",
  ranking: "ranking",
  "best-of": "ranking",
  rating: "rating",
};

const evaluatedTypes = Object.keys(tasks) as readonly RowType[];

/** @throws what reading rows throws; ATTUNE_NO_ROWS when none is left */
export async function openEvaluationRows(options: OpenEvaluationRows): Promise<EvaluationRows> {
  const { scored, signal, columns = false } = options;
  // Read twice, and what is in memory may be walked through once.
  const data = pathsOf(options.data) === undefined ? await gathered(options.data) : options.data;
  const first = await firstRow(data, options);
  const { type } = first;
  const loaded = await loadRows({ ...given(options), data, task: taskOf(first, scored) });
  try {
    const whole = scored ? wholeAnswers(loaded) : loaded;
    const kept = columns ? await columnsOf(data, signal) : new Map<number, RowColumns>();
    const close = () => loaded.rows.close();
    return { type, rows: whole.rows, counts: whole.counts, columns: kept, hash: loaded.hash, close };
  } catch (error) {
    loaded.rows.close();
    throw error;
  }
}

function given(options: OpenEvaluationRows) {
  const { data: _, scored, columns: ____, truncate = false, ...others } = options;
  return { ...others, overLength: truncate && !scored ? ("truncate" as const) : ("drop" as const) };
}

function taskOf({ type, place }: Pick<Row, "type" | "place">, scored: boolean): Task {
  const task = tasks[type];
  if (task !== undefined && !(scored && type === "prompt")) return task;
  const expected = evaluatedTypes.filter((one) => !(scored && one === "prompt")).map((one) => typeNames[one]);
  const text = `${place.file}:${place.line}: expected ${expected.join(" or ")} but found ${typeNames[type]}.`;
  throw fail("ATTUNE_DATA", text, { details: { ...place } });
}

async function gathered(data: RowSource): Promise<readonly object[]> {
  const rows: object[] = [];
  for await (const row of data as Iterable<object> | AsyncIterable<object>) rows.push(row);
  return rows;
}

/** The first sound row; which bad ones come before it is `loadRows`' to say. */
async function firstRow(data: RowSource, options: OpenEvaluationRows): Promise<Row> {
  const { format = "auto", skipBadRows = 0 } = options;
  for await (const row of readRows({ data, format, skipBadRows })) return row;
  throw fail("ATTUNE_NO_ROWS", "Expected at least one row to evaluate but every row was dropped.");
}

async function columnsOf(data: RowSource, signal: AbortSignal | undefined): Promise<Map<number, RowColumns>> {
  const columns = new Map<number, RowColumns>();
  let index = 0;
  for await (const part of rawRows(data)) {
    for (const raw of part) {
      columns.set(index, columnsOfRow(raw));
      index += 1;
    }
    signal?.throwIfAborted();
  }
  return columns;
}

/** Bad rows have been counted where rows were loaded: they have no columns. */
function columnsOfRow(raw: Parameters<typeof parseRaw>[0]): RowColumns {
  try {
    const value = parseRaw(raw);
    return typeof value === "object" && value !== null ? (value as RowColumns) : {};
  } catch {
    return {};
  }
}

/** Demonstrations keep their start when they are too long; a score belongs to a whole answer. */
function wholeAnswers({ rows, counts }: LoadedRows): { rows: TokenisedRows; counts: RowCounts } {
  const positions: number[] = [];
  for (let position = 0; position < rows.length; position++)
    if (rows.at(position)?.truncated === false) positions.push(position);
  const cut = rows.length - positions.length;
  if (cut === 0) return { rows, counts };
  const kept: RowCounts = { ...counts, kept: positions.length, truncated: 0, dropped: { ...counts.dropped } };
  for (let row = 0; row < cut; row++) countDropped(kept, "too_long");
  if (positions.length === 0) {
    const text = `Expected at least one whole answer but all ${cut} are longer than --max-length. Raise it.`;
    throw fail("ATTUNE_NO_ROWS", text, { details: { ...kept } });
  }
  return { rows: selectRows(rows, Int32Array.from(positions)), counts: kept };
}
