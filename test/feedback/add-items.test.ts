// Many items at once: all are checked first, others have their turn in between, and the same prompt stays in one split.

import { expect } from "chai";
import { addItems } from "../../lib/feedback/add-items.js";
import { expectFailure } from "../errors/expect-failure.js";
import { lease, PROJECT, pairItem, personName, sampleProject } from "./sample-project.js";
import { describeStores } from "./stores.js";

describeStores("many items", (withStore) => {
  it(
    "are added in parts, with others' calls between them, each once and in order",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 1, people: 1 });
      const items = Array.from({ length: 1_000 }, (_, i) => pairItem(i));
      let done = false;
      const adding = addItems({ store, project: PROJECT, items: [...items, pairItem(5)] }).then((added) => {
        done = true;
        return added;
      });
      await lease(store, personName(0));
      expect(done, "a lease waits for one part at most").to.equal(false);
      const { items: added } = await adding;
      expect(added.map(({ item }) => item)).to.deep.equal([...items.map((_, i) => `item-${i}`), "item-5"]);
      expect(added.filter(({ duplicate }) => duplicate).length).to.equal(2);
      const events = await store.reading
        .selectFrom("events")
        .select("seq")
        .where("type", "=", "item.added")
        .execute();
      expect(events).to.have.length(1_000);
    }),
  );

  it(
    "are none where one is bad, which is named by its place among all",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const good = Array.from({ length: 450 }, (_, i) => pairItem(i));
      for (const bad of [{ prompt: 3 }, { prompt: "p", answers: [{ content: "one" }] }])
        await expectFailure(
          () => addItems({ store, project: PROJECT, items: [...good, bad] }),
          "ATTUNE_DATA",
          "items[450]",
        );
      expect(await store.reading.selectFrom("items").selectAll().execute()).to.be.empty;
    }),
  );

  it(
    "share a split where their prompts are the same in rows, as text or as a message",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const answers = [{ content: "a" }, { content: "b" }];
      const items = Array.from({ length: 20 }, (_, i) => [
        { prompt: `question ${i}`, answers },
        { prompt: [{ role: "user" as const, content: `question ${i}` }], answers },
      ]).flat();
      await addItems({ store, project: PROJECT, items });
      const rows = await store.reading
        .selectFrom("items")
        .select(["prompt_hash", "split"])
        .orderBy("number")
        .execute();
      const texts = rows.filter((_, i) => i % 2 === 0);
      expect(rows.filter((_, i) => i % 2 === 1)).to.deep.equal(texts);
      expect(new Set(texts.map((row) => row.prompt_hash)).size).to.equal(20);
    }),
  );
});
