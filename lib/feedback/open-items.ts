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
  /** Who has it or has had it; undefined: nobody. */
  seenBy?: Set<string>;
}

/** Sums of weights gather rounding: after so many changes they are made again. */
const CHANGES_TO_REBUILD = 100_000;

interface OpenPrompt {
  readonly items: Set<OpenItem>;
  /** How often it was asked, of all its items. */
  asked: number;
}

const nothing: ReadonlySet<OpenItem> = new Set();

export class OpenItems {
  private readonly items = new Map<string, OpenItem>();
  private readonly byNumber = new Map<number, OpenItem>();
  private readonly prompts = new Map<string, OpenPrompt>();
  /** Of items that have a slot for somebody: by priority, and all alike. */
  private readonly weighted = new WeightedDraw();
  private readonly even = new WeightedDraw();
  private readonly free = new Set<OpenItem>();
  private readonly barred = new Map<string, Set<OpenItem>>();
  /** Items that have a slot and are marked unsafe. */
  readonly unsafe = new Set<OpenItem>();
  /** Items with a known answer, for hidden checks. */
  readonly gold = new Set<OpenItem>();
  /** Items that are open again and have to be read: what was settled is not kept here. */
  readonly unreadItems = new Set<string>();
  /** Prompts of which it has to be read how often they were asked before. */
  readonly unreadPrompts = new Set<string>();
  private changes = 0;

  /** temperature: of the softmax over priorities. seq: of the last event that is in here. */
  constructor(
    readonly temperature: number,
    public seq: number,
  ) {}

  add(item: OpenItem): void {
    this.items.set(item.item, item);
    this.byNumber.set(item.number, item);
    this.weighted.grow(item.number + 1);
    this.even.grow(item.number + 1);
    let prompt = this.prompts.get(item.promptHash);
    if (prompt === undefined) {
      prompt = { items: new Set<OpenItem>(), asked: 0 };
      this.prompts.set(item.promptHash, prompt);
      this.unreadPrompts.add(item.promptHash);
    }
    prompt.items.add(item);
    this.weigh(item);
  }

  /** asked: leases and judgements of all the prompt's items. */
  setAsked(promptHash: string, asked: number): void {
    const prompt = this.prompts.get(promptHash);
    if (prompt === undefined) return;
    prompt.asked = asked;
    for (const item of prompt.items) this.weigh(item);
  }

  get(item: string): OpenItem | undefined {
    return this.items.get(item);
  }

  /** Items that have a slot for somebody. */
  freeItems(): ReadonlySet<OpenItem> {
    return this.free;
  }

  /** Of the items that have a slot, those that the person has had. */
  barredFor(annotator: string): ReadonlySet<OpenItem> {
    return this.barred.get(annotator) ?? nothing;
  }

  /** Of the softmax over priorities, discounted by how often an item's prompt was asked already. */
  weightOf(item: OpenItem): number {
    return this.weighted.weight(item.number);
  }

  totalWeight(): number {
    return this.weighted.total();
  }

  /** Where a running sum of weights passes this share of them. */
  itemAt(share: number): OpenItem | undefined {
    return this.byNumber.get(this.weighted.placeAt(share));
  }

  /** The same with every item that has a slot alike. */
  evenItemAt(share: number): OpenItem | undefined {
    return this.byNumber.get(this.even.placeAt(share));
  }

  /** A person has had an item and is not given it again. */
  see(annotator: string, item: string): void {
    const one = this.items.get(item);
    if (one === undefined) return;
    one.seenBy ??= new Set();
    one.seenBy.add(annotator);
    if (this.free.has(one)) this.barredOf(annotator).add(one);
  }

  /** A person may be given an item again: a lease that ran out, a judgement that was taken back. */
  private forget(annotator: string, item: string): void {
    const one = this.items.get(item);
    if (one === undefined) return;
    one.seenBy?.delete(annotator);
    this.barred.get(annotator)?.delete(one);
  }

  private barredOf(annotator: string): Set<OpenItem> {
    const known = this.barred.get(annotator) ?? new Set<OpenItem>();
    this.barred.set(annotator, known);
    return known;
  }

  follow(event: FeedbackEvent): void {
    this.seq = event.seq;
    switch (event.type) {
      case "item.added": {
        const { item, number, promptHash, unsafe, priority, slots, state = "open" } = event.body;
        const fresh = { state, taken: 0, gold: false } as const;
        if (state === "open") this.add({ item, number, promptHash, unsafe, priority, slots, ...fresh });
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
        this.see(event.body.annotator, event.body.item);
        this.take(event.body.item, event.body.purpose === "work" ? 1 : 0);
        break;
      case "assignment.skipped":
        this.take(event.body.item, event.body.takes);
        this.change(event.body.item, { priority: event.body.priority });
        break;
      case "assignment.expired":
        this.forget(event.body.annotator, event.body.item);
        this.take(event.body.item, event.body.takes);
        break;
      case "judgement.created":
      case "judgement.imported":
        this.see(event.body.annotator, event.body.item);
        this.take(event.body.item, event.body.takes);
        break;
      case "judgement.withdrawn":
        if (event.body.supersededBy === undefined) this.forget(event.actor, event.body.item);
        this.take(event.body.item, event.body.takes);
        break;
      default:
    }
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
    if (one === undefined) {
      if (set.state === "open" || set.gold === true) this.unreadItems.add(item);
      return;
    }
    Object.assign(one, set);
    this.weigh(one);
    if (one.state !== "open" && !this.gold.has(one)) this.drop(one);
  }

  /** What is settled takes no memory. */
  private drop(one: OpenItem): void {
    this.items.delete(one.item);
    this.byNumber.delete(one.number);
    const prompt = this.prompts.get(one.promptHash);
    prompt?.items.delete(one);
    if (prompt?.items.size === 0) this.prompts.delete(one.promptHash);
  }

  private weigh(one: OpenItem): void {
    const free = one.state === "open" && one.taken < one.slots && !one.gold;
    if (free !== this.free.has(one)) this.setFree(one, free);
    if (one.gold && one.state !== "closed") this.gold.add(one);
    else this.gold.delete(one);
    const asked = this.prompts.get(one.promptHash)?.asked ?? 0;
    // Bounded, so that no priority makes a sum of weights infinite.
    const power = Math.exp(Math.max(-30, Math.min(30, one.priority / this.temperature)));
    this.weighted.set(one.number, free ? power / (1 + asked) : 0);
    this.changes += 1;
    if (this.changes % CHANGES_TO_REBUILD === 0) this.weighted.rebuild();
  }

  private setFree(one: OpenItem, free: boolean): void {
    this.even.set(one.number, free ? 1 : 0);
    if (free) this.free.add(one);
    else this.free.delete(one);
    if (free && one.unsafe) this.unsafe.add(one);
    else this.unsafe.delete(one);
    for (const annotator of one.seenBy ?? []) {
      if (free) this.barredOf(annotator).add(one);
      else this.barred.get(annotator)?.delete(one);
    }
  }
}
