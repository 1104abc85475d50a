// What the service finds out about people and models from simulated judgements whose truth is known.

import { expect } from "chai";
import { measureAgreement } from "../../lib/feedback/agreement.js";
import type { FeedbackContent, ItemInput } from "../../lib/feedback/judgement.js";
import { rateModels } from "../../lib/feedback/model-ratings.js";
import { peopleFacts } from "../../lib/feedback/people.js";
import type { ProjectSettingsInput } from "../../lib/feedback/project-settings.js";
import { type RaterOptions, simulatedRater } from "../../lib/feedback/simulated-rater.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { addPerson, lease, PROJECT, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

/** An answer's text says what it is worth. */
const worth = (_: FeedbackContent, answer: FeedbackContent) => Number(String(answer).split(" ")[0]);

const models = ["poor", "fair", "good"];

/** Answers of two of three models, of worth -1, 0 and 1. */
function modelItem(number: number): ItemInput {
  const first = number % 3;
  const second = (first + 1) % 3;
  return {
    prompt: `question ${number}`,
    answers: [first, second].map((model) => ({ content: `${model - 1} answer`, model: models[model] ?? "" })),
  };
}

interface Simulated {
  readonly items: number;
  readonly people: readonly Partial<RaterOptions>[];
  readonly settings?: ProjectSettingsInput;
  /** Items whose right answer is known. */
  readonly gold?: number;
}

async function simulate(
  store: FeedbackStore,
  { items, people, settings = {}, gold = 0 }: Simulated,
): Promise<void> {
  await store.write(PROJECT, "createProject", {
    project: PROJECT,
    name: "Simulated",
    settings: { asks: [{ kind: "pair" }], ...settings },
  });
  await store.write(PROJECT, "addItems", { items: Array.from({ length: items }, (_, i) => modelItem(i)) });
  for (let i = 0; i < gold; i++) {
    const right = (i % 3) - ((i + 1) % 3) > 0 ? "left" : "right";
    await store.write(PROJECT, "setGold", { item: `item-${i}`, right: [{ kind: "pair", choice: right }] });
  }
  // One after another in turn, so that every run and both stores ask the same.
  const raters = people.map((options, number) => simulatedRater({ seed: 1, number, worth, ...options }));
  for (const number of raters.keys()) await addPerson(store, personName(number));
  for (let left = true; left; ) {
    left = false;
    for (const [number, rater] of raters.entries()) {
      const annotator = personName(number);
      const leased = await store.write(PROJECT, "next", { annotator });
      if (leased === null) continue;
      left = true;
      const rated = rater.judge(leased);
      if (rated === null)
        await store.write(PROJECT, "skip", { lease: leased.lease, annotator, reason: "other" });
      else await say(store, annotator, leased.lease, rated.values);
    }
  }
}

