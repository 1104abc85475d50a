// What groups of annotators say by themselves, and models that were ranked rather than compared in pairs.

import { expect } from "chai";
import { measureAgreement } from "../../lib/feedback/agreement.js";
import { importRows } from "../../lib/feedback/imports/import-rows.js";
import type { JudgementValue } from "../../lib/feedback/judgement.js";
import { rateModels } from "../../lib/feedback/model-ratings.js";
import { peopleFacts } from "../../lib/feedback/people.js";
import { lease, PROJECT, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

describeStores("groups and rankings", (withStore) => {
  it(
    "give agreement and consensus by declared group, which all together hide",
    withStore(async ({ store }) => {
      const overlap = { least: 4, share: 0, most: 4 };
      await sampleProject(store, { items: 12, people: 0, settings: { overlap } });
      // Those of one group prefer the first answer, those of the other the second.
      for (let person = 0; person < 4; person++) {
        const annotator = personName(person);
        const group = person < 2 ? "north" : "south";
        await store.write(PROJECT, "addAnnotator", { annotator, name: annotator, group });
        for (let i = 0; i < 12; i++) {
          const leased = await lease(store, annotator);
          const first = String(leased.prompt).match(/\d+/)?.[0] ?? "";
          const wanted = `${Number(first) + (group === "north" ? 1 : 2)}`;
          const choice = leased.answers[0] === wanted ? "left" : "right";
          await say(store, annotator, leased.lease, [{ kind: "pair", choice }]);
        }
      }
      const asked = { reading: store.reading, project: PROJECT, seed: 1, draws: 100 };
      const [pairs] = await measureAgreement(asked);
      expect(pairs?.percent).to.be.below(0.4);
      expect(pairs?.byGroup?.north).to.include({ percent: 1, alpha: 1 });
      expect(pairs?.byGroup?.south).to.include({ percent: 1 });
      expect(pairs?.imported).to.equal(0);
      const { groups } = await peopleFacts(store.reading, PROJECT);
      expect(
        groups.map(({ group, annotators, judgements }) => [group, annotators, judgements]),
      ).to.deep.equal([
        ["north", 2, 24],
        ["south", 2, 24],
      ]);
      const [north, south] = groups.map(({ consensus }) => [...consensus.labels.values()]);
      expect(north?.every((label) => label > 0.5)).to.equal(true);
      expect(south?.every((label) => label < 0.5)).to.equal(true);
    }),
  );

  it(
    "rate models by rankings and pairs together, those judged elsewhere too",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0, people: 3 });
      const items = Array.from({ length: 9 }, (_, i) => ({
        prompt: `question ${i}`,
        answers: ["good", "fair", "poor"].map((model) => ({ content: `${model} ${i}`, model })),
        asks: [{ kind: "ranking" as const }],
      }));
      await store.write(PROJECT, "addItems", { items });
      for (let i = 0; i < 9; i++) {
        const person = personName(i % 3);
        const leased = await lease(store, person);
        const at = (model: string) => leased.answers.findIndex((text) => String(text).startsWith(model));
        const order = i === 8 ? ["fair", "good", "poor"] : ["good", "fair", "poor"];
        const ranking: JudgementValue = { kind: "ranking", tiers: order.map((model) => [at(model)]) };
        await say(store, person, leased.lease, [ranking]);
      }
      const turn = (role: string, content: string) => ({ role, content });
      const arena = (model: string, winner: string) => ({
        model_a: model,
        model_b: "poor",
        winner,
        judge: "somebody",
        conversation_a: [turn("user", "q"), turn("assistant", `of ${model}`)],
        conversation_b: [turn("user", "q"), turn("assistant", "of poor")],
      });
      const rows = [arena("fair", "model_a"), arena("good", "tie")];
      await importRows({ store, project: PROJECT, source: { rows } });
      const asked = { reading: store.reading, project: PROJECT, seed: 1, draws: 100 };
      const rated = await rateModels(asked);
      expect(rated).to.include({ method: "plackett-luce", votes: 11, imported: 2, annotators: 4 });
      expect(rated.models.map(({ model }) => model)).to.deep.equal(["good", "fair", "poor"]);
      for (const { rating, interval } of rated.models) {
        expect(rating).to.be.within(interval.low - 1e-9, interval.high + 1e-9);
      }
      const styled = await rateModels({ ...asked, styles: ["length"] });
      expect(styled.method).to.equal("bradley-terry");
      expect(styled.models.map(({ model }) => model)).to.deep.equal(["good", "fair", "poor"]);
    }),
  );
});
