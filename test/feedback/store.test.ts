// The store's life cycle: leases, judgements, overlap, late and repeated calls, undo, and that the log alone says it all.

import { expect } from "chai";
import { readEvents } from "../../lib/feedback/store/event-log.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { projections } from "../../lib/feedback/store/tables.js";
import { expectFailure } from "../errors/expect-failure.js";
import { addPerson, lease, PROJECT, pairItem, personName, sampleProject, say } from "./sample-project.js";
import { describeStores, START } from "./stores.js";

const [ann, bob] = [personName(0), personName(1)];
const MINUTE = 60_000;

const itemRow = (store: FeedbackStore, item: string) =>
  store.reading.selectFrom("items").selectAll().where("item", "=", item).executeTakeFirstOrThrow();

const eventsOf = (store: FeedbackStore) =>
  readEvents(store.reading, { project: PROJECT, after: 0, most: 10_000 });

/** Everything that projections hold. */
async function shown(store: FeedbackStore): Promise<string> {
  const tables = [];
  for (const table of projections) {
    const rows = await store.reading.selectFrom(table).selectAll().execute();
    tables.push([table, rows.map((row) => JSON.stringify(row)).sort()]);
  }
  return JSON.stringify(tables);
}

describeStores("a feedback store", (withStore) => {
  it(
    "leases each item once, and shows nothing of where answers come from",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 4 });
      const prompts = new Set<string>();
      for (const person of [ann, bob, ann, bob]) {
        const leased = await lease(store, person);
        prompts.add(JSON.stringify(leased.prompt));
        expect(JSON.stringify(leased)).to.not.match(/model|logProb|gold|pair-|item-/);
        expect(leased.until).to.equal(START + 10 * MINUTE);
        await say(store, person, leased.lease);
      }
      expect(prompts.size).to.equal(4);
      expect(await store.write(PROJECT, "next", { annotator: ann })).to.equal(null);
    }),
  );

  it(
    "gives the lease that one has again, and the slot to others when it has run out",
    withStore(async (test) => {
      const { store } = test;
      await sampleProject(store, { items: 1 });
      const first = await lease(store, ann);
      test.now += MINUTE;
      expect((await lease(store, ann)).lease).to.equal(first.lease);
      expect(await store.write(PROJECT, "next", { annotator: bob })).to.equal(null);
      const { until } = await store.write(PROJECT, "renew", { lease: first.lease, annotator: ann });
      expect(until).to.equal(START + 11 * MINUTE);
      test.now = until + 1;
      const second = await lease(store, bob);
      expect(second.lease).to.not.equal(first.lease);
      await expectFailure(
        () => store.write(PROJECT, "renew", { lease: first.lease, annotator: ann }),
        "ATTUNE_LEASE",
        "expired",
      );
    }),
  );

  it(
    "takes a late judgement where the slot is free, and else keeps it beside",
    withStore(async (test) => {
      const { store } = test;
      await sampleProject(store, { items: 2, people: 3 });
      const first = await lease(store, ann);
      test.now += 11 * MINUTE;
      // Somebody looks: the lease ends, and the slot goes to Bob.
      const taken = await lease(store, bob);
      await say(store, bob, taken.lease);
      const other = taken.prompt === first.prompt ? undefined : await lease(store, bob);
      if (other !== undefined) await say(store, bob, other.lease);
      const late = await say(store, ann, first.lease);
      expect(late.counts).to.equal(false);
      const { taken: slots, judged } = await store.reading
        .selectFrom("assignments as a")
        .innerJoin("items as i", "i.item", "a.item")
        .select(["i.taken", "i.judged"])
        .where("a.assignment", "=", first.lease)
        .executeTakeFirstOrThrow();
      expect([slots, judged]).to.deep.equal([1, 1]);
    }),
  );

  it(
    "answers a repeated submission as before, and refuses the same key with another body",
    withStore(async ({ store }) => {
      await sampleProject(store);
      const leased = await lease(store, ann);
      const once = await say(store, ann, leased.lease, undefined, "k");
      expect(await say(store, ann, leased.lease, undefined, "k")).to.deep.equal(once);
      await expectFailure(
        () => say(store, ann, leased.lease, [{ kind: "pair", choice: "right" }], "k"),
        "ATTUNE_CONFLICT",
        "another",
      );
      await expectFailure(
        () => say(store, ann, leased.lease, undefined, "other"),
        "ATTUNE_LEASE",
        "submitted",
      );
      expect((await eventsOf(store)).filter(({ type }) => type === "judgement.created")).to.have.length(1);
    }),
  );

  it(
    "refuses what is no answer, naming the field, and what is somebody else's",
    withStore(async ({ store }) => {
      await sampleProject(store);
      const leased = await lease(store, ann);
      await expectFailure(() => say(store, ann, leased.lease, []), "ATTUNE_JUDGEMENT", "at least one");
      await expectFailure(
        () => say(store, ann, leased.lease, [{ kind: "thumb", answer: 0, up: true }]),
        "ATTUNE_JUDGEMENT",
        "one of pair but received thumb",
      );
      await expectFailure(() => say(store, bob, leased.lease), "ATTUNE_LEASE", "somebody else");
      await expectFailure(() => say(store, ann, "no-such-lease"), "ATTUNE_NOT_FOUND", "no-such-lease");
      await expectFailure(
        () => store.write(PROJECT, "next", { annotator: "nobody" }),
        "ATTUNE_NOT_FOUND",
        "nobody",
      );
      await expectFailure(
        () => store.write("other", "next", { annotator: ann }),
        "ATTUNE_NOT_FOUND",
        "other",
      );
      // What failed has left nothing behind.
      await say(store, ann, leased.lease);
    }),
  );

  it(
    "asks one more where people disagree, up to the most, then calls it disputed",
    withStore(async ({ store }) => {
      const overlap = { least: 2, share: 0, most: 3 };
      await sampleProject(store, { items: 1, people: 4, settings: { overlap } });
      const choices = ["first", "second", "first"];
      for (const [person, choice] of choices.entries()) {
        const leased = await lease(store, personName(person));
        const left = leased.answers[0] === "1" ? "first" : "second";
        await say(store, personName(person), leased.lease, [
          { kind: "pair", choice: left === choice ? "left" : "right" },
        ]);
        const { state, slots } = await itemRow(store, "item-0");
        expect([state, slots]).to.deep.equal(
          [
            ["open", 2],
            ["open", 3],
            ["disputed", 3],
          ][person],
        );
      }
      expect(await store.write(PROJECT, "next", { annotator: personName(3) })).to.equal(null);
    }),
  );

  it(
    "has enough where people agree, whatever the sides",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 1, people: 2, settings: { overlap: { least: 2, share: 0 } } });
      const sides = [];
      for (const person of [ann, bob]) {
        const leased = await lease(store, person);
        sides.push(leased.answers[0]);
        await say(store, person, leased.lease, [
          { kind: "pair", choice: leased.answers[0] === "1" ? "left" : "right" },
        ]);
      }
      expect(new Set(sides).size, "sides are balanced").to.equal(2);
      expect((await itemRow(store, "item-0")).state).to.equal("enough");
    }),
  );

  it(
    "takes a judgement back, and the item is open to the same person again",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 1 });
      const { judgement } = await say(store, ann, (await lease(store, ann)).lease);
      expect(await store.write(PROJECT, "next", { annotator: bob })).to.equal(null);
      await expectFailure(
        () => store.write(PROJECT, "undo", { judgement, annotator: bob }),
        "ATTUNE_LEASE",
        "somebody else",
      );
      await store.write(PROJECT, "undo", { judgement, annotator: ann });
      await expectFailure(
        () => store.write(PROJECT, "undo", { judgement, annotator: ann }),
        "ATTUNE_NOT_FOUND",
        judgement,
      );
      const again = await say(store, ann, (await lease(store, ann)).lease);
      await store.write(PROJECT, "closeItem", { item: "item-0" });
      await expectFailure(
        () => store.write(PROJECT, "undo", { judgement: again.judgement, annotator: ann }),
        "ATTUNE_LEASE",
        "closed",
      );
    }),
  );

  it(
    "replaces a judgement by a revision, and keeps both in the log",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 1 });
      const old = await say(store, ann, (await lease(store, ann)).lease);
      const revised = await store.write(PROJECT, "revise", {
        judgement: old.judgement,
        annotator: ann,
        values: [{ kind: "pair", choice: "tie" }],
        activeMs: 5,
        keysUsed: false,
        key: "revision",
        bodyHash: "tie",
      });
      const rows = await store.reading.selectFrom("judgements").select(["judgement", "withdrawn"]).execute();
      expect(new Map(rows.map(({ judgement, withdrawn }) => [judgement, withdrawn]))).to.deep.equal(
        new Map([
          [old.judgement, 1],
          [revised.judgement, 0],
        ]),
      );
      const { taken, judged, state } = await itemRow(store, "item-0");
      expect([taken, judged, state]).to.deep.equal([1, 1, "enough"]);
    }),
  );

  it(
    "asks a skipped item later, of others first of all",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 1 });
      const leased = await lease(store, ann);
      await store.write(PROJECT, "skip", { lease: leased.lease, annotator: ann, reason: "not_my_field" });
      expect(await store.write(PROJECT, "next", { annotator: ann })).to.equal(null);
      await lease(store, bob);
      expect((await itemRow(store, "item-0")).priority).to.be.below(0);
    }),
  );

  it(
    "reports items that it has, and refuses a batch with a bad one whole",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 2 });
      const { items } = await store.write(PROJECT, "addItems", { items: [pairItem(1), pairItem(7)] });
      expect(items).to.deep.equal([
        { item: "item-1", duplicate: true },
        { item: "item-2", duplicate: false },
      ]);
      await expectFailure(
        () => store.write(PROJECT, "addItems", { items: [pairItem(8), { prompt: "?", answers: [] }] }),
        "ATTUNE_DATA",
        "items[1].answers",
      );
      const { answers, ...rest } = pairItem(9);
      await expectFailure(
        () => store.write(PROJECT, "addItems", { items: [{ ...rest, answers: [...answers, ...answers] }] }),
        "ATTUNE_DATA",
        "two answers for a pair but received 4",
      );
      expect(await store.reading.selectFrom("items").select("item").execute()).to.have.length(3);
    }),
  );

  it(
    "asks gold and repeats beside the work, for which no slot is taken",
    withStore(async ({ store }) => {
      const settings = { gold: 0.3, repeat: 0.3, repeatAfter: 2 };
      await sampleProject(store, { items: 40, people: 1, settings });
      for (const item of ["item-0", "item-1", "item-2"])
        await store.write(PROJECT, "setGold", { item, right: [{ kind: "pair", choice: "left" }] });
      for (let i = 0; i < 37 + 3; i++) {
        const leased = await store.write(PROJECT, "next", { annotator: ann });
        if (leased === null) break;
        await say(store, ann, leased.lease);
      }
      const rows = await store.reading
        .selectFrom("assignments")
        .select(["purpose", "item", "shown"])
        .execute();
      const of = (purpose: string) => rows.filter((row) => row.purpose === purpose);
      expect(of("gold").length).to.be.within(1, 3);
      expect(of("gold").every(({ item }) => ["item-0", "item-1", "item-2"].includes(item))).to.equal(true);
      expect(of("repeat")).to.not.be.empty;
      for (const { item, shown: again } of of("repeat")) {
        const before = of("work").find((row) => row.item === item);
        expect(JSON.parse(again)).to.deep.equal(JSON.parse(before?.shown ?? "[]").reverse());
      }
    }),
  );

  it(
    "stores the propensity of every lease: over all open items they sum to 1",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 5, people: 1, settings: { random: 0.25 } });
      await store.write(PROJECT, "prioritise", {
        priorities: [
          ["item-0", 2],
          ["item-1", 1],
          ["item-9", 5],
        ],
      });
      const weights = [Math.E ** 2, Math.E, 1, 1, 1];
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      await lease(store, ann);
      const [row] = await store.reading.selectFrom("assignments").selectAll().execute();
      const number = Number(row?.item.slice("item-".length));
      expect(row?.available).to.equal(5);
      expect(row?.propensity).to.be.closeTo(0.25 / 5 + (0.75 * (weights[number] ?? 0)) / total, 1e-12);
    }),
  );

  it(
    "says the same again when the log is folded again, and after it was closed",
    withStore(async (test) => {
      await sampleProject(test.store, {
        items: 12,
        people: 3,
        settings: { overlap: { least: 2, share: 0 } },
      });
      await test.store.write(PROJECT, "setGuidelines", { text: "Be kind." });
      await test.store.write(PROJECT, "registerPolicy", { policy: "p1", model: "tiny", checkpoint: "abc" });
      const said = [];
      for (let i = 0; i < 20; i++) {
        const person = personName(i % 3);
        const leased = await test.store.write(PROJECT, "next", { annotator: person });
        if (leased === null) continue;
        if (i % 7 === 3) {
          await test.store.write(PROJECT, "skip", {
            lease: leased.lease,
            annotator: person,
            reason: "other",
          });
          continue;
        }
        said.push({ person, ...(await say(test.store, person, leased.lease)) });
      }
      const [first] = said;
      if (first !== undefined)
        await test.store.write(PROJECT, "undo", { judgement: first.judgement, annotator: first.person });
      const before = await shown(test.store);
      const events = await eventsOf(test.store);
      expect(events.map(({ seq }) => seq)).to.deep.equal(events.map((_, i) => i + 1));
      expect(await test.store.rebuild()).to.equal(events.length);
      expect(await shown(test.store)).to.equal(before);
      await test.reopen();
      expect(await shown(test.store)).to.equal(before);
      await lease(test.store, personName(2));
    }),
  );

  it(
    "keeps times in order when the clock jumps back",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 2 });
      await say(test.store, ann, (await lease(test.store, ann)).lease);
      test.now = START - 24 * 60 * MINUTE;
      await say(test.store, bob, (await lease(test.store, bob)).lease);
      const times = (await eventsOf(test.store)).map(({ time }) => time);
      expect(times).to.deep.equal(times.toSorted((a, b) => a - b));
    }),
  );

  it(
    "never gives two people an item's last slot, in 200 races",
    withStore(async ({ store }) => {
      const people = 4;
      await sampleProject(store, { items: 0, people });
      for (let race = 0; race < 200; race++) {
        const { items } = await store.write(PROJECT, "addItems", { items: [pairItem(race)] });
        const leases = await Promise.all(
          Array.from({ length: people }, (_, person) =>
            store.write(PROJECT, "next", { annotator: personName(person) }),
          ),
        );
        const won = leases.flatMap((leased, person) => (leased === null ? [] : [{ leased, person }]));
        expect(won, `race ${race}`).to.have.length(1);
        for (const { leased, person } of won) await say(store, personName(person), leased.lease);
        expect((await itemRow(store, items[0]?.item ?? "")).taken).to.equal(1);
      }
    }),
  );

  it(
    "has a project once, and tells settings that are none",
    withStore(async ({ store }) => {
      await sampleProject(store);
      await expectFailure(() => sampleProject(store), "ATTUNE_EXISTS", "shop");
      await expectFailure(
        () => store.write("p", "createProject", { project: "p", name: "P", settings: { golden: 1 } }),
        "ATTUNE_OPTION",
        "golden",
      );
      await expectFailure(
        () => store.write("P!", "createProject", { project: "P!", name: "P" }),
        "ATTUNE_OPTION",
        "P!",
      );
      await addPerson(store, ann);
      expect(await store.reading.selectFrom("annotators").select("annotator").execute()).to.have.length(2);
    }),
  );
});
