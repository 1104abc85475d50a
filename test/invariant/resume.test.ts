// A state that is saved and put into a model loaded anew goes on as if it had never been away: all weights and adapters.
// Tiny models; must not know files of runs.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { AdapterOptions } from "../../lib/engine/index.js";
import { expectSameTensors, firstTensorDifference, type NamedTensors } from "./same-bits.js";
import { pairRows } from "./tiny-rows.js";
import { forEachModel, type InvariantSubject, withModel } from "./tiny-suite.js";
import { trainedParameters } from "./training.js";

const adapters: readonly [string, { readonly adapter?: AdapterOptions }][] = [
  ["all weights", {}],
  ["an adapter", { adapter: { rank: 4, seed: 3 } }],
];

describe("invariant: going on from a saved state", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-state-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  const train = { data: pairRows(), kind: "dpo" } as const;

  /** Three steps, a state, and two more in the model given or in one that is loaded anew. */
  async function interrupted(
    { engine, dtype, folder: source }: InvariantSubject,
    options: { readonly adapter?: AdapterOptions },
    anew: boolean,
  ): Promise<NamedTensors> {
    const load = () => engine().loadModel(source, { dtype, ...options });
    const state = join(folder, "state.safetensors");
    const whole = await withModel(load, async (model) => {
      await trainedParameters({ ...train, model, steps: 3 });
      await model.saveState(state);
      return trainedParameters({ ...train, model, steps: 2 });
    });
    if (!anew) return whole;
    return withModel(load, async (model) => {
      await model.loadState(state);
      return trainedParameters({ ...train, model, steps: 2 });
    });
  }

  forEachModel((subject) => {
    for (const [what, options] of adapters) {
      it(`has the same bits as not stopping: ${what}`, async () => {
        expectSameTensors(
          await interrupted(subject, options, true),
          await interrupted(subject, options, false),
        );
      });
    }

    it("sees a run that goes on from the start instead", async () => {
      const whole = await interrupted(subject, {}, false);
      const other = await withModel(subject.load, (model) =>
        trainedParameters({ ...train, model, steps: 2 }),
      );
      expect(firstTensorDifference(other, whole)).to.be.a("string");
    });
  });
});
