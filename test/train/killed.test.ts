// kill -9 at some moments: the last complete checkpoint is usable and the run that goes on from it leaves no trace.
// test/long has many more moments.

import { expectNoTraceOfKills } from "./killed-runs.js";
import { type Place, temporaryPlace } from "./training-rows.js";

describe("a run that is killed", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  it("leaves no trace once it is resumed: sft, all weights, killed twice", () =>
    expectNoTraceOfKills({ place, trainer: "sft", options: {}, delays: [3, 40] })).timeout(60_000);

  it("leaves no trace once it is resumed: dpo, an adapter", () =>
    expectNoTraceOfKills({ place, trainer: "dpo", options: { adapterRank: 4 }, delays: [25] })).timeout(
    60_000,
  );
});
