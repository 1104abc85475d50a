// Judgements that are taken back around a round of the loop: named where a round was given them, and gone from what it trains on.

import { expect } from "chai";
import { type TrainRound, withdrawnJudgements } from "../../lib/feedback/index.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { judgeSome, raters, recordedLoop } from "./digits.js";
import { PROJECT, sampleProject } from "./sample-project.js";
import { describeStores } from "./stores.js";

const people = 3;
const empty = { items: 0, people, settings: { asks: [{ kind: "pair" as const }] } };

/** The last judgement of a training prompt, and whose it is. */
async function lastOf({ reading }: FeedbackStore) {
  return reading
    .selectFrom("judgements as j")
    .innerJoin("items as i", "i.item", "j.item")
    .select(["j.judgement", "j.annotator"])
    .where("i.split", "=", "train")
    .where("j.withdrawn", "=", 0)
    .orderBy("j.seq", "desc")
    .executeTakeFirstOrThrow();
}

/** Takes back the last one. */
async function undoLast(store: FeedbackStore): Promise<string> {
  const { judgement, annotator } = await lastOf(store);
  await store.write(PROJECT, "undo", { judgement, annotator });
  return judgement;
}

async function withdrawnOf({ reading }: FeedbackStore) {
  const found: (readonly [string, boolean])[] = [];
  for await (const one of withdrawnJudgements(reading, { project: PROJECT }))
    found.push([one.judgement, one.exported]);
  return found;
}

function sourcesOf({ training, validation }: TrainRound): readonly string[] {
  return [...training.rows, ...validation].flatMap(({ source }) => source);
}

describeStores("a judgement that is taken back", (withStore) => {
  it(
    "is named for trainers where a round was given it, and only there",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      const { loop, rounds } = recordedLoop(store);
      await loop.check();
      await judgeSome(store, raters(people), 40);
      await loop.check();
      const trained = await undoLast(store);
      await judgeSome(store, raters(people), 3);
      const untold = await undoLast(store);
      await loop.stop();
      expect(rounds.flatMap(sourcesOf)).to.include(trained).and.not.include(untold);
      expect(await withdrawnOf(store)).to.deep.equal([
        [trained, true],
        [untold, false],
      ]);
    }),
  );

  it(
    "while the rows of a round are gathered does not reach the trainer",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      let undone: string | undefined;
      const meanwhile: FeedbackStore = Object.assign(Object.create(store), {
        write: async (...call: Parameters<FeedbackStore["write"]>) => {
          // Rows are marked when they have been gathered.
          if (call[1] === "recordExport") undone ??= await undoLast(store);
          return store.write(...call);
        },
      });
      const { loop, rounds } = recordedLoop(meanwhile);
      await loop.check();
      await judgeSome(store, raters(people), 40);
      await loop.check();
      await loop.stop();
      const [round] = rounds;
      expect(undone).to.be.a("string");
      expect(round === undefined ? [] : sourcesOf(round))
        .to.have.length.above(20)
        .and.not.include(undone);
      expect(round?.training.fresh).to.equal(round?.training.rows.length);
    }),
  );
});
