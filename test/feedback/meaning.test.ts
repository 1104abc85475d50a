// When two judgements say the same: what asks another person, and what gold and repeats count.

import { expect } from "chai";
import type { Ask, JudgementValue } from "../../lib/feedback/judgement.js";
import { APART, meaningOf, NEAR, saySame } from "../../lib/feedback/meaning.js";
import { peopleFacts } from "../../lib/feedback/people.js";
import { lease, PROJECT, pairItem, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

const scale: Ask = { kind: "rating", axis: "kind", low: 1, high: 7, step: 1 };
const rated = (value: number, answer = 0): JudgementValue => ({
  kind: "rating",
  axis: "kind",
  answer,
  value,
});
const chose = (choice: "left" | "right" | "tie" | "both_good" | "both_bad"): JudgementValue => ({
  kind: "pair",
  choice,
});

function same(first: JudgementValue, second: JudgementValue, share = NEAR, turned = false) {
  const said = [meaningOf([first], [0, 1]), meaningOf([second], turned ? [1, 0] : [0, 1])];
  return saySame(said, { asks: [scale], share });
}

describe("what is said", () => {
  it("of a pair is the same by answer; every way to prefer neither is one of its own", () => {
    expect(same(chose("left"), chose("right"), NEAR, true)).to.equal(true);
    expect(same(chose("left"), chose("left"), NEAR, true)).to.equal(false);
    expect(same(chose("both_good"), chose("both_bad"))).to.equal(false);
    expect(same(chose("tie"), chose("both_good"))).to.equal(false);
    expect(same(chose("both_bad"), chose("both_bad"), NEAR, true)).to.equal(true);
  });

  it("by ratings is near within a sixth of the scale, apart beyond a third", () => {
    expect([4, 5, 6, 7].map((value) => same(rated(4), rated(value)))).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
    expect([5, 6, 7].map((value) => same(rated(4), rated(value), APART))).to.deep.equal([true, true, false]);
  });

  it("of different things is neither", () => {
    expect(same(rated(4), chose("left"))).to.equal(undefined);
  });
});

describeStores("people who do not say the same", (withStore) => {
  it(
    "are one who finds both good and one who finds both bad: another is asked",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 1, settings: { overlap: { share: 1, shared: 2, most: 3 } } });
      const said = ["both_good", "both_bad"] as const;
      for (const [person, choice] of said.entries())
        await say(store, personName(person), (await lease(store, personName(person))).lease, [chose(choice)]);
      const items = await store.reading.selectFrom("items").select(["state", "slots"]).execute();
      expect(items).to.deep.equal([{ state: "open", slots: 3 }]);
    }),
  );

  it(
    "are ratings of gold items: far from what is right counts as wrong",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0, settings: { gold: 1 } });
      const items = [0, 1].map((i) => ({ ...pairItem(i), asks: [scale] }));
      await store.write(PROJECT, "addItems", { items });
      for (const item of ["item-0", "item-1"])
        await store.write(PROJECT, "setGold", { item, right: [rated(7), rated(2, 1)] });
      for (const value of [2, 6]) {
        const found = await lease(store, personName(0));
        const values = found.answers.map((_, answer) => rated(value, answer));
        await say(store, personName(0), found.lease, values);
      }
      const { people } = await peopleFacts(store.reading, PROJECT);
      // 2 and 6 are each right of one answer and wrong of the other.
      expect(people[0]?.gold).to.include({ right: 0, count: 2 });
    }),
  );
});
