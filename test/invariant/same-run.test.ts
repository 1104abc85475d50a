// Training gives the same bits whatever the number of threads, and again when it is repeated.
// Tiny models; must not compare with any other program.

import { expect } from "chai";
import { testedEngine } from "../support/oracle-engines.js";
import { expectSameTensors, firstTensorDifference, type NamedTensors } from "./same-bits.js";
import { pairRows } from "./tiny-rows.js";
import { forEachModel, type InvariantSubject, withModel } from "./tiny-suite.js";
import { type LossKind, trainedParameters } from "./training.js";

interface Training {
  readonly threads: number;
  readonly kind?: LossKind;
  readonly learningRate?: number;
}

async function train({ isa, dtype, folder }: InvariantSubject, training: Training): Promise<NamedTensors> {
  const { threads, kind = "dpo", learningRate = 1e-3 } = training;
  const engine = await testedEngine({ isa, threads });
  try {
    const load = () => engine.loadModel(folder, { dtype });
    return await withModel(load, (model) =>
      trainedParameters({ model, data: pairRows(), kind, learningRate }),
    );
  } finally {
    await engine.dispose();
  }
}

describe("invariant: the same run", () => {
  forEachModel((subject) => {
    let once: NamedTensors;

    before(async () => {
      once = await train(subject, { threads: 1 });
    });

    it("has the same parameters after three steps with one thread and with two", async () => {
      expectSameTensors(await train(subject, { threads: 2 }), once);
    });

    it("has the same parameters when it is repeated", async () => {
      expectSameTensors(await train(subject, { threads: 1 }), once);
    });

    it("has the same parameters with one thread and with two under the loss of demonstrations", async () => {
      const one = await train(subject, { threads: 1, kind: "nll" });
      expectSameTensors(await train(subject, { threads: 2, kind: "nll" }), one);
    });

    it("sees a run whose learning rate is off by one part in a million", async () => {
      const other = await train(subject, { threads: 1, learningRate: 1e-3 * (1 + 1e-6) });
      expect(firstTensorDifference(other, once)).to.be.a("string");
    });
  });
});
