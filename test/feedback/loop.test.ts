// The live loop over real stores: what it trains on, predicts, asks about next, remembers, and what it does when something
// goes wrong. Policies are tables of digits: no engine is needed.

import { expect } from "chai";
import { AttuneError } from "../../lib/errors/index.js";
import type { LoopEvent, TrainRound } from "../../lib/feedback/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { digitLoop, digitWork, judgeSome, meanDigit, raters, recordedLoop, uniform } from "./digits.js";
import { lease, PROJECT, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

const settings = { asks: [{ kind: "pair" as const }] };
const people = 3;
const empty = { items: 0, people, settings };

describeStores("the loop", (withStore) => {
  it(
    "makes policies whose answers are worth more, from judgements alone",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      const loop = digitLoop(store);
      const panel = raters(people);
      await loop.check();
      for (let round = 0; round < 4; round++) {
        await judgeSome(store, panel, 40);
        await loop.check();
      }
      const { policy, rounds, history, lastError } = loop.status();
      await loop.stop();
      expect(lastError).to.equal(null);
      expect(rounds).to.be.at.least(3);
      expect(policy?.policy).to.equal(history.at(-1)?.policy);
      expect(meanDigit(uniform)).to.be.closeTo(4.5, 1e-9);
      expect(meanDigit(policy?.place ?? uniform)).to.be.above(6.5);
    }),
  );

  it(
    "registers a policy before its answers arrive, and asks about the newest one",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      const loop = digitLoop(store);
      await loop.check();
      await judgeSome(store, raters(people), 40);
      await loop.check();
      await loop.stop();
      const policies = await store.reading.selectFrom("policies").select(["policy", "number"]).execute();
      expect(policies).to.have.deep.members([
        { policy: "round-0", number: 0 },
        { policy: "round-1", number: 1 },
      ]);
      const rows = await store.reading.selectFrom("items").select(["external_id", "answers"]).execute();
      const newest = rows.filter(({ external_id }) => external_id?.startsWith("round-1/"));
      expect(newest).to.have.length.above(20);
      for (const { answers } of newest)
        expect((JSON.parse(answers) as { policy: string }[]).map(({ policy }) => policy)[0]).to.equal(
          "round-1",
        );
    }),
  );

  it(
    "predicts every vote of the random share before a round has seen it, and no other",
    withStore(async ({ store }) => {
      await sampleProject(store, { ...empty, settings: { ...settings, random: 0.5 } });
      const seen: string[] = [];
      const loop = digitLoop(store, {
        train: async (request) => {
          for (const { source } of request.training.rows) seen.push(...source);
          return digitWork.train(request);
        },
      });
      const panel = raters(people);
      await loop.check();
      for (let round = 0; round < 3; round++) {
        await judgeSome(store, panel, 40);
        await loop.check();
      }
      const { prequential, history } = loop.status();
      await loop.stop();
      const kept = await store.reading.selectFrom("predictions").selectAll().execute();
      const votes = await store.reading
        .selectFrom("judgements as j")
        .innerJoin("assignments as a", "a.assignment", "j.assignment")
        .select(["j.judgement", "j.seq", "a.random"])
        .execute();
      // The first round had no model to predict with.
      const first = history[0]?.ended ?? 0;
      expect(first).to.be.above(0);
      const drawn = new Set(votes.filter(({ random }) => random === 1).map(({ judgement }) => judgement));
      expect(kept.length).to.be.above(20);
      expect(kept.every(({ judgement }) => drawn.has(judgement))).to.equal(true);
      const seqOf = new Map(votes.map(({ judgement, seq }) => [judgement, Number(seq)]));
      const begin = Math.min(...kept.map(({ judgement }) => seqOf.get(judgement) ?? 0));
      const later = votes.filter(({ seq, random }) => random === 1 && Number(seq) >= begin);
      expect(kept).to.have.length(later.length);
      expect(prequential.all?.votes).to.equal(kept.length);
      expect(prequential.all?.accuracy).to.be.above(0.6);
      expect(prequential.versions.map(({ version }) => version)).to.deep.equal(
        history.slice(0, prequential.versions.length).map(({ policy }) => policy),
      );
      const right = kept.reduce(
        (sum, { probability }) => sum + (probability > 0.5 ? 1 : probability === 0.5 ? 0.5 : 0),
        0,
      );
      expect(prequential.all?.accuracy).to.be.closeTo(right / kept.length, 1e-12);
      expect(seen).to.not.be.empty;
    }),
  );

  it(
    "never trains on a vote that it has not predicted: one that comes while rows are gathered waits",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      const rounds: TrainRound[] = [];
      const panel = raters(people);
      let late: string | undefined;
      const loop = digitLoop(store, {
        score: async (request) => {
          // Somebody judges while votes are being predicted.
          if (rounds.length === 1 && late === undefined) {
            const before = new Set(
              (await store.reading.selectFrom("judgements").select("judgement").execute()).map(
                ({ judgement }) => judgement,
              ),
            );
            await judgeSome(store, panel, 1);
            const after = await store.reading.selectFrom("judgements").select("judgement").execute();
            late = after.map(({ judgement }) => judgement).find((judgement) => !before.has(judgement));
          }
          return digitWork.score(request);
        },
        train: async (request) => {
          rounds.push(request);
          return digitWork.train(request);
        },
      });
      await loop.check();
      await judgeSome(store, panel, 36);
      await loop.check();
      await judgeSome(store, panel, 36);
      await loop.check();
      await loop.stop();
      expect(late).to.be.a("string");
      const sources = rounds[1]?.training.rows.flatMap(({ source }) => source);
      expect(rounds).to.have.length(2);
      expect(sources).to.not.include(late);
    }),
  );

  it(
    "mixes new rows with as many older ones, and drops what was withdrawn from the replay",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      const { loop, rounds } = recordedLoop(store);
      const panel = raters(people);
      await loop.check();
      await judgeSome(store, panel, 45);
      await loop.check();
      const [mine] = await store.reading
        .selectFrom("judgements as j")
        .innerJoin("items as i", "i.item", "j.item")
        .select(["j.judgement", "j.annotator"])
        .where("i.split", "=", "train")
        .orderBy("j.seq", "desc")
        .execute();
      const withdrawn = mine?.judgement ?? "";
      expect(rounds[0]?.training.rows.flatMap(({ source }) => source)).to.include(withdrawn);
      await store.write(PROJECT, "undo", { judgement: withdrawn, annotator: mine?.annotator ?? "" });
      for (let i = 0; i < 2; i++) {
        await judgeSome(store, panel, 45);
        await loop.check();
      }
      await loop.stop();
      const second = rounds[1]?.training;
      expect(second?.replayed).to.equal(Math.min(second?.fresh ?? 0, (rounds[0]?.training.fresh ?? 0) - 1));
      expect(second?.rows).to.have.length((second?.fresh ?? 0) + (second?.replayed ?? 0));
      for (const { training } of rounds.slice(1))
        expect(training.rows.flatMap(({ source }) => source)).to.not.include(withdrawn);
      const kinds = second?.rows
        .slice(0, 10)
        .map(({ source }) => rounds[0]?.training.rows.some((row) => row.source[0] === source[0]));
      expect(new Set(kinds)).to.have.length(2);
    }),
  );

  it(
    "restarts each round from the first policy on all rows where that is asked for",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      const rounds: TrainRound[] = [];
      const loop = digitLoop(store, {
        settings: { restart: true },
        train: async (request) => {
          rounds.push(request);
          return digitWork.train(request);
        },
      });
      const panel = raters(people);
      await loop.check();
      for (let i = 0; i < 2; i++) {
        await judgeSome(store, panel, 45);
        await loop.check();
      }
      await loop.stop();
      expect(rounds.map(({ start }) => start.policy)).to.deep.equal(["round-0", "round-0"]);
      expect(rounds[1]?.training.replayed).to.equal(rounds[0]?.training.fresh);
    }),
  );

  it(
    "keeps validation and test prompts out of training",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      const { loop, rounds } = recordedLoop(store);
      await loop.check();
      await judgeSome(store, raters(people), 45);
      await loop.check();
      await loop.stop();
      const [round] = rounds;
      expect(new Set(round?.training.rows.map(({ split }) => split))).to.deep.equal(new Set(["train"]));
      expect(new Set(round?.validation.map(({ split }) => split))).to.deep.equal(new Set(["valid"]));
      expect(round?.prompts.length).to.be.within(20, 39);
    }),
  );

  it(
    "marks rows of policies that are too far behind, and leaves them out by option",
    withStore(async ({ store }) => {
      await sampleProject(store, { ...empty, settings: { ...settings, maxLag: 0 } });
      const rounds: TrainRound[] = [];
      const train = async (request: TrainRound) => {
        rounds.push(request);
        return digitWork.train(request);
      };
      const panel = raters(people);
      let loop = digitLoop(store, { train, settings: { closeStale: false } });
      await loop.check();
      await judgeSome(store, panel, 45);
      await loop.check();
      // The queue still has answers of the first policy.
      await judgeSome(store, panel, 45);
      await loop.check();
      const marked = rounds[1]?.training;
      expect(marked?.stale).to.be.above(0);
      expect(marked?.rows.filter(({ stale }) => stale === true)).to.not.be.empty;
      expect(loop.status().history[1]?.stale).to.equal(marked?.stale);
      await loop.stop();
      loop = digitLoop(store, { train, settings: { dropStale: true } });
      await judgeSome(store, panel, 60);
      await loop.check();
      await loop.stop();
      expect(rounds.at(-1)?.training.rows.filter(({ stale }) => stale === true)).to.be.empty;
      expect(rounds).to.have.length.above(2);
    }),
  );

  it(
    "tells how far the judged answers lag behind, and closes what nobody should judge any more",
    withStore(async ({ store }) => {
      await sampleProject(store, { ...empty, settings: { ...settings, maxLag: 0 } });
      const loop = digitLoop(store);
      const panel = raters(people);
      await loop.check();
      await judgeSome(store, panel, 3);
      await loop.check();
      expect(loop.status().lag).to.deep.equal({ mean: 0, most: 0, stale: 0 });
      const held = await lease(store, personName(0));
      await judgeSome(store, panel, 45, [0]);
      await loop.check();
      const rows = await store.reading
        .selectFrom("items")
        .select(["state", "external_id", "taken"])
        .execute();
      const old = rows.filter(({ external_id }) => external_id?.startsWith("round-0/"));
      expect(old.filter(({ state, taken }) => state === "open" && taken === 0)).to.be.empty;
      // Whoever is at one may finish it.
      await say(store, personName(0), held.lease);
      await loop.check();
      expect(loop.status().lag).to.deep.equal({ mean: 1, most: 1, stale: 1 });
      await loop.stop();
    }),
  );

  it(
    "goes on after a restart where it was, and does not train on the same twice",
    withStore(async (test) => {
      await sampleProject(test.store, empty);
      let loop = digitLoop(test.store);
      const panel = raters(people);
      await loop.check();
      await judgeSome(test.store, panel, 45);
      await loop.check();
      const before = loop.status();
      await loop.stop();
      await test.reopen();
      loop = digitLoop(test.store);
      await loop.check();
      expect(loop.status()).to.deep.equal(before);
      await loop.stop();
      const events = await test.store.reading.selectFrom("policies").select("policy").execute();
      expect(events).to.have.length(2);
    }),
  );

  it(
    "tells what went wrong, goes on collecting, and tries again",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      const told: LoopEvent[] = [];
      let broken = true;
      const loop = digitLoop(store, {
        onEvent: (event) => told.push(event),
        train: async (request) => {
          if (broken) throw new AttuneError("ATTUNE_MEMORY", "It does not fit.");
          return digitWork.train(request);
        },
      });
      const panel = raters(people);
      await loop.check();
      await judgeSome(store, panel, 40);
      await loop.check();
      const { lastError, rounds, openOfNewest } = loop.status();
      expect(lastError).to.deep.include({
        stage: "training",
        code: "ATTUNE_MEMORY",
        message: "It does not fit.",
      });
      expect(rounds).to.equal(0);
      expect(openOfNewest).to.be.above(0);
      expect(told.filter(({ type }) => type === "error")).to.have.length(1);
      expect(await judgeSome(store, panel, 5)).to.equal(5);
      broken = false;
      await loop.check();
      expect(loop.status().rounds).to.equal(1);
      expect(loop.status().lastError).to.equal(null);
      await loop.stop();
    }),
  );

  it(
    "stops when it is told to, in the middle of a round, of which nothing is kept",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      let begun = () => {};
      const training = new Promise<void>((resolve) => {
        begun = resolve;
      });
      const loop = digitLoop(store, {
        train: ({ signal }) => {
          begun();
          return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        },
      });
      await loop.check();
      await judgeSome(store, raters(people), 40);
      void loop.check();
      await training;
      await loop.stop();
      expect(loop.status().doing).to.equal("ended");
      expect(loop.status().lastError).to.equal(null);
      expect(await store.reading.selectFrom("policies").select("policy").execute()).to.have.length(1);
    }),
  );

  it(
    "refuses another first policy than the one it began with, and options that are none",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      const loop = digitLoop(store);
      await loop.check();
      await loop.stop();
      const other = digitLoop(store, { first: { model: "other", place: "[]" } });
      await other.check();
      expect(other.status().lastError?.message).to.include("the project's loop began with");
      await other.stop();
      await expectFailure(
        async () => digitLoop(store, { settings: { trainafter: 3 } as never }),
        "ATTUNE_OPTION",
        "trainAfter",
      );
    }),
  );
});
