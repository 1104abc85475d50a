// What leaves and what does not: hidden checks and simulated people give no rows, and who takes rows again and again keeps
// the same as who takes all of them at once.

import { expect } from "chai";
import { type ExportedRow, type ExportOptions, exportRows } from "../../lib/feedback/export-rows.js";
import { recordedRows } from "../../lib/feedback/exports/recorded-rows.js";
import { withdrawnJudgements } from "../../lib/feedback/exports/withdrawn.js";
import type { JudgementValue } from "../../lib/feedback/judgement.js";
import { OpenItems } from "../../lib/feedback/open-items.js";
import { readProject } from "../../lib/feedback/read-project.js";
import { lastSeq } from "../../lib/feedback/store/event-log.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { lease, PROJECT, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

const [ann, bob] = [personName(0), personName(1)];

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

function taken(store: FeedbackStore, options: Partial<ExportOptions> = {}): Promise<ExportedRow[]> {
  const rows = exportRows({ reading: store.reading, project: PROJECT, kind: "preference", ...options });
  return all(recordedRows({ store, project: PROJECT, rows }));
}

/** Whoever keeps rows, by the rule of docs/feedback.md. */
class Keeper {
  rows: ExportedRow[] = [];
  private seq = 0;

  constructor(
    private readonly store: FeedbackStore,
    private readonly options: Partial<ExportOptions> = {},
  ) {}

  async follow(): Promise<void> {
    const since = this.seq;
    this.seq = await lastSeq(this.store.reading, PROJECT);
    const gone = await all(withdrawnJudgements(this.store.reading, { project: PROJECT, since }));
    const isVoid = new Set(gone.map(({ judgement }) => judgement));
    const fresh = await taken(this.store, { ...this.options, since });
    const again = new Set(fresh.map(({ item }) => item));
    this.rows = this.rows
      .filter(({ source }) => !source.some((judgement) => isVoid.has(judgement)))
      .filter(({ item }) => !again.has(item));
    this.rows.push(...fresh);
  }
}

function inOrder(rows: readonly ExportedRow[]): readonly string[] {
  return rows.map(({ item, source, chosen }) => JSON.stringify([item, source, chosen])).sort();
}

