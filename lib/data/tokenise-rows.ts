// Streams rows as token ids, counting what was dropped, cut or skipped. What happens to one row is in tokenise-row.ts.
// Must not build batches or read files.

import { setImmediate } from "node:timers/promises";
import { countOutcomes, createRowCounts, type RowCounts, tolerate } from "./row-counts.js";
import type { Content, Row } from "./rows.js";
import { judgementOfRow, SeenJudgements } from "./seen-judgements.js";
import { checkTokeniseSettings, type TokeniseSettings, tokeniseRow } from "./tokenise-row.js";
import type { TokenisedRow } from "./tokenised-row.js";

export interface TokeniseRowsOptions extends TokeniseSettings {
  readonly rows: Iterable<Row> | AsyncIterable<Row>;
  /** Bad rows that are counted and passed over, with those that could not be read; the next one throws. Default 0. */
  readonly skipBadRows?: number;
  /** Filled while tokenising. */
  readonly counts?: RowCounts;
  readonly signal?: AbortSignal;
}

/** Characters tokenised before other work of the process gets its turn: a few milliseconds. */
const CHARACTERS_PER_TURN = 4096;

/** Rows in order. Throws what `tokeniseRow` and `checkTokeniseSettings` throw. */
export async function* tokeniseRows(options: TokeniseRowsOptions): AsyncGenerator<TokenisedRow> {
  const { signal, counts = createRowCounts(), skipBadRows = 0 } = options;
  checkTokeniseSettings(options);
  const seen = new SeenJudgements();
  let characters = 0;
  for await (const row of options.rows) {
    for (const tokenised of tokeniseCounted(row, { settings: options, counts, skipBadRows })) {
      seen.count(counts, Uint32Array.from(judgementOfRow(tokenised)));
      yield tokenised;
    }
    characters += lengthOf(row);
    if (characters < CHARACTERS_PER_TURN) continue;
    characters = 0;
    await setImmediate();
    signal?.throwIfAborted();
  }
}

interface CountedOptions {
  readonly settings: TokeniseSettings;
  readonly counts: RowCounts;
  readonly skipBadRows: number;
}

/** The row, or rows; none when it was dropped or skipped. */
function tokeniseCounted(
  row: Row,
  { settings, counts, skipBadRows }: CountedOptions,
): readonly TokenisedRow[] {
  try {
    const outcomes = tokeniseRow(row, settings);
    return countOutcomes(counts, { row, outcomes, single: settings.task === "unpaired" });
  } catch (error) {
    tolerate({ error, counts, skipBadRows: isRowsOwn(error) ? skipBadRows : 0 });
    return [];
  }
}

const rowCodes = ["ATTUNE_DATA", "ATTUNE_DATA_COLUMN", "ATTUNE_TEMPLATE", "ATTUNE_TEMPLATE_PREFIX"];

/** Whether another row may do better; a wrong tokenizer or option concerns all. */
export function isRowsOwn(error: unknown): boolean {
  return error instanceof Error && "code" in error && rowCodes.includes(String(error.code));
}

/** Characters (or ids) that a row makes the tokenizer read, roughly. */
export function lengthOf(row: Row): number {
  const columns = row as unknown as Readonly<Record<string, Content | undefined>>;
  const single = ["text", "prompt", "completion", "chosen", "rejected"].map((name) => columns[name]);
  const several = "completions" in row ? row.completions : [];
  return [...single, ...several].reduce((sum, content) => sum + contentLength(content), 0);
}

function contentLength(content: Content | undefined): number {
  if (content === undefined) return 0;
  if (typeof content === "string" || content instanceof Int32Array) return content.length;
  return content.reduce((sum, message) => sum + String(message.content ?? "").length, 0);
}
