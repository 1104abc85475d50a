// Reads files of judgements of every format into a project: rows become items, people and judgements, a few hundred at a time.
// What is there already is not added again. Must not decide what the store does with them.

import { createRowCounts, parseRaw, type RawRow, RowColumns, tolerate } from "../../data/index.js";
import { fail } from "../../errors/index.js";
import type { Ask } from "../judgement.js";
import type { ImportCounts, ImportedItem } from "../operations/import.js";
import { projectSettings } from "../project-settings.js";
import { unknownProject } from "../store/event-log.js";
import type { FeedbackStore } from "../store/store.js";
import { detectFormat } from "./detect-format.js";
import type { ReaderOptions, ReadRow } from "./found-row.js";
import { type ImportFormat, type ImportOptions, importOptions } from "./import-options.js";
import { preparedItem, preparedRow } from "./prepared-row.js";
import { type ImportSource, rawImport } from "./raw-import.js";
import { readArena } from "./read-arena.js";
import { readArgilla } from "./read-argilla.js";
import { readHh } from "./read-hh.js";
import { readLabelStudio } from "./read-label-studio.js";
import { readRowsForTraining } from "./read-rows.js";
import { readSummarize } from "./read-summarize.js";

/** What is imported, and into which project. */
export interface ImportRows extends ImportOptions {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly source: ImportSource;
  readonly signal?: AbortSignal;
  /** Told after each part that was written. */
  readonly progress?: (report: ImportReport) => void;
}

/** What came of an import: counts, and what was passed over and why. */
export interface ImportReport extends ImportCounts {
  readonly format: ImportFormat | undefined;
  /** Rows read, those included of which nothing was taken. */
  readonly rows: number;
  /** Rows that could not be read and were passed over on request, and what was wrong with the first few. */
  readonly bad: number;
  readonly badMessages: readonly string[];
  /** Rows and judgements that say nothing, by why. */
  readonly passed: Readonly<Record<string, number>>;
  /** Values that no kind of judgement fits, by question: say what they are with `mapping.questions`. */
  readonly unused: Readonly<Record<string, number>>;
}

const readers: Readonly<Record<Exclude<ImportFormat, "items">, ReadRow>> = {
  hh: readHh,
  summarize: readSummarize,
  arena: readArena,
  argilla: readArgilla,
  "label-studio": readLabelStudio,
  rows: readRowsForTraining,
};

/** Rows written together: more would make people who judge meanwhile wait. */
const ROWS_TOGETHER = 200;

/**
 * Parts that were written stay when a later row is bad: correct it and import the file again.
 * @throws ATTUNE_DATA, ATTUNE_DATA_COLUMN, ATTUNE_DATA_JSON for the first bad row beyond `skipBadRows`, ATTUNE_FILE,
 * ATTUNE_OPTION, ATTUNE_NOT_FOUND
 */
export async function importRows(options: ImportRows): Promise<ImportReport> {
  const { store, project, source, signal, progress, ...rest } = options;
  const reading = new Reading(readOptions(rest), await asksOf(store, project));
  let part: ImportedItem[] = [];
  const write = async () => {
    if (part.length === 0) return;
    reading.count(await store.write(project, "importItems", { items: part }));
    part = [];
    progress?.(reading.report());
  };
  for await (const raws of rawImport(source))
    for (const raw of raws) {
      signal?.throwIfAborted();
      const item = reading.take(raw);
      if (item !== undefined) part.push(item);
      if (part.length >= ROWS_TOGETHER) await write();
    }
  await write();
  return reading.report();
}

/** @throws ATTUNE_NOT_FOUND */
async function asksOf({ reading }: FeedbackStore, project: string): Promise<readonly Ask[]> {
  const row = await reading
    .selectFrom("projects")
    .select("settings")
    .where("project", "=", project)
    .executeTakeFirst();
  if (row === undefined) throw unknownProject(project);
  return projectSettings.parse(JSON.parse(row.settings)).asks;
}

function readOptions(options: ImportOptions) {
  const read = importOptions.safeParse(options);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = (issue?.path ?? []).map(String).join(".");
  throw fail("ATTUNE_OPTION", `${field || "options"}: ${issue?.message ?? "is not allowed"}`, {
    details: { field },
  });
}

type Counted = { -readonly [Key in keyof ImportCounts]: number };

class Reading {
  private format: ImportFormat | undefined;
  private readonly rows = createRowCounts();
  private readonly passed: Record<string, number> = {};
  private readonly unused: Record<string, number> = {};
  private readonly counts: Counted = {
    ...{ items: 0, itemsKnown: 0, judgements: 0, aiJudgements: 0, judgementsKnown: 0 },
    ...{ annotators: 0, gold: 0 },
  };
  private readonly options: ReaderOptions;

  constructor(
    private readonly given: ReturnType<typeof readOptions>,
    private readonly asks: readonly Ask[],
  ) {
    this.options = given;
    if (given.format !== "auto") this.format = given.format;
  }

  /** Undefined: nothing to write. */
  take(raw: RawRow): ImportedItem | undefined {
    this.rows.read += 1;
    try {
      const row = new RowColumns(parseRaw(raw), raw.place);
      // The first sound row says what the file is of.
      const format = this.format ?? detectFormat(row);
      const item = this.itemIn(row, format);
      this.format = format;
      return item;
    } catch (error) {
      tolerate({ error, counts: this.rows, skipBadRows: this.given.skipBadRows });
      return undefined;
    }
  }

  private itemIn(row: RowColumns, format: ImportFormat): ImportedItem | undefined {
    if (format === "items") return preparedItem({ row, asks: this.asks });
    const found = readers[format](row, this.options);
    if (typeof found === "string") {
      add(this.passed, found);
      return undefined;
    }
    const prepared = preparedRow(found, { row, format, by: this.given.by, asks: this.asks });
    for (const why of found.passed ?? []) add(this.passed, why);
    for (const question of found.unused ?? []) add(this.unused, question);
    return prepared;
  }

  count(written: ImportCounts): void {
    for (const key of Object.keys(this.counts) as (keyof ImportCounts)[]) this.counts[key] += written[key];
  }

  report(): ImportReport {
    const { read, bad, badMessages } = this.rows;
    return {
      format: this.format,
      rows: read,
      ...this.counts,
      ...{ bad, badMessages: [...badMessages], passed: { ...this.passed }, unused: { ...this.unused } },
    };
  }
}

function add(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
