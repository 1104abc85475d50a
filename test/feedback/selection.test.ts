// What selectors say of items whose worth is known, and the priorities and propensities that come of it.

import { expect } from "chai";
import { prioritiesOf, type ScoredItem, selectorsByName } from "../../lib/feedback/index.js";
import { weightOf } from "../../lib/feedback/model-ratings.js";
import { readJudgements } from "../../lib/feedback/read-judgements.js";
import { expectFailure } from "../errors/expect-failure.js";
import { digitBound } from "./digits.js";
import { lease, PROJECT, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

function scored(item: string, heads: readonly (readonly number[])[], promptHash = item): ScoredItem {
  return { item, promptHash, heads };
}

const logit = (p: number) => Math.log(p / (1 - p));

/** Of two answers: what each head says that the first is better with. */
function said(item: string, ...probabilities: readonly number[]): ScoredItem {
  return scored(item, [probabilities.map(logit), probabilities.map(() => 0)]);
}

const oneHot = (digit: number) => Float64Array.from({ length: 10 }, (_, i) => (i === digit ? 1 : 0));

describe("selectors", () => {
  it("find no gain in a tie that all heads see, and much where they are sure of opposite answers", () => {
    const values = selectorsByName.disagreement(
      [said("tie", 0.5, 0.5), said("split", 0.05, 0.95), said("sure", 0.9, 0.9)],
      {},
    );
    // H(0.5) - H(0.05), in nats.
    const split = Math.log(2) + 0.05 * Math.log(0.05) + 0.95 * Math.log(0.95);
    expect(values[0]).to.equal(0);
    expect(values[1]).to.be.closeTo(split, 1e-12);
    expect(values[1]).to.be.closeTo(0.4946, 1e-4);
    expect(values[2]).to.be.closeTo(0, 1e-12);
  });

  it("take an item of more answers by its most disputed pair", () => {
    const heads = [
      [0, 0],
      [3, -3],
      [0, 0],
    ];
    const [many = 0] = selectorsByName.disagreement([scored("many", heads)], {});
    const [pair = 0] = selectorsByName.disagreement([scored("pair", heads.slice(0, 2))], {});
    expect(many).to.equal(pair);
    expect(many).to.be.above(0.3);
  });

  it("measure a gap by the heads' means", () => {
    const heads = [
      [1, 3],
      [0, 1],
    ];
    expect(selectorsByName.gap([scored("a", heads)], {})).to.deep.equal([1.5]);
  });

  it("ask what a bound knows least of, and nothing of answers that cannot be the best", () => {
    // 0 to 3 were compared often, 8 and 9 never; 0 loses against all.
    const often = Array.from({ length: 60 }, () => [
      [3, 0],
      [3, 1],
      [2, 0],
      [1, 0],
    ]).flat() as unknown as readonly [number, number][];
    const bound = digitBound(often);
    const item = (name: string, digits: readonly number[], promptHash = name): ScoredItem => ({
      ...scored(
        name,
        digits.map(() => [0]),
        promptHash,
      ),
      features: digits.map(oneHot),
    });
    const [known = 0, fresh = 0, beaten = 0] = selectorsByName.optimistic(
      [item("known", [2, 3], "a"), item("fresh", [8, 9], "b"), item("beaten", [0, 3], "c")],
      { bound },
    );
    expect(fresh).to.be.above(known);
    expect(known).to.be.above(0);
    expect(beaten).to.equal(0);
  });

  it("are all the same at random, and without a bound", () => {
    const items = [said("a", 0.1, 0.9), said("b", 0.5, 0.5)];
    expect(selectorsByName.random(items, {})).to.deep.equal([0, 0]);
    expect(selectorsByName.optimistic(items, {})).to.deep.equal([0, 0]);
  });
});

describe("priorities", () => {
  const items = [said("a", 0.5, 0.5), said("b", 0.3, 0.7), said("c", 0.05, 0.95)];

  it("are in standard deviations, whatever a selector's scale", () => {
    const of = (factor: number) =>
      prioritiesOf({ items, skipCost: 1, selector: (all) => all.map((_, i) => factor * i) });
    const values = of(1e-6).map(([, priority]) => priority);
    expect(values[0]).to.be.closeTo(-Math.sqrt(1.5), 1e-9);
    for (const [i, [, priority]] of of(1e6).entries()) expect(priority).to.be.closeTo(values[i] ?? 0, 1e-9);
  });

  it("fall by each time that people passed an item over", () => {
    const skips = new Map([["c", 2]]);
    const plain = prioritiesOf({ items, skipCost: 0.7, selector: "disagreement" });
    const less = prioritiesOf({ items, skipCost: 0.7, selector: "disagreement", skips });
    expect(less[2]?.[1]).to.be.closeTo((plain[2]?.[1] ?? 0) - 1.4, 1e-12);
    expect(less[0]).to.deep.equal(plain[0]);
  });

  it("refuse a function that gives too few values, or one that is not finite", async () => {
    const give = (values: readonly number[]) => async () =>
      prioritiesOf({ items, skipCost: 1, selector: () => values });
    await expectFailure(give([1]), "ATTUNE_OPTION", "3 values");
    await expectFailure(give([1, Number.NaN, 2]), "ATTUNE_OPTION", "of b it says NaN");
  });
});

describeStores("propensities", (withStore) => {
  const priorities = [
    ["item-0", 1],
    ["item-1", 0.5],
    ["item-2", 0],
  ] as const;

  it(
    "follow the temperature, also one that is changed while items are open",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 3, people: 2, settings: { random: 0.2, temperature: 1 } });
      await store.write(PROJECT, "prioritise", { priorities });
      await lease(store, personName(0));
      await store.write(PROJECT, "changeProject", { settings: { temperature: 0.25 } });
      await lease(store, personName(1));
      const rows = await store.reading
        .selectFrom("assignments")
        .select(["item", "propensity", "available"])
        .orderBy("annotator")
        .execute();
      const priorityOf = new Map<string, number>(priorities);
      const share = (item: string, open: readonly string[], temperature: number) => {
        const power = (one: string) => Math.exp((priorityOf.get(one) ?? 0) / temperature);
        return power(item) / open.reduce((sum, one) => sum + power(one), 0);
      };
      const [first, second] = rows;
      const all = ["item-0", "item-1", "item-2"];
      const left = all.filter((item) => item !== first?.item);
      expect(first?.propensity).to.be.closeTo(0.2 / 3 + 0.8 * share(first?.item ?? "", all, 1), 1e-12);
      expect(second?.available).to.equal(2);
      expect(second?.propensity).to.be.closeTo(0.2 / 2 + 0.8 * share(second?.item ?? "", left, 0.25), 1e-12);
    }),
  );

  it(
    "discount prompts that were asked about, and say the same after a restart",
    withStore(async (test) => {
      const settings = { random: 0.2, overlap: { least: 2, share: 0 } };
      await sampleProject(test.store, { items: 0, people: 3, settings });
      const of = (prompt: string, content: string) => ({
        prompt,
        answers: [{ content }, { content: `${content} too` }],
      });
      const items = [of("p", "a"), of("p", "b"), of("p", "c"), of("q", "d")];
      await test.store.write(PROJECT, "addItems", { items });
      for (const item of ["item-0", "item-1", "item-3"])
        await test.store.write(PROJECT, "prioritise", { priorities: [[item, -25]] });
      // Surely the third item, the one that stands last of its prompt.
      for (const person of [0, 1])
        await say(test.store, personName(person), (await lease(test.store, personName(person))).lease);
      await test.store.write(PROJECT, "closeItem", { item: "item-2" });
      for (const item of ["item-0", "item-1", "item-3"])
        await test.store.write(PROJECT, "prioritise", { priorities: [[item, 0]] });
      await test.reopen();
      await lease(test.store, personName(2));
      const row = await test.store.reading
        .selectFrom("assignments")
        .select(["item", "propensity", "available"])
        .where("annotator", "=", personName(2))
        .executeTakeFirstOrThrow();
      const asked = await test.store.reading
        .selectFrom("assignments")
        .select("item")
        .where("annotator", "!=", personName(2))
        .execute();
      const times = asked.filter(({ item }) => item !== "item-3").length;
      const weights = new Map([
        ["item-0", 1 / (1 + times)],
        ["item-1", 1 / (1 + times)],
        ["item-3", 1 / (1 + asked.length - times)],
      ]);
      const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
      expect(times).to.be.above(0);
      expect(row.available).to.equal(3);
      expect(row.propensity).to.be.closeTo(0.2 / 3 + (0.8 * (weights.get(row.item) ?? 0)) / total, 1e-12);
    }),
  );

  it(
    "give weights of 5 at most, whatever the share of random draws",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 30, people: 1, settings: { random: 0.05 } });
      const favourite = Array.from({ length: 30 }, (_, i) => [`item-${i}`, i === 7 ? 9 : 0] as const);
      await store.write(PROJECT, "prioritise", { priorities: favourite });
      for (let i = 0; i < 12; i++) await say(store, personName(0), (await lease(store, personName(0))).lease);
      const weights: number[] = [];
      let inverse = 0;
      for await (const chunk of readJudgements(store.reading, { project: PROJECT }))
        for (const judgement of chunk) {
          weights.push(weightOf(judgement));
          inverse = Math.max(inverse, 1 / (judgement.available * judgement.propensity));
        }
      expect(weights).to.have.length(12);
      expect(Math.max(...weights)).to.be.at.most(5);
      expect(Math.min(...weights)).to.be.below(0.1);
      expect(inverse).to.be.above(0);
    }),
  );
});
