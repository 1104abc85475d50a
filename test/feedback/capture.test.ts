// What a product's own users say: kept once, replaced when they change their minds, turned into rows.

import { expect } from "chai";
import { captureThumbs, type ExportKind, exportRows, readEvents } from "../../lib/feedback/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { lease, PROJECT, personName, sampleProject } from "./sample-project.js";
import { describeStores, type StoreUnderTest } from "./stores.js";

async function rowsOf({ store }: StoreUnderTest, kind: ExportKind) {
  const rows: Record<string, unknown>[] = [];
  for await (const row of exportRows({ reading: store.reading, project: PROJECT, kind })) rows.push(row);
  return rows;
}

const prompt = "Do you have oat milk?";
const thumb = { user: "u-1", id: "chat-7", prompt, answer: { content: "Yes, in the fridge.", model: "m1" } };

describeStores("captured feedback", (withStore) => {
  it(
    "keeps a thumb once, however often it is sent",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 0 });
      const product = captureThumbs({ store: test.store, project: PROJECT });
      const first = await product.thumb({ ...thumb, up: true });
      const again = await product.thumb({ ...thumb, up: true });
      expect([first.isNew, again.isNew, again.judgement]).to.deep.equal([true, false, first.judgement]);
      const rows = await rowsOf(test, "unpaired");
      expect(rows).to.have.lengthOf(1);
      expect(rows[0]).to.deep.include({
        prompt: [{ role: "user", content: prompt }],
        completion: [{ role: "assistant", content: "Yes, in the fridge." }],
        label: true,
        source: [first.judgement],
      });
    }),
  );

  it(
    "replaces what a user said by what they say now",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 0 });
      const product = captureThumbs({ store: test.store, project: PROJECT });
      await product.thumb({ ...thumb, up: true });
      await product.thumb({ ...thumb, up: false });
      await product.thumb({ ...thumb, user: "u-2", up: true });
      const labels = (await rowsOf(test, "unpaired")).map(({ label }) => label);
      expect(labels).to.deep.equal([false, true]);
    }),
  );

  it(
    "makes pairs of choices and edits, and best-of rankings of more answers",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 0 });
      const product = captureThumbs({ store: test.store, project: PROJECT });
      await product.choice({ user: "u", prompt, answers: ["No.", "Yes, in the fridge."], chosen: 1 });
      await product.edit({ user: "u", prompt, answer: "Yes in fridge.", text: "Yes, in the fridge." });
      await product.choice({ user: "u", prompt: "Hi", answers: ["a", "b", "c"], chosen: 2 });
      const pairs = await rowsOf(test, "preference");
      const contents = pairs.map(({ chosen, rejected }) =>
        [chosen, rejected].map((side) => (side as { content: string }[])[0]?.content),
      );
      expect(contents).to.deep.include.members([
        ["Yes, in the fridge.", "No."],
        ["Yes, in the fridge.", "Yes in fridge."],
      ]);
      expect(await rowsOf(test, "prompt-completion")).to.have.lengthOf(1);
      expect((await rowsOf(test, "ranking"))[0]?.ranks).to.deep.equal([null, null, 1]);
    }),
  );

  it(
    "marks them in the log, with neither a name of the user nor a propensity",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 0, people: 0 });
      const product = captureThumbs({ store: test.store, project: PROJECT });
      await product.thumb({ ...thumb, user: "mia@example.com", up: true });
      const events = await readEvents(test.store.reading, { project: PROJECT, after: 1, most: 100 });
      expect(events.map(({ actor }) => actor)).to.deep.equal(["capture", "capture", "capture"]);
      expect(JSON.stringify(events)).to.not.include("mia").and.not.include("propensity");
    }),
  );

  it(
    "asks nobody of what users have judged",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 1 });
      const product = captureThumbs({ store: test.store, project: PROJECT });
      await product.thumb({ ...thumb, up: true });
      expect((await lease(test.store, personName(0))).prompt).to.equal("What is 0 and one?");
      expect(await test.store.write(PROJECT, "next", { annotator: personName(1) })).to.equal(null);
    }),
  );

  it(
    "refuses what cannot be meant, and keeps nothing of it",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 0 });
      const product = captureThumbs({ store: test.store, project: PROJECT });
      await product.thumb({ ...thumb, up: true });
      const refusals = [
        await failureOf(() => product.thumb({ ...thumb, answer: "Another answer.", up: true })),
        await failureOf(() => product.choice({ user: "u", prompt, answers: ["a", "b", "c"], chosen: 3 })),
        await failureOf(() => product.edit({ user: "u", prompt, answer: "a", text: " " })),
        await failureOf(() => product.choice({ user: "u", prompt, answers: [], chosen: 0 })),
      ];
      expect(refusals.map(({ code }) => code)).to.deep.equal([
        "ATTUNE_CONFLICT",
        "ATTUNE_JUDGEMENT",
        "ATTUNE_JUDGEMENT",
        "ATTUNE_DATA",
      ]);
      const { count } = await test.store.reading
        .selectFrom("items")
        .select((e) => e.fn.countAll<number>().as("count"))
        .executeTakeFirstOrThrow();
      expect(Number(count)).to.equal(1);
    }),
  );

  it(
    "are the same after the log is folded again",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 0 });
      const product = captureThumbs({ store: test.store, project: PROJECT });
      await product.thumb({ ...thumb, up: true });
      await product.thumb({ ...thumb, up: false });
      const tables = async () => ({
        items: await test.store.reading.selectFrom("items").selectAll().execute(),
        judgements: await test.store.reading.selectFrom("judgements").selectAll().orderBy("seq").execute(),
      });
      const before = await tables();
      await test.store.rebuild();
      expect(await tables()).to.deep.equal(before);
    }),
  );
});
