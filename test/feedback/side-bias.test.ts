// The bias towards a side and what it does to labels: of a few votes, of answers without models, of people who press one key.

import { expect } from "chai";
import { exportRows } from "../../lib/feedback/export-rows.js";
import { peopleFacts } from "../../lib/feedback/people.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { lease, PROJECT, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

/** Pairs of one model's answers, as the loop asks for. */
const twins = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    ...{ externalId: `twin-${i}`, prompt: `Which is kinder, ${i}?`, split: "train" as const },
    answers: [
      { content: "one", model: "policy" },
      { content: "other", model: "policy" },
    ],
  }));

/** Everyone presses the left key as long as there is something to judge. */
async function pressLeft(store: FeedbackStore, people: number, each: number): Promise<void> {
  for (let person = 0; person < people; person++)
    for (let i = 0; i < each; i++)
      await say(store, personName(person), (await lease(store, personName(person))).lease);
}

async function labelsOf(store: FeedbackStore): Promise<number[]> {
  const labels: number[] = [];
  for await (const { label } of exportRows({ reading: store.reading, project: PROJECT, kind: "preference" }))
    labels.push(Number(label));
  return labels;
}

describeStores("the bias towards a side", (withStore) => {
  it(
    "does not explain one vote away",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      await store.write(PROJECT, "addItems", { items: twins(1) });
      await pressLeft(store, 1, 1);
      const [label = 0.5] = await labelsOf(store);
      expect(Math.max(label, 1 - label)).to.be.within(0.75, 0.82);
    }),
  );

  it(
    "is told with an alarm where both answers are of one model and all press left, and weakens what they say",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0, people: 12 });
      await store.write(PROJECT, "addItems", { items: twins(96) });
      await pressLeft(store, 12, 8);
      const { sides } = await peopleFacts(store.reading, PROJECT);
      expect(sides.alarm).to.equal(true);
      expect(sides.gamma).to.be.above(1);
      expect(sides.interval.low).to.be.above(0.2);
      const strongest = (await labelsOf(store)).map((label) => Math.max(label, 1 - label));
      expect(strongest).to.have.length(96);
      expect(Math.max(...strongest)).to.be.below(0.65);
    }),
  );

  it(
    "makes a vote against it say more than one with it",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0, people: 6 });
      await store.write(PROJECT, "addItems", { items: twins(60) });
      for (let person = 0; person < 6; person++)
        for (let i = 0; i < 10; i++) {
          const { lease: leased } = await lease(store, personName(person));
          const choice = i === 0 ? "right" : "left";
          await say(store, personName(person), leased, [{ kind: "pair", choice }]);
        }
      const strengths = (await labelsOf(store)).map((label) => Math.abs(label - 0.5)).sort((a, b) => a - b);
      expect(strengths).to.have.length(60);
      // The six against it are the surest.
      expect(strengths[54]).to.be.above((strengths[53] ?? 0) + 0.1);
    }),
  );
});
