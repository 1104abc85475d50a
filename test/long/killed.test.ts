// kill -9 at 20 random moments of runs that save after every step, for all weights and for adapters: resumed, each is bit
// for bit the run that was never killed.

import { normalNumbers } from "../support/tiny-model.js";
import { expectNoTraceOfKills } from "../train/killed-runs.js";
import { type Place, temporaryPlace } from "../train/training-rows.js";

const moments = 20;

describe("runs that are killed at random moments", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const kinds = [
    ["all weights", {}],
    ["an adapter", { adapterRank: 4 }],
  ] as const;
  for (const [what, options] of kinds) {
    const next = normalNumbers(what.length);
    for (let moment = 0; moment < moments; moment++) {
      const trainer = moment % 2 === 0 ? "dpo" : "sft";
      const delay = Math.abs(next()) * 150;
      it(`leave no trace: ${trainer}, ${what}, ${delay.toFixed(1)} ms after the first checkpoint`, () =>
        expectNoTraceOfKills({ place, trainer, options, delays: [delay] }));
    }
  }
});
