// The open items of each project, read once and kept up with the log; another process may have written meanwhile.
// Must not change anything.

import { type OpenItem, OpenItems } from "../open-items.js";
import { readEvents } from "./event-log.js";
import type { KnownProject } from "./known-project.js";
import type { ItemsTable, Writing } from "./tables.js";

/** Events that are followed rather than reading all items again. */
const MOST_BEHIND = 5_000;
/** Names in one query. */
const AT_ONCE = 500;

export class OpenItemsCache {
  private readonly projects = new Map<string, OpenItems>();

  /** What it holds may be of a transaction that did not happen. */
  forget(project: string): void {
    this.projects.delete(project);
  }

  /** `seq`: of the log's last event, which nobody adds to until the transaction ends. */
  async upTo(writing: Writing, { project, read }: KnownProject, seq: number): Promise<OpenItems> {
    const known = this.projects.get(project);
    const near = known !== undefined && known.seq <= seq && seq - known.seq <= MOST_BEHIND;
    if (near && known.temperature === read.temperature) {
      while (known.seq < seq) {
        const events = await readEvents(writing, { project, after: known.seq, most: MOST_BEHIND });
        if (events.length === 0) break;
        for (const event of events) known.follow(event);
      }
      await readAgain(writing, project, known);
      await readAsked(writing, project, known);
      return known;
    }
    const open = new OpenItems(read.temperature, seq);
    await readOpen(writing, project, open);
    this.projects.set(project, open);
    return open;
  }
}

/** What is settled is not read: most of a project that has run for long. */
async function readOpen(writing: Writing, project: string, open: OpenItems): Promise<void> {
  const items = itemsOf(writing, project);
  for (const row of await items.where("state", "=", "open").execute()) open.add(openItem(row));
  const gold = items.where("gold", "is not", null).where("state", "in", ["enough", "disputed"]);
  for (const row of await gold.execute()) open.add(openItem(row));
  const asked = await writing
    .selectFrom("items")
    .select((e) => ["prompt_hash", e.fn.sum<number>("taken").as("asked")])
    .where("project", "=", project)
    .where("prompt_hash", "in", (e) =>
      e.selectFrom("items").select("prompt_hash").where("project", "=", project).where("state", "=", "open"),
    )
    .groupBy("prompt_hash")
    .execute();
  for (const row of asked) open.setAsked(row.prompt_hash, Number(row.asked));
  open.unreadPrompts.clear();
  const seen = seenOf(writing, project);
  const ofOpen = await seen
    .where("item", "in", (e) =>
      e.selectFrom("items").select("item").where("project", "=", project).where("state", "=", "open"),
    )
    .execute();
  for (const { annotator, item } of ofOpen) open.see(annotator, item);
  for (const some of inPieces([...open.gold].map(({ item }) => item)))
    for (const { annotator, item } of await seen.where("item", "in", some).execute())
      open.see(annotator, item);
}

/** Items that are open again. */
async function readAgain(writing: Writing, project: string, open: OpenItems): Promise<void> {
  for (const some of inPieces([...open.unreadItems])) {
    const rows = await itemsOf(writing, project).where("item", "in", some).execute();
    for (const row of rows) if (row.state !== "closed") open.add(openItem(row));
    const seen = await seenOf(writing, project).where("item", "in", some).execute();
    for (const { annotator, item } of seen) open.see(annotator, item);
  }
  open.unreadItems.clear();
}

async function readAsked(writing: Writing, project: string, open: OpenItems): Promise<void> {
  for (const some of inPieces([...open.unreadPrompts])) {
    const rows = await writing
      .selectFrom("items")
      .select((e) => ["prompt_hash", e.fn.sum<number>("taken").as("asked")])
      .where("project", "=", project)
      .where("prompt_hash", "in", some)
      .groupBy("prompt_hash")
      .execute();
    for (const row of rows) open.setAsked(row.prompt_hash, Number(row.asked));
  }
  open.unreadPrompts.clear();
}

function itemsOf(writing: Writing, project: string) {
  return writing
    .selectFrom("items")
    .select(["item", "number", "prompt_hash", "unsafe", "state", "priority", "slots", "taken", "gold"])
    .where("project", "=", project);
}

/** Who has, or has had, which item. */
function seenOf(writing: Writing, project: string) {
  return writing
    .selectFrom("assignments")
    .select(["annotator", "item"])
    .where("project", "=", project)
    .where("state", "in", ["leased", "submitted", "skipped"]);
}

type ItemRow = Pick<
  ItemsTable,
  "item" | "number" | "prompt_hash" | "unsafe" | "state" | "priority" | "slots" | "taken" | "gold"
>;

function openItem({ number, prompt_hash, unsafe, gold, ...row }: ItemRow): OpenItem {
  return {
    ...row,
    number: Number(number),
    promptHash: prompt_hash,
    unsafe: unsafe === 1,
    gold: gold !== null,
  };
}

function inPieces(names: readonly string[]): (readonly string[])[] {
  const pieces: (readonly string[])[] = [];
  for (let from = 0; from < names.length; from += AT_ONCE) pieces.push(names.slice(from, from + AT_ONCE));
  return pieces;
}
