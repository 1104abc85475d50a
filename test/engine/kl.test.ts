// Exact KL divergences of a model to a reference: values against plain softmax in double, and what must not change them.

import { expect } from "chai";
import { type PackableRow, type PackedBatch, packRows } from "../../lib/data/index.js";
import type { DType, FrozenModel, KlResult } from "../../lib/engine/contract.js";
import { createEngine, type Engine, type Model } from "../../lib/engine/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { maxAbsolute } from "../support/oracle-compare.js";
import { isaTitle, suiteEngine, testedIsas } from "../support/oracle-engines.js";
import { someIds } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { TINY_VOCABULARY } from "../support/tiny-tokenizer.js";

const data: PackableRow[] = Array.from({ length: 5 }, (_, i) => ({
  prompt: someIds(4 + i, 3 * i + 1),
  completions: [someIds(6 + (i % 3), 5 * i + 2), someIds(8, 5 * i + 3)],
}));
const all = data.map((_, row) => row);
const batch = packRows({ data, rows: all });

/** KL(p || q) and KL(q || p) of rows of logits, in double. */
function plainKl(p: Float32Array, q: Float32Array, rows: number): { kl: number[]; reverseKl: number[] } {
  const width = p.length / rows;
  const logSoftmax = (logits: Float32Array, row: number): number[] => {
    const own = Array.from(logits.subarray(row * width, (row + 1) * width));
    const high = Math.max(...own);
    const sum = own.reduce((total, z) => total + Math.exp(z - high), 0);
    return own.map((z) => z - high - Math.log(sum));
  };
  const [kl, reverseKl] = [new Array<number>(rows).fill(0), new Array<number>(rows).fill(0)];
  for (let row = 0; row < rows; row++) {
    const [lp, lq] = [logSoftmax(p, row), logSoftmax(q, row)];
    for (const [v, a] of lp.entries()) {
      const b = lq[v] ?? Number.NaN;
      kl[row] = (kl[row] ?? 0) + Math.exp(a) * (a - b);
      reverseKl[row] = (reverseKl[row] ?? 0) + Math.exp(b) * (b - a);
    }
  }
  return { kl, reverseKl };
}

async function expectedKl(policy: FrozenModel, reference: FrozenModel): ReturnType<typeof plainKlOf> {
  return plainKlOf(policy, reference, batch);
}

async function plainKlOf(policy: FrozenModel, reference: FrozenModel, on: PackedBatch) {
  const p = await policy.forward(on, { logits: true });
  const q = await reference.forward(on, { logits: true });
  return plainKl(p.logits ?? new Float32Array(0), q.logits ?? new Float32Array(0), on.counts.targets);
}

/** The op adds 259 exponentials of fp32 in lanes: 8 * eps * sqrt(259), on divergences of up to a few nats. */
const BAR = 8 * 2 ** -24 * Math.sqrt(TINY_VOCABULARY);

function expectNear(actual: KlResult, expected: { kl: number[]; reverseKl: number[] }): void {
  for (const key of ["kl", "reverseKl"] as const) {
    const most = Math.max(...expected[key]);
    expect(actual[key]).to.have.lengthOf(expected[key].length);
    expect(most, "largest divergence").to.be.above(1e-4);
    expect(maxAbsolute(actual[key], expected[key]), key).to.be.at.most(BAR * Math.max(1, most));
  }
}

const bits = (values: Float32Array): number[] => Array.from(new Uint32Array(values.slice().buffer));

describe("exact KL", () => {
  const at = suiteFolder();
  before(() => {
    writeTinyModel({ folder: at("policy"), seed: 1 });
    writeTinyModel({ folder: at("reference"), seed: 2 });
    writeTinyModel({ folder: at("wide"), seed: 3, width: 48, layers: 1, tied: false });
    writeTinyModel({ folder: at("gpt2"), seed: 4, kind: "gpt2" });
    writeTinyModel({ folder: at("other"), vocabularySize: 300 });
    writeTinyModel({ folder: at("short"), maxPositions: 8 });
    writeTinyModel({ folder: at("reward"), kind: "reward" });
  });

  for (const isa of testedIsas()) {
    describe(isaTitle(isa), () => {
      const engine = suiteEngine({ isa });
      for (const dtype of ["fp32", "bf16"] as const) {
        describe(dtype, () => {
          valueTests(engine, at, dtype);
          adapterTests(engine, at, dtype);
        });
      }
    });
  }

  describe("asked wrongly", () => refusals(at));
});

