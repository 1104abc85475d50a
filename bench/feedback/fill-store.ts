// Fills a store with the log of a project that people have worked on for long: items in blocks, each leased, judged and settled,
// by fixed numbers. It writes events and what they fold to, by the store's own code. Must not judge by itself what an event
// changes.

import type { EventBodies, EventType, FeedbackEvent } from "../../lib/feedback/event.js";
import { slotsOf } from "../../lib/feedback/operations/items.js";
import { projectSettings } from "../../lib/feedback/project-settings.js";
import { GatheredEffects } from "../../lib/feedback/store/apply.js";
import { BulkEvents } from "../../lib/feedback/store/event-log.js";
import type { Database } from "../../lib/feedback/store/tables.js";

export interface FillStore {
  /** Already has the project with its people; written while nobody has it open. */
  readonly database: Database;
  readonly project: string;
  readonly judgements: number;
  /** Items that nobody has judged yet, at the end. */
  readonly open: number;
  readonly seed: number;
  readonly progress?: (judgements: number) => void;
}

export interface Filled {
  readonly items: number;
  readonly events: number;
  readonly judgements: number;
}

/** Items that are added, and then judged in any order. */
const BLOCK = 20_000;
/** Events between two commits. */
const CHUNK = 10_000;
const MINUTE = 60_000;
const models = ["amber", "birch", "cedar", "delta"];

export async function fillStore(options: FillStore): Promise<Filled> {
  const log = await Log.at(options);
  const { judgements, open } = options;
  let done = 0;
  while (done < judgements) {
    const items = await log.addItems(BLOCK);
    // An item that several judge comes up several times.
    const turns = log.shuffled(items.flatMap((item) => Array.from({ length: item.slots }, () => item)));
    for (const item of turns.slice(0, judgements - done)) await log.judge(item);
    done += Math.min(turns.length, judgements - done);
    options.progress?.(done);
  }
  await log.addItems(open);
  await log.flush();
  return { items: log.items, events: log.seq, judgements: done };
}

interface AddedItem {
  readonly item: string;
  readonly slots: number;
  readonly firstPerson: number;
  judged: number;
}

class Log {
  items = 0;
  private pending: FeedbackEvent[] = [];
  private readonly gathered: GatheredEffects;
  private readonly bulk = new BulkEvents();
  private readonly random: () => number;

  private constructor(
    private readonly options: FillStore,
    public seq: number,
    private time: number,
    private readonly people: readonly string[],
  ) {
    this.gathered = new GatheredEffects(options.project);
    this.random = numbers(options.seed);
  }

  static async at(options: FillStore): Promise<Log> {
    const { database, project } = options;
    const { seq, time } = await database
      .selectFrom("sequences")
      .selectAll()
      .where("project", "=", project)
      .executeTakeFirstOrThrow();
    const people = await database
      .selectFrom("annotators")
      .select("annotator")
      .where("project", "=", project)
      .execute();
    return new Log(
      options,
      Number(seq),
      Number(time),
      people.map(({ annotator }) => annotator),
    );
  }

  async addItems(count: number): Promise<AddedItem[]> {
    const settings = projectSettings.parse({});
    const added: AddedItem[] = [];
    for (let i = 0; i < count; i++) {
      const number = this.items;
      this.items += 1;
      const item = `item-${number}`;
      const slots = slotsOf(number, settings);
      const [left, right] = [this.below(models.length), this.below(models.length - 1)];
      const pair = [left, right < left ? right : right + 1];
      await this.append("item.added", "trainer", {
        item,
        number,
        externalId: `external-${number}`,
        asks: settings.asks,
        prompt: `Question ${number}: what would you do with ${text(number, 12)}?`,
        answers: pair.map((model) => ({
          content: `${models[model]} says: ${text(number + model, 20)}`,
          model: models[model] ?? "",
          policy: "first",
        })),
        promptHash: this.id().replaceAll("-", "").slice(0, 16),
        split: "train",
        priority: 0,
        unsafe: false,
        slots,
      });
      added.push({ item, slots, firstPerson: this.below(this.people.length), judged: 0 });
    }
    return added;
  }

  async judge(one: AddedItem): Promise<void> {
    const annotator = this.people[(one.firstPerson + one.judged) % this.people.length] ?? "";
    one.judged += 1;
    const [assignment, judgement] = [this.id(), this.id()];
    const { item } = one;
    this.time += 1000;
    const shown = this.random() < 0.5 ? [0, 1] : [1, 0];
    await this.append("assignment.leased", annotator, {
      ...{ assignment, item, annotator, purpose: "work", shown, guidelines: 0 },
      until: this.time + 10 * MINUTE,
      ...{ propensity: 1 / BLOCK, available: BLOCK, random: this.random() < 0.2 },
    });
    const said = this.random();
    await this.append("judgement.created", annotator, {
      ...{ judgement, assignment, item, annotator, purpose: "work", counts: true, takes: 0 },
      values: [{ kind: "pair", choice: said < 0.5 ? "left" : said < 0.9 ? "right" : "tie", strength: 1 }],
      ...{ activeMs: 2000 + this.below(8000), keysUsed: true },
    });
    if (one.judged === one.slots)
      await this.append("item.changed", "service", { item, state: "enough", slots: one.slots });
  }

  private async append<Type extends EventType>(
    type: Type,
    actor: string,
    body: EventBodies[Type],
  ): Promise<void> {
    this.seq += 1;
    const { project } = this.options;
    this.pending.push({
      ...{ project, seq: this.seq, id: this.id(), time: this.time, type, actor, body },
    } as FeedbackEvent);
    if (this.pending.length === CHUNK) await this.flush();
  }

  async flush(): Promise<void> {
    for (const event of this.pending) this.gathered.take(event);
    await this.options.database.transaction().execute(async (writing) => {
      await this.bulk.write(writing, this.pending);
      await this.gathered.write(writing);
    });
    this.pending = [];
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** Looks like a random UUID: a database's trees meet ids in no order. */
  private id(): string {
    const word = () =>
      this.below(2 ** 32)
        .toString(16)
        .padStart(8, "0");
    const [a, b, c, d] = [word(), word(), word(), word()];
    return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-8${c.slice(1, 4)}-${c.slice(4)}${d}`;
  }

  shuffled<Value>(values: Value[]): Value[] {
    for (let last = values.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      [values[last], values[other]] = [values[other] as Value, values[last] as Value];
    }
    return values;
  }
}

function text(number: number, words: number): string {
  return Array.from({ length: words }, (_, i) => `w${(number * 31 + i * 17) % 997}`).join(" ");
}

/** Numbers in [0, 1), by the million: xorshift (Marsaglia 2003) of 32 bits, twice as many states as draws. */
function numbers(seed: number): () => number {
  let [x, y, z, w] = [seed >>> 0 || 1, 362436069, 521288629, 88675123];
  return () => {
    const t = x ^ (x << 11);
    [x, y, z] = [y, z, w];
    w = (w ^ (w >>> 19) ^ (t ^ (t >>> 8))) >>> 0;
    return w / 2 ** 32;
  };
}