describeStores("rows that leave", (withStore) => {
  it(
    "are none of an item that was judged as work and became a hidden check, and are void if they had left",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 1, people: 1 });
      const { judgement } = await say(store, ann, (await lease(store, ann)).lease);
      expect(await taken(store)).to.have.length(1);
      const since = await lastSeq(store.reading, PROJECT);
      await store.write(PROJECT, "setGold", { item: "item-0", right: [{ kind: "pair", choice: "left" }] });
      expect(await taken(store)).to.be.empty;
      const gone = await all(withdrawnJudgements(store.reading, { project: PROJECT, since }));
      expect(gone).to.deep.equal([{ seq: since + 1, judgement, exported: true }]);
      await store.write(PROJECT, "setGold", { item: "item-0", right: null });
      expect(await taken(store, { since })).to.have.length(1);
    }),
  );

  it(
    "are none of leases that were hidden checks: of an item with a known answer, and of one shown again",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 3, people: 2, settings: { gold: 1, repeat: 0 } });
      await store.write(PROJECT, "setGold", { item: "item-0", right: [{ kind: "pair", choice: "left" }] });
      const checked = await say(store, ann, (await lease(store, ann)).lease);
      await store.write(PROJECT, "changeProject", { settings: { gold: 0, repeat: 1, repeatAfter: 1 } });
      const said: string[] = [checked.judgement];
      for (let i = 0; i < 4; i++) {
        const leased = await store.write(PROJECT, "next", { annotator: ann });
        if (leased !== null) said.push((await say(store, ann, leased.lease)).judgement);
      }
      const rows = await store.reading.selectFrom("judgements").select(["judgement", "purpose"]).execute();
      const of = (purpose: string) =>
        rows.filter((row) => row.purpose === purpose).map((row) => row.judgement);
      expect(of("gold")).to.deep.equal([checked.judgement]);
      expect(of("repeat")).to.not.be.empty;
      // No gold any more: its lease was a hidden check all the same.
      await store.write(PROJECT, "setGold", { item: "item-0", right: null });
      for (const consensus of ["each", "soft"] as const) {
        const sources = (await taken(store, { consensus })).flatMap(({ source }) => source);
        expect([...sources].sort()).to.deep.equal(of("work").sort());
      }
    }),
  );

  it(
    "are none of simulated people, also when they get another name",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 1, people: 0 });
      await store.write(PROJECT, "addAnnotator", { annotator: "sim", name: "Sim", group: "simulated" });
      await say(store, "sim", (await lease(store, "sim")).lease);
      expect(await taken(store)).to.be.empty;
      await store.write(PROJECT, "addAnnotator", { annotator: "sim", name: "Renamed" });
      expect(await taken(store)).to.be.empty;
      const person = await store.reading.selectFrom("annotators").selectAll().executeTakeFirstOrThrow();
      expect(person).to.include({ name: "Renamed", declared_group: "simulated" });
      await store.write(PROJECT, "addAnnotator", { annotator: "sim", name: "Renamed", group: "east" });
      expect(await taken(store)).to.have.length(1);
    }),
  );

  it(
    "are the same for who takes what has changed and for who takes all: more said, undone, revised, redacted",
    withStore(async ({ store }) => {
      const overlap = { least: 2, share: 0, most: 2 };
      await sampleProject(store, { items: 4, settings: { overlap } });
      const keeper = new Keeper(store);
      const same = async (count: number) => {
        await keeper.follow();
        expect(inOrder(keeper.rows)).to.deep.equal(inOrder(await taken(store)));
        expect(keeper.rows).to.have.length(count);
      };
      const byItem = new Map<string, string>();
      const judge = async (who: string, choice: "left" | "right") => {
        const { lease: id, answers } = await lease(store, who);
        const first = Number(answers[0]) < Number(answers[1]) === (choice === "left");
        const { judgement } = await say(store, who, id, [{ kind: "pair", choice: first ? "left" : "right" }]);
        byItem.set(who, judgement);
        return judgement;
      };
      for (let i = 0; i < 4; i++) await judge(ann, "left");
      await same(4);
      const second = await judge(bob, "left");
      await same(4);
      expect(keeper.rows.filter(({ source }) => source.length === 2)).to.have.length(1);
      await store.write(PROJECT, "undo", { judgement: second, annotator: bob });
      // The first one's vote is there still, alone.
      await same(4);
      const values: JudgementValue[] = [{ kind: "pair", choice: "right" }];
      const revision = { annotator: ann, values, activeMs: 1, keysUsed: false, key: "r", bodyHash: "r" };
      await store.write(PROJECT, "revise", { ...revision, judgement: byItem.get(ann) ?? "" });
      await same(4);
      await store.write(PROJECT, "redactItem", { item: "item-2" });
      await same(3);
      await store.write(PROJECT, "setGold", { item: "item-1", right: values });
      await same(2);
      await store.write(PROJECT, "setGold", { item: "item-1", right: null });
      await same(3);
    }),
  );

  it(
    "are the same for both of rated answers to one prompt, whichever was taken back",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0, people: 1 });
      const asks = [{ kind: "rating" as const, axis: "helpful", low: 1, high: 7 }];
      const item = (content: string) => ({ prompt: "p", answers: [{ content }], asks });
      await store.write(PROJECT, "addItems", { items: [item("a"), item("b"), item("c")] });
      const keeper = new Keeper(store, { ratingGap: 1 });
      const said = new Map<string, string>();
      for (let i = 0; i < 3; i++) {
        const { lease: id, answers } = await lease(store, ann);
        const content = String(answers[0]);
        const value = { a: 6, b: 4, c: 1 }[content] ?? 0;
        const rating = { kind: "rating" as const, answer: 0, axis: "helpful", value };
        said.set(content, (await say(store, ann, id, [rating])).judgement);
        await keeper.follow();
      }
      expect(keeper.rows).to.have.length(3);
      for (const [content, left] of [
        ["c", 1],
        ["a", 0],
      ] as const) {
        await store.write(PROJECT, "undo", { judgement: said.get(content) ?? "", annotator: ann });
        await keeper.follow();
        expect(inOrder(keeper.rows)).to.deep.equal(inOrder(await taken(store, { ratingGap: 1 })));
        expect(keeper.rows).to.have.length(left);
      }
    }),
  );
});

