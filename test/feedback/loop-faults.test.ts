// What a loop does when a part of it fails: people go on judging, the fault is told, and of what they said nothing is lost.

import { expect } from "chai";
import type { LoopEvent, TrainRound } from "../../lib/feedback/index.js";
import { digitLoop, digitWork, judgeSome, raters } from "./digits.js";
import { sampleProject } from "./sample-project.js";
import { describeStores } from "./stores.js";

const people = 3;
const empty = { items: 0, people, settings: { asks: [{ kind: "pair" as const }], random: 0.5 } };

describeStores("a loop of which a part fails", (withStore) => {
  it(
    "trains on all that was judged meanwhile when the trainer is well again",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      let broken = true;
      const asked: TrainRound[] = [];
      const loop = digitLoop(store, {
        settings: { queue: 120 },
        train: async (request) => {
          asked.push(request);
          if (broken) throw new Error("ENOSPC: no space left on device, write");
          return digitWork.train(request);
        },
      });
      const panel = raters(people);
      await loop.check();
      for (let tries = 0; tries < 2; tries++) {
        expect(await judgeSome(store, panel, 40)).to.equal(40);
        await loop.check();
        expect(loop.status().lastError).to.deep.include({ stage: "training", code: "ATTUNE_INTERNAL" });
        expect(loop.status().lastError?.message).to.include("no space left");
      }
      broken = false;
      await loop.check();
      await loop.stop();
      const judged = await store.reading
        .selectFrom("judgements as j")
        .innerJoin("items as i", "i.item", "j.item")
        .select("j.judgement")
        .where("i.split", "=", "train")
        .execute();
      const given = asked.at(-1)?.training.rows.flatMap(({ source }) => source);
      expect(asked.map(({ round }) => round)).to.deep.equal([1, 1, 1]);
      expect(given).to.have.members(judged.map(({ judgement }) => judgement));
      expect(loop.status()).to.deep.include({ rounds: 1, waiting: 0, lastError: null });
    }),
  );

  it(
    "trains on nothing that could not be predicted, and predicts it when there are scores again",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      let broken = false;
      const told: LoopEvent[] = [];
      const loop = digitLoop(store, {
        onEvent: (event) => told.push(event),
        score: async (request) => {
          if (broken) throw new Error("The scorer is gone.");
          return digitWork.score(request);
        },
      });
      const panel = raters(people);
      await loop.check();
      await judgeSome(store, panel, 40);
      await loop.check();
      const predictions = async () =>
        (await store.reading.selectFrom("predictions").select("judgement").execute()).length;
      const before = await predictions();
      broken = true;
      expect(await judgeSome(store, panel, 45)).to.equal(45);
      await loop.check();
      expect(loop.status()).to.deep.include({ rounds: 1 });
      expect(loop.status().lastError).to.deep.include({
        stage: "predicting",
        message: "The scorer is gone.",
      });
      expect(await predictions()).to.equal(before);
      broken = false;
      await loop.check();
      await loop.stop();
      expect(loop.status()).to.deep.include({ rounds: 2, lastError: null });
      expect(await predictions()).to.be.above(before + 10);
    }),
  );
});
