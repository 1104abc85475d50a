// The stop rule from end to end (semantics 10): a trainer that goes too far makes policies that people like less, people say so
// on prompts that nobody trains on, and the loop ends training, says why, and asks about the best policy from then on.

import { expect } from "chai";
import type { LoopEvent, LoopStatus, TrainRound } from "../../lib/feedback/index.js";
import { promptHashOf, splitOf } from "../../lib/feedback/operations/items.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { DIGITS, digitLoop, digitWork, judgeSome, raters } from "./digits.js";
import { PROJECT, sampleProject } from "./sample-project.js";
import { describeStores } from "./stores.js";

const people = 3;
const empty = { items: 0, people, settings: { asks: [{ kind: "pair" as const }] } };

/** Half of them for training, half for comparing policies: a tenth of ordinary prompts would need many more votes. */
const prompts = ["train", "valid"].flatMap((split) =>
  Array.from({ length: 400 }, (_, i) => `A digit, please, number ${i}.`)
    .filter((prompt) => splitOf(promptHashOf(prompt)) === split)
    .slice(0, 20),
);

/** The first round learns what people like; each later one likes small digits more. */
async function tooFar(request: TrainRound) {
  const trained = await digitWork.train(request);
  if (request.round === 1) return trained;
  const place = JSON.stringify(Array.from({ length: DIGITS }, (_, digit) => -0.15 * request.round * digit));
  return { ...trained, place, kl: 3 };
}

interface Ran {
  readonly status: LoopStatus;
  readonly events: readonly LoopEvent[];
}

async function run(store: FeedbackStore, rounds: number, stopRule: boolean): Promise<Ran> {
  await sampleProject(store, empty);
  const events: LoopEvent[] = [];
  const settings = { trainAfter: 15, goldVotes: 8, stopRule };
  const loop = digitLoop(store, { prompts, settings, train: tooFar, onEvent: (event) => events.push(event) });
  const panel = raters(people);
  await loop.check();
  for (let round = 0; round < rounds; round++) {
    await judgeSome(store, panel, 45);
    await loop.check();
  }
  const status = loop.status();
  await loop.stop();
  return { status, events };
}

describeStores("a loop whose policies get worse", (withStore) => {
  it(
    "stops when people like two running less than the best one, and asks about that one from then on",
    withStore(async (test) => {
      const { status, events } = await run(test.store, 4, true);
      expect(status.lastError).to.equal(null);
      expect(status.stopped).to.deep.include({ reason: "gold", round: 3 });
      expect(events.filter(({ type }) => type === "stopped")).to.deep.equal([
        { type: "stopped", stopped: status.stopped },
      ]);
      expect(status.history.map(({ policy }) => policy)).to.deep.equal(["round-1", "round-2", "round-3"]);
      expect([status.best, status.policy?.policy]).to.deep.equal(["round-1", "round-1"]);
      const items = await test.store.reading
        .selectFrom("items")
        .select("answers")
        .where("project", "=", PROJECT)
        .orderBy("number", "desc")
        .limit(5)
        .execute();
      for (const { answers } of items)
        expect((JSON.parse(answers) as { policy: string }[]).map(({ policy }) => policy)).to.deep.equal([
          "round-1",
          "round-1",
        ]);
      await test.reopen();
      const again = digitLoop(test.store, { prompts, settings: { trainAfter: 15, goldVotes: 8 } });
      await again.check();
      expect(again.status().stopped).to.deep.equal(status.stopped);
      await again.stop();
    }),
  );

  it(
    "goes on where the rule is not asked for",
    withStore(async ({ store }) => {
      const { status } = await run(store, 4, false);
      expect([status.stopped, status.best]).to.deep.equal([null, "round-1"]);
      expect(status.rounds).to.be.above(3);
    }),
  );
});
