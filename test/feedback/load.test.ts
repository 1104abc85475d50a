// 15 simulated annotators at once over real HTTP, on a pool of items that is nearly empty all the time, so that they meet at
// its last slots: service and annotators are processes of their own. How long calls take is shown, not held to.

import { setTimeout } from "node:timers/promises";
import { expect } from "chai";
import { makeFilledStore, PROJECT } from "../../bench/feedback/filled-store.js";
import { type Caller, callerOf } from "../../bench/feedback/http-calls.js";
import { latencyText, runAnnotators, startService } from "../../bench/feedback/processes.js";
import type { Progress } from "../../lib/feedback/index.js";
import { openFeedbackStore } from "../../lib/feedback/store/open-store.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { checkJudgements, checkLog, checkRebuild, checkSlots } from "./load-checks.js";
import { pairItem } from "./sample-project.js";
import { withDatabase } from "./stores.js";

const PEOPLE = 15;
/** The long tests take longer. */
const seconds = Number(process.env.ATTUNE_TEST_LOAD_SECONDS ?? 20);

async function openItems(owner: Caller): Promise<number> {
  const { body } = await owner.call("/v1/progress");
  return (body as Progress).items.open;
}

async function load(place: string, length: number): Promise<void> {
  const { tokens } = await makeFilledStore({ store: place, people: PEOPLE, judgements: 0, open: 5 });
  const service = await startService({ store: place });
  const owner = callerOf(service.port, tokens.owner);
  const working = runAnnotators({ port: service.port, tokens: tokens.people, seconds: length, twice: 10 });
  let ended = false;
  void working.finally(() => {
    ended = true;
  });
  // However fast they are: few items are open, and people often find none.
  for (let added = 0; !ended; added += 10) {
    const items = Array.from({ length: 10 }, (_, i) => pairItem(added + i));
    await owner.call("/v1/items", { body: { items } });
    while (!ended && (await openItems(owner)) > 5) await setTimeout(50);
  }
  const done = await working;
  owner.close();
  await service.stop();
  const rate = (done.acknowledged.length / done.seconds).toFixed(0);
  console.log(
    `        ${done.acknowledged.length} judgements, ${rate}/s; ${done.empty} times nothing was open`,
  );
  console.log(`        next: ${latencyText(done.next)}; submit: ${latencyText(done.submit)}`);
  expect(done.refused).to.deep.equal([]);
  expect(done.unlike, "sent twice, answered differently").to.deep.equal([]);
  expect(done.acknowledged).to.not.be.empty;
  // Somebody asked while every slot was held or taken: they did meet at the last ones.
  expect(done.empty).to.be.above(PEOPLE);
  const store = await openFeedbackStore({ store: place });
  try {
    await checkJudgements(store, done.acknowledged, { all: true });
    await checkSlots(store);
    await checkLog(store);
    expect(await checkRebuild(store)).to.be.greaterThan(2 * done.acknowledged.length);
    expect(await store.write(PROJECT, "addAnnotator", { annotator: "new", name: "New" })).to.deep.equal({
      annotator: "new",
    });
  } finally {
    await store.close();
  }
}

describe("15 annotators at once", () => {
  const at = suiteFolder();

  it("lose nothing, get nothing twice and never share a slot, embedded", async () => {
    await load(at("store"), seconds);
  }).timeout(120_000 + 2000 * seconds);

  it("lose nothing, get nothing twice and never share a slot, PostgreSQL", async function () {
    const server = process.env.ATTUNE_TEST_POSTGRES_URL;
    if (server === undefined) return this.skip();
    await withDatabase(server, (url) => load(url, seconds / 2));
  }).timeout(120_000 + 2000 * seconds);
});
