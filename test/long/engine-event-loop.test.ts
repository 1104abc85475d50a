// The JavaScript thread stays free while the engine trains: its delay is measured during many steps and updates.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { expect } from "chai";
import { createEngine } from "../../lib/engine/index.js";
import { pairs } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const MOST_MILLISECONDS = 20;

describe("the event loop while training", function () {
  this.timeout(120_000);
  const at = suiteFolder();

  it(`is delayed by less than ${MOST_MILLISECONDS} ms in 99 of 100 turns`, async () => {
    writeTinyModel({ folder: at("wide"), width: 256, heads: 4, layers: 6, mlpWidth: 1024 });
    await using engine = await createEngine();
    const model = await engine.loadModel(at("wide"));
    const batch = pairs(8, 40, 60);
    const loss = {
      kind: "pairwise",
      terms: [{ name: "sigmoid", weight: 1 }],
      normaliser: 8,
      beta: 0.1,
      labelSmoothing: 0,
      reference: new Float64Array(16).fill(-300),
    } as const;
    await model.step(batch, loss);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    for (let i = 0; i < 12; i++) {
      await model.step(batch, loss);
      await model.update({ learningRate: 1e-6 });
    }
    delay.disable();
    expect(delay.count).to.be.above(500);
    expect(delay.percentile(99) / 1e6).to.be.below(MOST_MILLISECONDS);
  });
});
