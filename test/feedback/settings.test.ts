// Settings that change while people judge: how many judgements items have, and what agreement counts of them.

import { expect } from "chai";
import { measureAgreement } from "../../lib/feedback/agreement.js";
import { changeSettings } from "../../lib/feedback/change-settings.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { projectionsOf } from "./projections.js";
import { lease, PROJECT, pairItem, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

const itemsOf = (store: FeedbackStore) =>
  store.reading.selectFrom("items").select(["item", "state", "slots"]).orderBy("number").execute();

/** Nobody disagrees. */
const tie = { kind: "pair", choice: "tie" } as const;

async function judgeAll(store: FeedbackStore, person: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await say(store, personName(person), (await lease(store, personName(person))).lease, [tie]);
}

describeStores("settings that change", (withStore) => {
  it(
    "ask more people of items that had enough, and of nobody's that are closed, gold or judged elsewhere",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 4 });
      await judgeAll(store, 0, 4);
      await store.write(PROJECT, "closeItem", { item: "item-1" });
      await store.write(PROJECT, "setGold", { item: "item-2", right: [{ kind: "pair", choice: "left" }] });
      await store.write(PROJECT, "capture", {
        user: "u",
        prompt: "p",
        answers: [{ content: "a" }],
        value: { kind: "thumb", answer: 0, up: true },
      });
      expect((await itemsOf(store)).map(({ state }) => state)).to.deep.equal([
        ...["enough", "closed", "enough", "enough", "enough"],
      ]);
      await changeSettings({ store, project: PROJECT, settings: { overlap: { least: 2 } } });
      expect((await itemsOf(store)).map(({ state, slots }) => `${state} ${slots}`)).to.deep.equal([
        ...["open 2", "closed 1", "enough 1", "open 2", "enough 1"],
      ]);
      await judgeAll(store, 1, 2);
      expect(await store.write(PROJECT, "next", { annotator: personName(1) })).to.equal(null);
      // Fewer are wanted of new ones alone.
      await changeSettings({ store, project: PROJECT, settings: { overlap: { least: 1 } } });
      await store.write(PROJECT, "addItems", { items: [pairItem(9)] });
      expect((await itemsOf(store)).map(({ slots }) => slots)).to.deep.equal([2, 1, 1, 2, 1, 1]);
      const before = await projectionsOf(store);
      await store.rebuild();
      expect(await projectionsOf(store)).to.deep.equal(before);
    }),
  );

  it(
    "leave what was agreed upon as it was",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 3, settings: { overlap: { share: 1, shared: 2 } } });
      await judgeAll(store, 0, 3);
      await judgeAll(store, 1, 3);
      const measured = () =>
        measureAgreement({ reading: store.reading, project: PROJECT, seed: 1, draws: 50 });
      const before = await measured();
      expect(before.map(({ of, values }) => [of, values])).to.deep.equal([["pair", 6]]);
      await changeSettings({ store, project: PROJECT, settings: { overlap: { share: 0 } } });
      expect(await measured()).to.deep.equal(before);
    }),
  );
});