describeStores("trust", (withStore) => {
  it(
    "recovers the models' order and the side bias",
    withStore(async ({ store }) => {
      const people = Array.from({ length: 10 }, () => ({ care: 2, sideBias: 0.6 }));
      await simulate(store, { items: 500, people, settings: { gold: 0, repeat: 0 } });
      const ratings = await rateModels({ reading: store.reading, project: PROJECT, seed: 1, draws: 200 });
      expect(ratings.models.map(({ model }) => model)).to.deep.equal(["good", "fair", "poor"]);
      expect(ratings.models.map(({ rank }) => rank)).to.deep.equal([1, 2, 3]);
      expect(ratings.side?.interval.low).to.be.below(0.6);
      expect(ratings.side?.interval.high).to.be.above(0.6);
      expect(ratings.side?.alarm).to.equal(true);
      expect(ratings.fewAnnotators).to.equal(false);
      expect(ratings.models[0]?.fragileVotes).to.be.greaterThan(3);
    }),
  );

  it(
    "flags a coin-flipper by gold, trusts the others, and sees who contradicts themselves",
    withStore(async ({ store }) => {
      const people = [{ care: 6 }, { care: 6 }, { care: 6 }, { care: 0 }];
      const settings = { gold: 0.2, repeat: 0.1, repeatAfter: 5, overlap: { least: 3, share: 0, most: 3 } };
      await simulate(store, { items: 180, people, settings, gold: 24 });
      const { people: found } = await peopleFacts(store.reading, PROJECT);
      expect(found.map(({ flagged }) => flagged)).to.deep.equal([false, false, false, true]);
      const [careful] = found;
      const flipper = found.at(-1);
      expect(careful?.gold?.count).to.be.greaterThan(15);
      expect(careful?.reliability).to.be.greaterThan(0.9);
      expect(flipper?.reliability).to.be.below(0.65);
      expect(careful?.repeats?.right).to.equal(careful?.repeats?.count);
      expect((flipper?.repeats?.right ?? 0) / (flipper?.repeats?.count ?? 1)).to.be.below(0.9);
      expect(careful?.medianMs).to.equal(1500);
    }),
  );

  it(
    "measures agreement beyond chance: high among the careful, none among coin-flippers",
    withStore(async ({ store }) => {
      const settings = { gold: 0, repeat: 0, overlap: { least: 2, share: 0, most: 4 } };
      await simulate(store, { items: 90, people: Array.from({ length: 4 }, () => ({ care: 6 })), settings });
      const [pairs] = await measureAgreement({
        reading: store.reading,
        project: PROJECT,
        seed: 1,
        draws: 100,
      });
      expect(pairs).to.include({ of: "pair", level: "nominal", degenerate: false });
      expect(pairs?.alpha).to.be.greaterThan(0.9);
      expect(pairs?.interval.low).to.be.at.most(pairs?.alpha ?? 0);
    }),
  );

  it(
    "sees that people agree where the better answer stands first in every item",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 6, settings: { overlap: { least: 2, share: 0 } } });
      for (const annotator of [personName(0), personName(1)])
        for (let i = 0; i < 6; i++) {
          const { lease: leased, prompt, answers } = await lease(store, annotator);
          const [number = 0] = /\d+/.exec(String(prompt)) ?? [];
          const choice = answers[0] === `${Number(number) + 1}` ? "left" : "right";
          await say(store, annotator, leased, [{ kind: "pair", choice }]);
        }
      const [pairs] = await measureAgreement({
        reading: store.reading,
        project: PROJECT,
        seed: 1,
        draws: 100,
      });
      expect(pairs).to.deep.include({ of: "pair", alpha: 1, degenerate: false, values: 12, units: 6 });
      expect(pairs?.interval).to.deep.equal({ low: 1, high: 1 });
    }),
  );

  it(
    "finds no agreement among coin-flippers, whatever the percentage",
    withStore(async ({ store }) => {
      const settings = { gold: 0, repeat: 0, overlap: { least: 2, share: 0, most: 4 } };
      await simulate(store, { items: 200, people: Array.from({ length: 4 }, () => ({ care: 0 })), settings });
      const [pairs] = await measureAgreement({
        reading: store.reading,
        project: PROJECT,
        seed: 1,
        draws: 100,
      });
      expect(pairs?.alpha).to.be.within(-0.2, 0.2);
      expect(pairs?.percent).to.be.within(0.4, 0.6);
    }),
  );

  it(
    "says nothing where there is nothing to say",
    withStore(async ({ store }) => {
      await simulate(store, { items: 0, people: [{}] });
      const { models: none, votes } = await rateModels({ reading: store.reading, project: PROJECT, seed: 1 });
      expect([none, votes]).to.deep.equal([[], 0]);
      expect(await measureAgreement({ reading: store.reading, project: PROJECT, seed: 1 })).to.deep.equal([]);
      const { people } = await peopleFacts(store.reading, PROJECT);
      expect(people[0]).to.include({ judgements: 0, flagged: false, gold: undefined });
    }),
  );
});
