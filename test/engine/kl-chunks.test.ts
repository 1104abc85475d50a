// Exact KL where the vocabulary is so large that the head takes 48 targets at a time: cuts inside a group change nothing.

import { expect } from "chai";
import { type PackedBatch, packRows } from "../../lib/data/index.js";
import type { KlPenalty } from "../../lib/engine/contract.js";
import { createEngine, type Engine, type Model } from "../../lib/engine/index.js";
import { relativeL2 } from "../support/oracle-compare.js";
import { someIds } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const CHUNK = 48;
/** 120 MiB of logits would hold fewer than 48 rows of it. */
const VOCABULARY = 660_000;

/** Targets of each group: chunks end after 48 and 96 of them, inside the first and the last. */
const counts = [60, 7, 30] as const;
const data = counts.map((count, row) => ({
  prompt: someIds(4 + row, 3 * row + 1),
  completions: [someIds(count, 5 * row + 2)],
}));
const batch = packRows({ data, rows: data.map((_, row) => row) });
const weights = Float64Array.of(1, 0.5, 2);

/** Parts of at most one chunk, each inside a group: the batch with those targets, and the group. */
function parts(): { part: PackedBatch; group: number; first: number }[] {
  let start = 0;
  return counts.flatMap((count, group) => {
    const own = [];
    for (let done = 0; done < count; done += CHUNK) {
      const first = start + done;
      const size = Math.min(CHUNK, count - done);
      const targets = batch.targets.slice(2 * first, 2 * (first + size));
      const completions = Int32Array.of(0, size);
      own.push({ part: { ...batch, targets, completions, groups: Int32Array.of(0, 1) }, group, first });
    }
    start += count;
    return own;
  });
}

async function gradients(model: Model): Promise<Float32Array[]> {
  const all: Float32Array[] = [];
  for (const { name } of model.tensors()) all.push(await model.gradient(name));
  await model.clearGradients();
  return all;
}

describe("exact KL in chunks", function () {
  this.timeout(120_000);
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  let penalty: KlPenalty;
  before(async () => {
    const shape = { vocabularySize: VOCABULARY, width: 8, heads: 2, kvHeads: 1, layers: 1, mlpWidth: 8 };
    writeTinyModel({ folder: at("policy"), seed: 1, tied: true, ...shape });
    writeTinyModel({ folder: at("reference"), seed: 2, tied: true, ...shape });
    engine = await createEngine({ threads: 2 });
    model = await engine.loadModel(at("policy"));
    penalty = {
      reference: await engine.loadModel(at("reference")),
      normaliser: 97,
      direction: "kl",
      weights,
    };
  });
  after(() => engine?.dispose());

  it("has the bits of the same targets in single chunks", async () => {
    const { kl, reverseKl } = await model.kl(batch, penalty.reference);
    expect(kl).to.have.lengthOf(97);
    for (const { part, first } of parts()) {
      const alone = await model.kl(part, penalty.reference);
      expect(Array.from(kl.subarray(first, first + alone.kl.length))).to.deep.equal(Array.from(alone.kl));
      expect(Array.from(reverseKl.subarray(first, first + alone.kl.length))).to.deep.equal(
        Array.from(alone.reverseKl),
      );
    }
  });

  it("has the gradient of the same targets in single chunks, each row once", async () => {
    const { headRows } = await model.klStep(batch, penalty);
    expect(headRows).to.equal(97);
    const whole = await gradients(model);
    for (const { part, group } of parts())
      await model.klStep(part, { ...penalty, weights: weights.slice(group, group + 1) });
    for (const [i, values] of (await gradients(model)).entries())
      expect(relativeL2(values, whole[i] ?? [])).to.be.at.most(2e-6);
  });

  it("sees a wrong weight of the smallest group", async () => {
    await model.klStep(batch, penalty);
    const whole = await gradients(model);
    await model.klStep(batch, { ...penalty, weights: Float64Array.of(1, 0.51, 2) });
    const wrong = await gradients(model);
    expect(Math.min(...wrong.map((values, i) => relativeL2(values, whole[i] ?? [])))).to.be.above(1e-4);
  });

  it("stops between chunks when its signal says so, and clears what was gathered", async () => {
    const controller = new AbortController();
    await model.klStep(batch, penalty);
    const stopped = model.klStep(batch, penalty, { signal: controller.signal }).catch((error) => error);
    setTimeout(() => controller.abort(new Error("enough")), 30);
    expect(await stopped).to.have.property("message", "enough");
    for (const values of await gradients(model)) expect(values.every((value) => value === 0)).to.equal(true);
  });
});
