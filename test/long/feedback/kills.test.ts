// kill -9 of the service while people judge, 200 times on each store: what was acknowledged is there, the log has no gaps, no
// slot is held twice, and it folds to what is shown.

import { expect } from "chai";
import { makeFilledStore } from "../../../bench/feedback/filled-store.js";
import { callerOf } from "../../../bench/feedback/http-calls.js";
import { startService } from "../../../bench/feedback/processes.js";
import type { Lease, Submitted } from "../../../lib/feedback/index.js";
import { openFeedbackStore } from "../../../lib/feedback/store/open-store.js";
import { checkJudgements, checkLog, checkRebuild, checkSlots } from "../../feedback/load-checks.js";
import { withDatabase } from "../../feedback/stores.js";
import { suiteFolder } from "../../support/temporary-folder.js";

const KILLS = 200;
const PEOPLE = 4;

/** Judges until the service does not answer any more; hands on each judgement that it acknowledged. */
async function judgeUntilCut(port: number, token: string, took: (judgement: string) => void): Promise<void> {
  const caller = callerOf(port, token);
  const pair = { kind: "pair", choice: "left", strength: 1 };
  try {
    for (;;) {
      const leased = await caller.call("/v1/next");
      expect(leased.status, JSON.stringify(leased.body)).to.equal(200);
      const { lease } = leased.body as Lease;
      const body = { lease, values: [pair], activeMs: 1000, keysUsed: true };
      const said = await caller.call("/v1/judgements", { body, headers: { "idempotency-key": lease } });
      expect(said.status, JSON.stringify(said.body)).to.equal(200);
      took((said.body as Submitted).judgement);
    }
  } catch (error) {
    // Cut off, as it should be; whatever else is wrong is a failure.
    if (!["ECONNRESET", "ECONNREFUSED", "EPIPE"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
  } finally {
    caller.close();
  }
}

async function expectNothingLost(place: string): Promise<void> {
  const { tokens } = await makeFilledStore({ store: place, people: PEOPLE, judgements: 0, open: 40_000 });
  const acknowledged: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const service = await startService({ store: place });
    // Somewhere in the middle, elsewhere each time; no call is under way at the same place twice.
    const before = acknowledged.length;
    const enough = 1 + ((kill * 37) % 60);
    let killed: Promise<void> | undefined;
    const took = (judgement: string) => {
      acknowledged.push(judgement);
      if (acknowledged.length - before >= enough) killed ??= service.kill();
    };
    await Promise.all(tokens.people.map((token) => judgeUntilCut(service.port, token, took)));
    await killed;
  }
  console.log(`      ${acknowledged.length} judgements were acknowledged between ${KILLS} kills`);
  const store = await openFeedbackStore({ store: place });
  try {
    await checkJudgements(store, acknowledged, { all: false });
    await checkSlots(store);
    await checkLog(store);
    expect(await checkRebuild(store)).to.be.greaterThan(2 * acknowledged.length);
  } finally {
    await store.close();
  }
}

describe("a service that is killed 200 times", () => {
  const at = suiteFolder();

  it("loses nothing that was acknowledged, embedded", () => expectNothingLost(at("store")));

  it("loses nothing that was acknowledged, PostgreSQL", async function () {
    const server = process.env.ATTUNE_TEST_POSTGRES_URL;
    if (server === undefined) return this.skip();
    await withDatabase(server, expectNothingLost);
  });
});
