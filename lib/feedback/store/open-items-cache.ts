// The open items of each project, read once and kept up with the log; another process may have written meanwhile.
// Must not change anything.

import { OpenItems } from "../open-items.js";
import { readEvents, unknownProject } from "./event-log.js";
import type { KnownProject } from "./known-project.js";
import type { Writing } from "./tables.js";

/** Events that are followed rather than reading all items again. */
const MOST_BEHIND = 5_000;

export class OpenItemsCache {
  private readonly projects = new Map<string, OpenItems>();

  /** What it holds may be of a transaction that did not happen. */
  forget(project: string): void {
    this.projects.delete(project);
  }

  /** Holds the project's log until the transaction ends. */
  async locked(writing: Writing, { project, read }: KnownProject): Promise<OpenItems> {
    const place = await writing
      .updateTable("sequences")
      .set((e) => ({ seq: e.ref("seq") }))
      .where("project", "=", project)
      .returning("seq")
      .executeTakeFirst();
    if (place === undefined) throw unknownProject(project);
    const seq = Number(place.seq);
    const known = this.projects.get(project);
    const fits = known?.temperature === read.temperature;
    if (known !== undefined && fits && known.seq <= seq && seq - known.seq <= MOST_BEHIND) {
      while (known.seq < seq) {
        const events = await readEvents(writing, { project, after: known.seq, most: MOST_BEHIND });
        if (events.length === 0) break;
        for (const event of events) known.follow(event);
      }
      return known;
    }
    const open = await this.load(writing, project, read.temperature, seq);
    this.projects.set(project, open);
    return open;
  }

  private async load(
    writing: Writing,
    project: string,
    temperature: number,
    seq: number,
  ): Promise<OpenItems> {
    const open = new OpenItems(temperature, seq);
    const rows = await writing
      .selectFrom("items")
      .select(["item", "number", "prompt_hash", "unsafe", "state", "priority", "slots", "taken", "gold"])
      .where("project", "=", project)
      .where("state", "!=", "closed")
      .execute();
    for (const row of rows)
      open.add({
        item: row.item,
        number: Number(row.number),
        promptHash: row.prompt_hash,
        unsafe: row.unsafe === 1,
        state: row.state,
        priority: row.priority,
        slots: row.slots,
        taken: row.taken,
        gold: row.gold !== null,
      });
    const closed = await writing
      .selectFrom("items")
      .select((e) => ["prompt_hash", e.fn.sum<number>("taken").as("taken")])
      .where("project", "=", project)
      .where("state", "=", "closed")
      .where("taken", ">", 0)
      .groupBy("prompt_hash")
      .execute();
    for (const { prompt_hash, taken } of closed) open.asked(prompt_hash, Number(taken));
    return open;
  }
}
