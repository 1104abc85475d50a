// What is taken out for good: nowhere in the store any more, named to trainers, and the fold is the same again.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { exportRows } from "../../lib/feedback/export-rows.js";
import { recordedRows } from "../../lib/feedback/exports/recorded-rows.js";
import { withdrawnJudgements } from "../../lib/feedback/exports/withdrawn.js";
import type { JudgementValue } from "../../lib/feedback/judgement.js";
import { openEmbeddedStore } from "../../lib/feedback/store/embedded-store.js";
import { lastSeq, readEvents } from "../../lib/feedback/store/event-log.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { expectFailure } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { projectionsOf } from "./projections.js";
import { lease, PROJECT, pairItem, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

const SECRET = "Ada Lovelace of 12 St James's Square";
const ann = personName(0);

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const taken = (store: FeedbackStore) => {
  const rows = exportRows({ reading: store.reading, project: PROJECT, kind: "preference" });
  return all(recordedRows({ store, project: PROJECT, rows }));
};

const withdrawn = (store: FeedbackStore, since = 0) =>
  all(withdrawnJudgements(store.reading, { project: PROJECT, since }));

/** An item, a judgement with a revision, a skip's note, a draft and a known answer, each of which holds the secret. */
async function secretProject(store: FeedbackStore): Promise<{ judgement: string }> {
  await sampleProject(store, { items: 1 });
  const item = {
    prompt: `Who is ${SECRET}?`,
    answers: [{ content: SECRET }, { content: "nobody" }],
    metadata: { from: SECRET },
    asks: [{ kind: "pair" as const }, { kind: "comment" as const }],
  };
  await store.write(PROJECT, "closeItem", { item: "item-0" });
  await store.write(PROJECT, "addItems", { items: [item] });
  const skipped = await lease(store, personName(1));
  await store.write(PROJECT, "skip", {
    lease: skipped.lease,
    annotator: personName(1),
    reason: "other",
    note: SECRET,
  });
  const leased = await lease(store, ann);
  await store.write(PROJECT, "saveDraft", { lease: leased.lease, annotator: ann, body: { text: SECRET } });
  const values: JudgementValue[] = [
    { kind: "pair", choice: "left" },
    { kind: "comment", text: SECRET },
  ];
  const sent = { annotator: ann, values, activeMs: 1, keysUsed: false };
  const first = { ...sent, lease: leased.lease, key: "s", bodyHash: "s" };
  const { judgement } = await store.write(PROJECT, "submit", first);
  const revised = { ...sent, judgement, key: "r", bodyHash: "r" };
  const second = await store.write(PROJECT, "revise", revised);
  // Given out before it became a hidden check.
  expect(await taken(store)).to.have.length(1);
  await store.write(PROJECT, "setGold", { item: "item-1", right: values });
  return second;
}

describeStores("redaction", (withStore) => {
  it(
    "leaves nothing of an item, closes it, names what was given out, and folds to the same again",
    withStore(async ({ store }) => {
      const { judgement } = await secretProject(store);
      const seq = await lastSeq(store.reading, PROJECT);
      const { judgements } = await store.write(PROJECT, "redactItem", { item: "item-1" });
      expect(judgements).to.have.length(2).and.to.include(judgement);
      const events = await readEvents(store.reading, { project: PROJECT, after: 0, most: 1000 });
      const drafts = await store.reading.selectFrom("drafts").selectAll().execute();
      expect(JSON.stringify([events, drafts, await projectionsOf(store)])).to.not.include("Ada");
      expect(events.filter(({ type }) => type === "payload.redacted")).to.have.length(5);
      expect(await withdrawn(store, seq)).to.deep.equal([{ seq: seq + 3, judgement, exported: true }]);
      expect(await taken(store)).to.be.empty;
      const before = await projectionsOf(store);
      await store.rebuild();
      expect(await projectionsOf(store)).to.equal(before);
      expect(await store.write(PROJECT, "next", { annotator: personName(1) })).to.equal(null);
    }),
  );

  it(
    "takes out one judgement in all its versions, and the item is asked again",
    withStore(async ({ store }) => {
      const { judgement } = await secretProject(store);
      await store.write(PROJECT, "setGold", { item: "item-1", right: null });
      await store.write(PROJECT, "redactJudgement", { judgement });
      const said = await store.reading.selectFrom("judgements").select(["given", "withdrawn"]).execute();
      expect(said).to.deep.equal([
        { given: "[]", withdrawn: 1 },
        { given: "[]", withdrawn: 1 },
      ]);
      const item = await store.reading
        .selectFrom("items")
        .select(["state", "taken", "judged"])
        .where("item", "=", "item-1")
        .executeTakeFirstOrThrow();
      expect(item).to.deep.equal({ state: "open", taken: 0, judged: 0 });
      const before = await projectionsOf(store);
      await store.rebuild();
      expect(await projectionsOf(store)).to.equal(before);
      for (const [name, input] of [
        ["redactJudgement", { judgement: "none" }],
        ["redactItem", { item: "none" }],
      ] as const)
        await expectFailure(() => store.write(PROJECT, name, input as never), "ATTUNE_NOT_FOUND", "none");
    }),
  );

  it(
    "is told of by exports: what is marked is named when it is taken back, and what is taken back does not leave",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 2, people: 1 });
      const judgements: string[] = [];
      for (let i = 0; i < 2; i++)
        judgements.push((await say(store, ann, (await lease(store, ann)).lease)).judgement);
      const [first = "", second = ""] = judgements;
      // Read, and taken back before it is marked.
      const rows = await all(exportRows({ reading: store.reading, project: PROJECT, kind: "preference" }));
      await store.write(PROJECT, "undo", { judgement: first, annotator: ann });
      const given = await all(
        recordedRows({
          ...{ store, project: PROJECT },
          rows: (async function* () {
            yield* rows;
          })(),
        }),
      );
      expect(given.map(({ source }) => source)).to.deep.equal([[second]]);
      await store.write(PROJECT, "undo", { judgement: second, annotator: ann });
      expect((await withdrawn(store)).map(({ judgement, exported }) => [judgement, exported])).to.deep.equal([
        [first, false],
        [second, true],
      ]);
    }),
  );
});

