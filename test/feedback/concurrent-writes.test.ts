// Writes that come at the same moment: each happens, none sees half of another.

import { expect } from "chai";
import { PROJECT, pairItem, sampleProject } from "./sample-project.js";
import { describeStores } from "./stores.js";

const eight = Array.from({ length: 8 }, (_, i) => i);

describeStores("writes at the same moment", (withStore) => {
  it(
    "give guidelines, items, people and policies numbers of their own",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0, people: 0 });
      const guidelines = eight.map((i) => store.write(PROJECT, "setGuidelines", { text: `Rule ${i}` }));
      const items = eight.map((i) =>
        store.write(PROJECT, "addItems", { items: [pairItem(i), pairItem(100)] }),
      );
      const people = eight.map((i) =>
        store.write(PROJECT, "addAnnotator", { annotator: `person-${i % 4}`, name: "N" }),
      );
      const policies = eight.map((i) =>
        store.write(PROJECT, "registerPolicy", { policy: `policy-${i % 4}`, model: "m" }),
      );
      const versions = (await Promise.all(guidelines)).map(({ version }) => version);
      expect(versions.sort((a, b) => a - b)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8]);
      const added = (await Promise.all(items)).flatMap((one) => one.items);
      expect(new Set(added.map(({ item }) => item)).size).to.equal(9);
      await Promise.all(people);
      const numbers = (await Promise.all(policies)).map(({ number }) => number);
      expect(new Set(numbers).size).to.equal(4);
      const rows = await store.reading.selectFrom("annotators").select("number").orderBy("number").execute();
      expect(rows.map(({ number }) => number)).to.deep.equal([0, 1, 2, 3]);
    }),
  );
});