describeStores("limits of what is asked", (withStore) => {
  it(
    "hold for hidden checks: no more unsafe items a day than one may have, and none that was closed",
    withStore(async (test) => {
      const { store } = test;
      const settings = { gold: 1, repeat: 0, unsafePerDay: 1 };
      await sampleProject(store, { items: 0, people: 1, settings });
      const item = (i: number) => ({ prompt: `p ${i}`, answers: [{ content: "a" }, { content: "b" }] });
      const unsafe = Array.from({ length: 4 }, (_, i) => ({ ...item(i), unsafe: true }));
      await store.write(PROJECT, "addItems", { items: unsafe });
      const right: JudgementValue[] = [{ kind: "pair", choice: "left" }];
      for (const i of unsafe.keys()) await store.write(PROJECT, "setGold", { item: `item-${i}`, right });
      await say(store, ann, (await lease(store, ann)).lease);
      expect(await store.write(PROJECT, "next", { annotator: ann })).to.equal(null);
      test.now += 25 * 3_600_000;
      expect(await store.write(PROJECT, "next", { annotator: ann })).to.not.equal(null);
    }),
  );

  it(
    "hold for items shown again: none that is closed, none that is unsafe beyond the limit",
    withStore(async ({ store }) => {
      const settings = { gold: 0, repeat: 0, repeatAfter: 1, unsafePerDay: 2 };
      await sampleProject(store, { items: 2, people: 1, settings });
      const unsafe = { prompt: "u", answers: [{ content: "a" }, { content: "b" }], unsafe: true };
      await store.write(PROJECT, "addItems", { items: [unsafe] });
      for (let i = 0; i < 3; i++) await say(store, ann, (await lease(store, ann)).lease);
      await store.write(PROJECT, "changeProject", { settings: { repeat: 1, unsafePerDay: 1 } });
      for (const closed of ["item-0", "item-1"]) await store.write(PROJECT, "closeItem", { item: closed });
      // So that the unsafe one lies far enough back, whenever it was asked.
      await store.write(PROJECT, "changeProject", { settings: { repeatAfter: 1 } });
      expect(await store.write(PROJECT, "next", { annotator: ann })).to.equal(null);
    }),
  );

  it(
    "stay where settings do not name them",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0, people: 0, settings: { overlap: { least: 2, most: 9 } } });
      await store.write(PROJECT, "changeProject", { settings: { overlap: { share: 0.5 } } });
      const { settings } = await readProject(store.reading, PROJECT);
      expect(settings.overlap).to.deep.equal({ least: 2, shared: 3, share: 0.5, most: 9 });
    }),
  );

  it(
    "hold for revisions as for undoing",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 3, people: 1, settings: { undo: 1 } });
      const first = (await say(store, ann, (await lease(store, ann)).lease)).judgement;
      const second = (await say(store, ann, (await lease(store, ann)).lease)).judgement;
      const values: JudgementValue[] = [{ kind: "pair", choice: "tie" }];
      const revise = (judgement: string) =>
        store.write(PROJECT, "revise", {
          ...{ annotator: ann, values, activeMs: 1, keysUsed: false, judgement },
          ...{ key: judgement, bodyHash: judgement },
        });
      const refused = await revise(first).then(
        () => "taken",
        (error: Error) => error.message,
      );
      expect(refused).to.include("one of your last 1 judgements");
      expect(await revise(second)).to.have.property("counts", true);
    }),
  );
});

describe("an item that many passed over", () => {
  it("is asked rarely, but not never", () => {
    const open = new OpenItems(1, 0);
    const item = { promptHash: "p", unsafe: false, state: "open", slots: 1, taken: 0, gold: false } as const;
    open.add({ ...item, item: "passed", number: 0, priority: -5_000 });
    open.add({ ...item, item: "fresh", number: 1, priority: 0 });
    const passed = open.get("passed");
    expect(passed && open.weightOf(passed))
      .to.be.greaterThan(0)
      .and.below(1e-9);
  });
});