describeStores("redaction of what somebody has before them", (withStore) => {
  it(
    "ends the lease: nothing is shown, kept or taken any more",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 1 });
      const { lease: id } = await lease(store, ann);
      await store.write(PROJECT, "saveDraft", { lease: id, annotator: ann, body: { text: SECRET } });
      await store.write(PROJECT, "redactItem", { item: "item-0" });
      expect(await store.write(PROJECT, "next", { annotator: ann })).to.equal(null);
      const draft = { lease: id, annotator: ann, body: { text: SECRET } };
      await expectFailure(() => store.write(PROJECT, "saveDraft", draft), "ATTUNE_LEASE", "taken it out");
      await expectFailure(() => say(store, ann, id), "ATTUNE_LEASE", "taken it out");
      await expectFailure(
        () => store.write(PROJECT, "renew", { lease: id, annotator: ann }),
        "ATTUNE_LEASE",
        "expired",
      );
      expect(await store.reading.selectFrom("drafts").selectAll().execute()).to.be.empty;
      const before = await projectionsOf(store);
      await store.rebuild();
      expect(await projectionsOf(store)).to.equal(before);
    }),
  );

  it(
    "leaves no draft of a judgement: it goes when one submits or skips, and none comes behind it",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 2 });
      for (const done of [
        (id: string) => say(store, ann, id),
        (id: string) => store.write(PROJECT, "skip", { lease: id, annotator: ann, reason: "other" as const }),
      ]) {
        const { lease: id } = await lease(store, ann);
        const draft = { lease: id, annotator: ann, body: { text: SECRET } };
        await store.write(PROJECT, "saveDraft", draft);
        await done(id);
        expect(await store.reading.selectFrom("drafts").selectAll().execute()).to.be.empty;
        await expectFailure(
          () => store.write(PROJECT, "saveDraft", draft),
          "ATTUNE_LEASE",
          "waits for an answer",
        );
      }
    }),
  );
});

describe("redaction on the disk", () => {
  const at = suiteFolder();

  it("leaves no byte of an item in the store's files while it is open, also behind a reader", async () => {
    const store = await openEmbeddedStore({ folder: at("open") });
    const files = () =>
      Buffer.concat(readdirSync(at("open")).map((name) => readFileSync(join(at("open"), name))));
    try {
      const { judgement } = await secretProject(store);
      expect(files().includes("Ada Lovelace")).to.equal(true);
      await store.write(PROJECT, "redactItem", { item: "item-1" });
      expect(files().includes("Ada Lovelace")).to.equal(false);
      expect(judgement).to.be.a("string");
      await store.write(PROJECT, "addItems", { items: [{ ...pairItem(7), prompt: SECRET }] });
      await store.reading.transaction().execute(async (reading) => {
        await reading.selectFrom("items").select("item").execute();
        await store.write(PROJECT, "redactItem", { item: "item-2" });
        expect(files().includes("Ada Lovelace"), "while somebody reads").to.equal(true);
      });
      await store.write(PROJECT, "setGuidelines", { text: "Be kind." });
      expect(files().includes("Ada Lovelace")).to.equal(false);
    } finally {
      await store.close();
    }
  });

  it("leaves no byte of an item in the embedded store's files", async () => {
    const store = await openEmbeddedStore({ folder: at("store") });
    await secretProject(store);
    await store.write(PROJECT, "redactItem", { item: "item-1" });
    await store.close();
    const files = readdirSync(at("store"));
    expect(files).to.include("feedback.db");
    for (const file of files) {
      const bytes = readFileSync(join(at("store"), file));
      expect(bytes.includes("Ada Lovelace"), file).to.equal(false);
      expect(bytes.includes("item-1") || file !== "feedback.db", file).to.equal(true);
    }
  });
});
