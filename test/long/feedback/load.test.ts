// 200 judgements a second for a minute, each answered when it is on the disk; and a store that already holds a million. What
// calls and starts take is shown, and kept in docs/performance.md; memory is held to.

import { expect } from "chai";
import { type LoadFigures, measureLoad, restText } from "../../../bench/feedback/load.js";
import { openFeedbackStore } from "../../../lib/feedback/store/open-store.js";
import { checkJudgements, checkLog, checkSlots } from "../../feedback/load-checks.js";
import { withDatabase } from "../../feedback/stores.js";
import { suiteFolder } from "../../support/temporary-folder.js";

const PEOPLE = 15;
const RATE = 200;
const say = (line: string) => console.log(line.replaceAll(/^/gm, "      "));

function expectRightWork({ work }: LoadFigures, seconds: number): void {
  expect(work.refused).to.deep.equal([]);
  expect(work.unlike, "sent twice, answered differently").to.deep.equal([]);
  // The last ones may not have been due, and some people skip.
  expect(work.acknowledged.length).to.be.within(0.95 * RATE * seconds, RATE * seconds);
}

async function expectRightStore(place: string, figures: LoadFigures, all: boolean): Promise<void> {
  const store = await openFeedbackStore({ store: place });
  try {
    await checkJudgements(store, figures.work.acknowledged, { all });
    await checkSlots(store);
    await checkLog(store);
  } finally {
    await store.close();
  }
}

async function sustained(place: string): Promise<void> {
  const figures = await measureLoad({
    store: place,
    people: PEOPLE,
    judgements: 0,
    seconds: 60,
    perSecond: RATE,
    say,
  });
  say(restText(figures));
  expectRightWork(figures, 60);
  await expectRightStore(place, figures, true);
}

describe("judgements by the minute and by the million", () => {
  const at = suiteFolder();

  it("200 a second for a minute, embedded", () => sustained(at("minute")));

  it("200 a second for a minute, PostgreSQL", async function () {
    const server = process.env.ATTUNE_TEST_POSTGRES_URL;
    if (server === undefined) return this.skip();
    await withDatabase(server, sustained);
  });

  it("a store of a million takes less than 1 GiB and is right, embedded", async () => {
    const place = at("million");
    const figures = await measureLoad({
      store: place,
      people: PEOPLE,
      judgements: 1_000_000,
      seconds: 30,
      perSecond: RATE,
      say,
    });
    say(restText(figures));
    expectRightWork(figures, 30);
    expect(figures.memory.worked, "bytes").to.be.below(2 ** 30);
    await expectRightStore(place, figures, false);
  });
});
