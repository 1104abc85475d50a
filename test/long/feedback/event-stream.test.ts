// 100 readers of events that are cut off at random, on both stores: no gap, no repeat.

import { expect } from "chai";
import { describeStores } from "../../feedback/stores.js";
import { expectNoGaps } from "../../server/cut-readers.js";

describeStores("100 readers of events", (withStore) => {
  it(
    "that are cut off at random have every event once, in order",
    withStore(async (test) => {
      const cuts = await expectNoGaps(test, { readers: 100, events: 500 });
      expect(cuts).to.be.greaterThan(1000);
    }),
  );
});
