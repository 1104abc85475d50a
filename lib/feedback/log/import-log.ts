// Takes a project's log into a store that has no such project, of either kind: the way back from a backup, and from the
// embedded store to PostgreSQL. Must not change what the log says.

import { type RawRow, rowsOfFile } from "../../data/index.js";
import { fail } from "../../errors/index.js";
import type { FeedbackEvent } from "../event.js";
import type { OwnRows } from "../operations/restore.js";
import type { FeedbackStore } from "../store/store.js";
import { type LogHead, type LogLine, readLogLine } from "./log-line.js";

/** A log, and the store that takes it in. */
export interface ImportLog {
  readonly store: FeedbackStore;
  /** A file of the lines (also in gzip or zstd), or the lines. */
  readonly source: string | Iterable<string> | AsyncIterable<string>;
  /** Told after each part, with the events done so far. */
  readonly progress?: (events: number) => void;
}

/** What was taken in. */
export interface ImportedLog {
  readonly project: string;
  /** Of the log. */
  readonly events: number;
  /** Those that were not there yet. */
  readonly added: number;
}

const LINES_TOGETHER = 1_000;

/**
 * One that was cut off may be begun again: what is there is passed over.
 * @throws ATTUNE_DATA for a file that is no log, or breaks off; ATTUNE_EXISTS for a project with another log
 */
export async function importLog({ store, source, progress }: ImportLog): Promise<ImportedLog> {
  const restoring = new Restoring(store, progress);
  const parts = typeof source === "string" ? rowsOfFile(source) : linesOf(source);
  for await (const raws of parts) for (const raw of raws) await restoring.take(readLogLine(raw));
  return restoring.end();
}

async function* linesOf(source: Iterable<string> | AsyncIterable<string>): AsyncGenerator<readonly RawRow[]> {
  let line = 0;
  for await (const text of source) yield [{ place: { file: "log", line: ++line }, bytes: Buffer.from(text) }];
}

class Restoring {
  private head: LogHead | undefined;
  private events: FeedbackEvent[] = [];
  private own: { [Table in keyof OwnRows]-?: unknown[] } = { secrets: [], tokens: [], exports: [] };
  private done = 0;
  private added = 0;

  constructor(
    private readonly store: FeedbackStore,
    private readonly progress: ((events: number) => void) | undefined,
  ) {}

  async take(line: LogLine): Promise<void> {
    if ("head" in line) {
      if (this.head !== undefined) throw fail("ATTUNE_DATA", "Expected one log in a file but received two.");
      this.head = line.head;
      return;
    }
    const { project } = this.begun();
    if ("event" in line) {
      const expected = this.done + this.events.length + 1;
      const event = { ...line.event, project } as FeedbackEvent;
      if (event.seq !== expected)
        throw fail("ATTUNE_DATA", `Expected event ${expected} of the log but received ${event.seq}.`);
      this.events.push(event);
      if (this.events.length >= LINES_TOGETHER) await this.write();
      return;
    }
    await this.write();
    const rows = this.own[line.table];
    rows.push(line.row);
    if (rows.length >= LINES_TOGETHER) await this.writeOwn();
  }

  async end(): Promise<ImportedLog> {
    const { project, seq } = this.begun();
    await this.write();
    if (this.done !== seq)
      throw fail("ATTUNE_DATA", `Expected ${seq} events of the log but it breaks off after ${this.done}.`);
    await this.writeOwn();
    return { project, events: this.done, added: this.added };
  }

  private begun(): LogHead {
    if (this.head !== undefined) return this.head;
    throw fail("ATTUNE_DATA", "Expected the first line of a log of attune's feedback but received another.");
  }

  private async write(): Promise<void> {
    const { events } = this;
    if (events.length === 0) return;
    this.events = [];
    const { added } = await this.store.write(this.begun().project, "restoreEvents", { events });
    this.done += events.length;
    this.added += added;
    this.progress?.(this.done);
  }

  private async writeOwn(): Promise<void> {
    const own = this.own as OwnRows;
    this.own = { secrets: [], tokens: [], exports: [] };
    if (Object.values(own).some((rows) => rows.length > 0))
      await this.store.write(this.begun().project, "restoreOwn", own);
  }
}