function valueTests(engine: () => Engine, at: (name: string) => string, dtype: DType): void {
  let policy: Model;
  let reference: Model;
  before(async () => {
    policy = await engine().loadModel(at("policy"), { dtype });
    reference = await engine().loadModel(at("reference"), { dtype });
  });
  after(async () => {
    await policy?.dispose();
    await reference?.dispose();
  });

  it("is that of plain softmax over the logits, in both directions", async () => {
    expectNear(await policy.kl(batch, reference), await expectedKl(policy, reference));
  });

  it("sees one logit of the reference that is off", async () => {
    const p = await policy.forward(batch, { logits: true });
    const q = await reference.forward(batch, { logits: true });
    const wrong = Float32Array.from(q.logits ?? []);
    wrong[7] = (wrong[7] ?? 0) + 0.05;
    const expected = plainKl(p.logits ?? new Float32Array(0), wrong, batch.counts.targets);
    const actual = await policy.kl(batch, reference);
    expect(() => expectNear(actual, expected)).to.throw(/at most/);
  });

  for (const kind of ["wide", "gpt2"]) {
    it(`takes a reference of another shape: ${kind}`, async () => {
      await using other = await engine().loadModel(at(kind), { dtype });
      expectNear(await policy.kl(batch, other), await expectedKl(policy, other));
    });
  }

  it("takes a reference of the other number format", async () => {
    await using other = await engine().loadModel(at("reference"), {
      dtype: dtype === "fp32" ? "bf16" : "fp32",
    });
    expectNear(await policy.kl(batch, other), await expectedKl(policy, other));
  });

  it("is exactly 0 to the model itself and to a snapshot", async () => {
    await using snapshot = await policy.snapshot();
    for (const same of [policy, snapshot]) {
      const { kl, reverseKl } = await policy.kl(batch, same);
      expect([...kl, ...reverseKl].every((value) => value === 0)).to.equal(true);
      expect(kl).to.have.lengthOf(batch.counts.targets);
    }
  });

  it("has the same bits for rows alone and packed", async () => {
    const together = await policy.kl(batch, reference);
    let first = 0;
    for (const row of all) {
      const alone = await policy.kl(packRows({ data, rows: [row] }), reference);
      const end = first + alone.kl.length;
      expect(bits(together.kl.slice(first, end))).to.deep.equal(bits(alone.kl));
      expect(bits(together.reverseKl.slice(first, end))).to.deep.equal(bits(alone.reverseKl));
      first = end;
    }
    expect(first).to.equal(batch.counts.targets);
  });

  it("has the same bits with shared and with repeated prompts", async () => {
    const repeated = data.flatMap(({ prompt, completions }) =>
      completions.map((completion) => ({ prompt, completions: [completion] })),
    );
    const other = packRows({ data: repeated, rows: repeated.map((_, row) => row) });
    expect(bits((await policy.kl(other, reference)).kl)).to.deep.equal(
      bits((await policy.kl(batch, reference)).kl),
    );
  });

  it("of a batch without targets is empty", async () => {
    const none = packRows({ data: [{ prompt: someIds(3, 1), completions: [new Int32Array(0)] }], rows: [0] });
    expect(await policy.kl(none, reference)).to.deep.equal({
      kl: new Float32Array(0),
      reverseKl: new Float32Array(0),
    });
  });
}

function adapterTests(engine: () => Engine, at: (name: string) => string, dtype: DType): void {
  it("to the adapter switched off is that of both models' logits, whichever is asked", async () => {
    await using base = await engine().loadModel(at("policy"), { dtype });
    await using policy = await base.addAdapter({ rank: 4 });
    await policy.step(batch, { kind: "nll", normaliser: batch.counts.targets });
    await policy.update({ learningRate: 0.05 });
    const towards = await policy.kl(batch, base);
    const back = await base.kl(batch, policy);
    expectNear(towards, await expectedKl(policy, base));
    expect(maxAbsolute(back.reverseKl, towards.kl)).to.be.at.most(BAR);
  });

  it("of a fresh adapter to its base is exactly 0", async () => {
    await using base = await engine().loadModel(at("policy"), { dtype });
    await using policy = await base.addAdapter({ rank: 4 });
    const { kl, reverseKl } = await policy.kl(batch, base);
    expect([...kl, ...reverseKl].every((value) => value === 0)).to.equal(true);
  });
}

function refusals(at: (name: string) => string): void {
  let engine: Engine;
  let policy: Model;
  before(async () => {
    engine = await createEngine({ threads: 2 });
    policy = await engine.loadModel(at("policy"));
  });
  after(() => engine.dispose());

  it("names both vocabularies where they differ", async () => {
    await using other = await engine.loadModel(at("other"));
    const text = "model's vocabulary of 259 tokens but it has 300";
    await expectFailure(() => policy.kl(batch, other), "ATTUNE_MODEL", text);
  });

  it("says that a reward model has no distribution, on either side", async () => {
    await using reward = await engine.loadModel(at("reward"));
    await expectFailure(() => policy.kl(batch, reward), "ATTUNE_MODEL", "it is a reward model");
    await expectFailure(() => reward.kl(batch, policy), "ATTUNE_MODEL", "this one is a reward model");
  });

  it("refuses rows that the reference has no positions for", async () => {
    await using short = await engine.loadModel(at("short"));
    await expectFailure(() => policy.kl(batch, short), "ATTUNE_SHAPE", "position");
  });

  it("refuses a reference of another engine", async () => {
    await using other = await createEngine({ threads: 1 });
    const reference = await other.loadModel(at("reference"));
    await expectFailure(() => policy.kl(batch, reference), "ATTUNE_OPTION", "the model's own engine");
  });

  it("refuses a reference that was disposed", async () => {
    const reference = await engine.loadModel(at("reference"));
    await reference.dispose();
    await expectFailure(() => policy.kl(batch, reference), "ATTUNE_DISPOSED", "disposed");
  });

  it("refuses what is no model", () =>
    expectFailure(() => policy.kl(batch, {} as FrozenModel), "ATTUNE_OPTION", "a model of an engine"));

  it("rejects with the reason of its signal", async () => {
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    const reason = await policy.kl(batch, policy, { signal: controller.signal }).catch((error) => error);
    expect(reason).to.have.property("message", "enough");
  });

  it("counts the reference's rows and logits in the model's memory, once", async () => {
    await using fresh = await engine.loadModel(at("policy"));
    await fresh.forward(batch);
    const before = fresh.memory().head;
    for (let i = 0; i < 2; i++) await fresh.kl(batch, fresh);
    const { targets } = batch.counts;
    const aligned = (bytes: number) => Math.ceil(bytes / 64) * 64;
    expect(fresh.memory().head - before).to.equal(
      aligned(targets * 32 * 4) + aligned(targets * TINY_VOCABULARY * 4),
    );
  });
}
