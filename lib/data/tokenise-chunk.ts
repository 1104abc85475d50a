// A run of raw rows to records, with what happened to each: the work of one message to a worker, or of one turn here.
// Must not read files, wait, or decide when a bad row stops the run.

import type { Tokenizer } from "../text/index.js";
import type { RawRow } from "./raw-rows.js";
import { createRowChecker, hasIdenticalSides, type RowRules } from "./row-checker.js";
import { countDropped, countOutcomes, createRowCounts, type RowCounts } from "./row-counts.js";
import { encodeRecord, type FileNames, type RecordFacts, recordFacts } from "./row-record.js";
import { joined } from "./row-sink.js";
import type { RowType } from "./rows.js";
import { judgementOfRow } from "./seen-judgements.js";
import { type TokeniseSettings, tokeniseRow } from "./tokenise-row.js";
import { isRowsOwn } from "./tokenise-rows.js";

/** All that decides a row's ids, but for the tokenizer. Can be sent to a worker and named in a cache's key. */
export interface RowSettings extends RowRules, Omit<TokeniseSettings, "tokenizer"> {}

export interface RawChunk {
  /** Number of the first row over all data. */
  readonly firstIndex: number;
  /** [rows] number of each row's file, and its line. */
  readonly files: Int32Array;
  readonly lines: Int32Array;
  /** [rows, 2] where each row's bytes begin and end in `bytes`; -1 for a row that is a value. */
  readonly spans: Int32Array;
  readonly bytes: Uint8Array;
  readonly values: readonly unknown[];
}

export interface BadRow {
  readonly error: unknown;
  /** What the chunk had counted when it met the row. */
  readonly counts: RowCounts;
}

export interface ChunkResult {
  /** Records of the kept rows, one after another. */
  readonly words: Int32Array;
  /** [kept] words of each record. */
  readonly lengths: Int32Array;
  /** [kept] */
  readonly facts: readonly RecordFacts[];
  /** [kept, JUDGEMENT_WORDS] what was judged and how, to notice what comes again. */
  readonly judgements: Uint32Array;
  /** Rows of this chunk alone; bad ones are counted by the reader. */
  readonly counts: RowCounts;
  readonly bad: readonly BadRow[];
  /** An error that no skipping helps; rows behind it were not looked at. */
  readonly failure?: { readonly error: unknown };
  readonly type: RowType | undefined;
}

export interface TokeniseChunkOptions {
  readonly chunk: RawChunk;
  readonly tokenizer: Tokenizer;
  readonly settings: RowSettings;
  /** Names of the files that the chunk's numbers mean. */
  readonly names: FileNames;
  /** The type that earlier rows had. */
  readonly type: RowType | undefined;
  /** Bad rows that may be passed over in all: a chunk with more stops there. */
  readonly skipBadRows: number;
}

export function tokeniseChunk(options: TokeniseChunkOptions): ChunkResult {
  const { chunk, tokenizer, names, skipBadRows } = options;
  const settings: TokeniseSettings = { ...options.settings, tokenizer };
  const checker = createRowChecker(options.settings, options.type);
  const counts = createRowCounts();
  const records: Int32Array[] = [];
  const facts: RecordFacts[] = [];
  const judgements: number[] = [];
  const bad: BadRow[] = [];
  let failure: { readonly error: unknown } | undefined;
  for (let i = 0; i < chunk.lines.length && failure === undefined && bad.length <= skipBadRows; i++) {
    counts.read += 1;
    let checked = false;
    try {
      const row = checker.check(rawRowOf(chunk, i, names), chunk.firstIndex + i);
      checked = true;
      if (hasIdenticalSides(row)) {
        countDropped(counts, "identical");
        continue;
      }
      const outcomes = tokeniseRow(row, settings);
      for (const kept of countOutcomes(counts, { row, outcomes, single: settings.task === "unpaired" })) {
        judgements.push(...judgementOfRow(kept));
        facts.push(recordFacts(kept));
        records.push(encodeRecord(kept, chunk.files[i] ?? 0));
      }
    } catch (error) {
      if (checked && !isRowsOwn(error)) failure = { error };
      else bad.push({ error, counts: { ...counts, dropped: { ...counts.dropped } } });
    }
  }
  return {
    words: joined(records),
    lengths: Int32Array.from(records, ({ length }) => length),
    facts,
    judgements: Uint32Array.from(judgements),
    counts,
    bad,
    ...(failure === undefined ? {} : { failure }),
    type: checker.type,
  };
}

function rawRowOf({ files, lines, spans, bytes, values }: RawChunk, i: number, names: FileNames): RawRow {
  const place = { file: names[files[i] ?? 0] ?? "rows", line: lines[i] ?? 0 };
  const [start = -1, end = -1] = spans.subarray(2 * i, 2 * i + 2);
  return start < 0 ? { place, value: values[i] } : { place, bytes: bytes.subarray(start, end) };
}
