// What a loop asks of the store between its steps: settings, counts, policies, lag. Must not write.

import { type ProjectSettings, projectSettings } from "../project-settings.js";
import { unknownProject } from "../store/event-log.js";
import type { Database } from "../store/tables.js";
import { policyNumbers } from "./gather-rows.js";
import type { LagSums } from "./loop-memory.js";
import type { NewVote } from "./new-votes.js";

export class LoopFacts {
  constructor(
    private readonly reading: Database,
    private readonly project: string,
  ) {}

  /** @throws ATTUNE_NOT_FOUND */
  async settings(): Promise<ProjectSettings> {
    const { settings } = await this.row();
    return projectSettings.parse(JSON.parse(settings));
  }

  /** That were ever added. */
  async items(): Promise<number> {
    return Number((await this.row()).item_count);
  }

  private async row() {
    const row = await this.reading
      .selectFrom("projects")
      .select(["settings", "item_count"])
      .where("project", "=", this.project)
      .executeTakeFirst();
    if (row === undefined) throw unknownProject(this.project);
    return row;
  }

  policyNumbers(): Promise<ReadonlyMap<string, number>> {
    return policyNumbers(this.reading, this.project);
  }

  /** Judgements of training prompts behind this event. */
  async waiting(since: number): Promise<number> {
    const { count } = await this.reading
      .selectFrom("judgements as j")
      .innerJoin("items as i", (join) =>
        join.onRef("i.project", "=", "j.project").onRef("i.item", "=", "j.item"),
      )
      .select((e) => e.fn.countAll<number>().as("count"))
      .where("j.project", "=", this.project)
      .where("j.seq", ">", since)
      .where("j.withdrawn", "=", 0)
      .where("j.counts", "=", 1)
      .where("j.purpose", "=", "work")
      .where("i.split", "=", "train")
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Open items, and those that the loop added for this policy. */
  async open(policy: string): Promise<{ readonly open: number; readonly openOfNewest: number }> {
    const query = this.reading
      .selectFrom("items")
      .select((e) => e.fn.countAll<number>().as("count"))
      .where("project", "=", this.project)
      .where("state", "=", "open")
      .where("gold", "is", null)
      .whereRef("taken", "<", "slots");
    const all = await query.executeTakeFirstOrThrow();
    const newest = await query.where("external_id", "like", `${policy}/%`).executeTakeFirstOrThrow();
    return { open: Number(all.count), openOfNewest: Number(newest.count) };
  }

  /** With the lag of these votes: how many policies are newer than the older of those that made an item's answers. */
  async lagWith(before: LagSums, votes: readonly NewVote[]): Promise<LagSums> {
    const numbers = await this.policyNumbers();
    const newest = Math.max(...numbers.values(), 0);
    const { maxLag } = await this.settings();
    let { votes: count, sum, most, stale } = before;
    for (const { item } of votes) {
      const named = item.answers.flatMap(({ policy }) => numbers.get(policy ?? "") ?? []);
      if (named.length === 0) continue;
      const lag = newest - Math.min(...named);
      count += 1;
      sum += lag;
      most = Math.max(most, lag);
      if (lag > maxLag) stale += 1;
    }
    return { votes: count, sum, most, stale };
  }
}
