// Which items of a project can be given to whom, in memory: kept as events say, so that a lease need not read all items.
// Must not write anything; who is given what is decided in choose-item.ts.

import type { FeedbackEvent } from "./event.js";
import type { ItemState } from "./states.js";
import { WeightedDraw } from "./weighted-draw.js";

/** An item as far as choosing needs to know it. */
export interface OpenItem {
  readonly item: string;
  /** From 0, in the order in which items were added. */
  readonly number: number;
  readonly promptHash: string;
  readonly unsafe: boolean;
  state: ItemState;
  priority: number;
  slots: number;
  taken: number;
  gold: boolean;
}

/** Sums of weights gather rounding: after so many changes they are made again. */
const CHANGES_TO_REBUILD = 100_000;

export class OpenItems {
  private readonly items = new Map<string, OpenItem>();
  private readonly byNumber: (OpenItem | undefined)[] = [];
  private readonly prompts = new Map<string, { readonly items: Set<OpenItem>; asked: number }>();
  private readonly free = new Set<OpenItem>();
  private readonly draw = new WeightedDraw();
  private readonly seenBy = new Map<string, Set<string>>();
  /** Items with a known answer, for hidden checks. */
  readonly gold = new Set<OpenItem>();
  private changes = 0;

  /** temperature: of the softmax over priorities. seq: of the last event that is in here. */
  constructor(
    readonly temperature: number,
    public seq: number,
  ) {}

  add(item: OpenItem): void {
    this.items.set(item.item, item);
    this.byNumber[item.number] = item;
    this.draw.grow(item.number + 1);
    const prompt = this.prompts.get(item.promptHash) ?? { items: new Set<OpenItem>(), asked: 0 };
    this.prompts.set(item.promptHash, prompt);
    prompt.items.add(item);
    prompt.asked += item.taken;
    this.weigh(item);
    // What was asked of this item discounts the prompt's others, too.
    if (item.taken !== 0) for (const other of prompt.items) if (other !== item) this.weigh(other);
  }

  /** What was asked of a prompt by items that are not here any more. */
  asked(promptHash: string, times: number): void {
    const prompt = this.prompts.get(promptHash) ?? { items: new Set<OpenItem>(), asked: 0 };
    this.prompts.set(promptHash, prompt);
    prompt.asked += times;
    for (const other of prompt.items) this.weigh(other);
  }

  get(item: string): OpenItem | undefined {
    return this.items.get(item);
  }

  /** Items that have a slot for somebody. */
  freeItems(): ReadonlySet<OpenItem> {
    return this.free;
  }

  /** Of the softmax over priorities, discounted by how often an item's prompt was asked already. */
  weightOf(item: OpenItem): number {
    return this.draw.weight(item.number);
  }

  totalWeight(): number {
    return this.draw.total();
  }

  /** Where a running sum of weights passes this share of them. */
  itemAt(share: number): OpenItem | undefined {
    return this.byNumber[this.draw.placeAt(share)];
  }

  /** What a person has had already; undefined: not loaded. */
  seen(annotator: string): Set<string> | undefined {
    return this.seenBy.get(annotator);
  }

  remember(annotator: string, items: Iterable<string>): Set<string> {
    const seen = new Set(items);
    this.seenBy.set(annotator, seen);
    return seen;
  }

  follow(event: FeedbackEvent): void {
    this.seq = event.seq;
    switch (event.type) {
      case "item.added": {
        const { item, number, promptHash, unsafe, priority, slots, state = "open" } = event.body;
        const fresh = { state, taken: 0, gold: false } as const;
        this.add({ item, number, promptHash, unsafe, priority, slots, ...fresh });
        break;
      }
      case "item.changed":
        this.change(event.body.item, { state: event.body.state, slots: event.body.slots });
        break;
      case "item.closed":
        this.change(event.body.item, { state: "closed" });
        break;
      case "items.prioritised":
        for (const [item, priority] of event.body.priorities) this.change(item, { priority });
        break;
      case "gold.set":
        this.change(event.body.item, { gold: event.body.right !== null });
        break;
      case "payload.redacted":
        if (event.body.item !== undefined) this.change(event.body.item, { state: "closed", gold: false });
        break;
      default:
        this.followWork(event);
    }
  }

  /** What people do. */
  private followWork(event: FeedbackEvent): void {
    switch (event.type) {
      case "assignment.leased":
        this.seenBy.get(event.body.annotator)?.add(event.body.item);
        this.take(event.body.item, event.body.purpose === "work" ? 1 : 0);
        break;
      case "assignment.skipped":
        this.take(event.body.item, event.body.takes);
        this.change(event.body.item, { priority: event.body.priority });
        break;
      case "assignment.expired":
      case "judgement.created":
      case "judgement.imported":
      case "judgement.withdrawn":
        this.take(event.body.item, event.body.takes);
        break;
      default:
    }
  }

  /** A person may be given an item again: a lease that ran out, a judgement that was taken back. */
  forget(annotator: string, item: string): void {
    this.seenBy.get(annotator)?.delete(item);
  }

  private take(item: string, amount: number): void {
    if (amount === 0) return;
    const one = this.items.get(item);
    if (one === undefined) return;
    one.taken += amount;
    const prompt = this.prompts.get(one.promptHash);
    if (prompt === undefined) return;
    prompt.asked += amount;
    for (const other of prompt.items) this.weigh(other);
  }

  private change(item: string, set: Partial<Pick<OpenItem, "state" | "slots" | "priority" | "gold">>): void {
    const one = this.items.get(item);
    if (one === undefined) return;
    Object.assign(one, set);
    this.weigh(one);
  }

  private weigh(one: OpenItem): void {
    const free = one.state === "open" && one.taken < one.slots && !one.gold;
    if (free) this.free.add(one);
    else this.free.delete(one);
    if (one.gold && one.state !== "closed") this.gold.add(one);
    else this.gold.delete(one);
    const asked = this.prompts.get(one.promptHash)?.asked ?? 0;
    // Bounded, so that no priority makes a sum of weights infinite.
    const power = Math.exp(Math.max(-30, Math.min(30, one.priority / this.temperature)));
    this.draw.set(one.number, free ? power / (1 + asked) : 0);
    this.changes += 1;
    if (this.changes % CHANGES_TO_REBUILD === 0) this.draw.rebuild();
  }
}
