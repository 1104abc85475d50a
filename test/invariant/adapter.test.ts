// Adapters bit for bit: a fresh one changes nothing, a row does not see its neighbours or the threads, the base stays as it
// is, and cutting into micro-batches leaves the gradients. Tiny models; must not compare with any other program.

import { expect } from "chai";
import type { Model } from "../../lib/engine/index.js";
import { at } from "../support/oracle-compare.js";
import { testedEngine } from "../support/oracle-engines.js";
import { expectSameBits, expectSameTensors, firstDifference, relativeDistance } from "./same-bits.js";
import { pairRows } from "./tiny-rows.js";
import { forEachModel, withModel } from "./tiny-suite.js";
import { gradientsOf, lossFor, packed, trainedParameters } from "./training.js";

const data = pairRows();
const all = packed(data);
const adapter = { rank: 6, alpha: 9, seed: 5 };
const loss = (batch: typeof all) => lossFor("dpo", batch, data.length);

/** Moves B away from zero. */
function trained(model: Model) {
  return trainedParameters({ model, data, kind: "dpo", steps: 2, learningRate: 1e-2 });
}

async function logprobs(model: Model, batch = all): Promise<Float32Array> {
  return (await model.forward(batch)).logprobs;
}

describe("invariant: adapters", () => {
  forEachModel(({ dtype, isa, engine, folder, load: loadBase }) => {
    const load = () => engine().loadModel(folder, { dtype, adapter });
    let model: Model;
    let fresh: Float32Array;
    let after2: Float32Array;

    before(async () => {
      model = await load();
      fresh = await logprobs(model);
      await trained(model);
      after2 = await logprobs(model);
    });
    after(() => model?.dispose());

    it("change nothing while they are fresh, and something once trained", async () => {
      const base = await withModel(loadBase, (whole) => logprobs(whole));
      expectSameBits(fresh, base);
      expect(firstDifference(after2, base)).to.be.a("string");
    });

    it("leave the base as it was", async () => {
      await using other = await model.addAdapter({ rank: 1 });
      expectSameBits(await logprobs(other), fresh);
    });

    it("give a row the same bits alone and packed with others", async () => {
      for (const row of data.keys()) {
        const alone = await logprobs(model, packed(data, [row]));
        const first = at(all.completions, 2 * at(all.groups, 2 * row));
        expectSameBits(alone, after2.slice(first, first + alone.length));
      }
    });

    it("train to the same bits with one thread and again", async () => {
      const expected = await withModel(load, trained);
      const single = await testedEngine({ isa, threads: 1 });
      try {
        expectSameTensors(
          await withModel(() => single.loadModel(folder, { dtype, adapter }), trained),
          expected,
        );
      } finally {
        await single.dispose();
      }
      expectSameTensors(await withModel(load, trained), expected);
    });

    it("have the same gradients in eight micro-batches as in one", async () => {
      const whole = await gradientsOf(model, [all], loss);
      const single = await gradientsOf(
        model,
        data.map((_, row) => packed(data, [row])),
        loss,
      );
      await model.clearGradients();
      expect(relativeDistance(single, whole)).to.be.below(1e-6);
    });

    it("report in evaluate what a step reports, bit for bit", async () => {
      const evaluated = await model.evaluate(all, loss(all));
      const { headRows, ...stepped } = await model.step(all, loss(all));
      await model.clearGradients();
      expect(evaluated).to.deep.include(stepped);
      expect(headRows).to.be.at.least(evaluated.headRows);
    });
  });
});
