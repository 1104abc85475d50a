// What goes wrong on a GPU, made to go wrong on the simulated machine: a named error, the process lives, memory returns, and
// what can work afterwards does.

import { expect } from "chai";
import { createEngine, type Engine, listBackends, type Model } from "../../lib/engine/index.js";
import type { ErrorCode } from "../../lib/errors/index.js";
import { expectFailure, failureOf } from "../errors/expect-failure.js";
import { demonstrations } from "../support/packed-rows.js";
import { withMachine, withOwnMachine } from "../support/simulated-gpu.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const batch = demonstrations(2);
const MEBIBYTE = 2 ** 20;

const onGpu = () => createEngine({ device: "cuda", threads: 1 });

/** The loss of one step, whose gradients go. */
async function lossOf(model: Model): Promise<number> {
  await model.clearGradients();
  return (await model.step(batch, { kind: "nll", normaliser: batch.counts.targets })).loss;
}

describe("a machine without a GPU that can be used", () => {
  const at = suiteFolder();
  const machines = [
    ["no driver", "count=35 driver=0", "no NVIDIA driver is installed"],
    ["an old driver", "count=35 driver=12040", "the driver knows CUDA 12.4, the library needs 13.0"],
    ["no GPU", "count=100", "cudaErrorNoDevice"],
    ["an old GPU", "capability=75", "compute capability 7.5, 8.0 or more is needed"],
  ] as const;
  for (const [i, [name, plan, reason]] of machines.entries()) {
    it(`fails at the probe with ${name}, and "auto" computes on the CPU`, () =>
      withOwnMachine({ file: at(`machine-${i}.so`), plan }, async () => {
        const found = listBackends().find((backend) => backend.name === "cuda");
        expect(found).to.deep.include({ stage: "probe", devices: [] });
        expect(found?.reason).to.contain(reason);
        const error = await failureOf(onGpu);
        expect(error.code).to.equal("ATTUNE_BACKEND");
        expect(error.message).to.contain(reason);
        expect(error.details).to.deep.include({ stage: "probe" });
        await using engine = await createEngine({ threads: 1 });
        expect(engine.device).to.equal("cpu");
      }));
  }
});

describe("a GPU that does not open", () => {
  const at = suiteFolder();
  const machines = [
    ["no kernel is for", "code=209", "was not compiled for this GPU"],
    ["somebody else has", "code=46", "another process may have it for itself"],
  ] as const;
  for (const [name, plan, reason] of machines)
    it(`fails where ${name} it, and "auto" computes on the CPU`, () =>
      withMachine(plan, async () => {
        const error = await failureOf(onGpu);
        expect(error.message).to.contain("the backend is probe").and.to.contain(reason);
        expect(error.details).to.deep.include({ stage: "probe" });
        await using engine = await createEngine({ threads: 1 });
        expect(engine.device).to.equal("cpu");
      }));

  it("makes way for the next one, which is said", () =>
    withOwnMachine({ file: at("second.so"), plan: "devices=2 code@1=209" }, async () => {
      const warnings: string[] = [];
      const logger = { warn: (message: string) => void warnings.push(message) };
      await using engine = await createEngine({ device: "cuda", threads: 1, logger });
      expect(engine.device).to.equal("cuda");
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.contain("Using cuda:1").and.to.contain("was not compiled for this GPU");
    }));
});

describe("an engine on a GPU where something fails", () => {
  const at = suiteFolder();
  let want: number;
  before(async () => {
    writeTinyModel({ folder: at("tiny") });
    await withMachine("", async () => {
      await using engine = await onGpu();
      want = await lossOf(await engine.loadModel(at("tiny")));
    });
  });

  it("says that memory is missing in the middle, and takes the next step", () =>
    withMachine("memory=68", async () => {
      await using engine = await onGpu();
      const model = await engine.loadModel(at("tiny"));
      const large = demonstrations(100, 60, 60);
      const step = () => model.step(large, { kind: "nll", normaliser: large.counts.targets });
      await expectFailure(step, "ATTUNE_MEMORY", "of the GPU's 71.3 MB");
      expect(await lossOf(model)).to.equal(want);
      await model.dispose();
      expect(engine.memory().device).to.equal(0);
    }));

  it("says that pinned memory is missing, and takes the next step", () =>
    withMachine("pinned@2=2", async () => {
      await using engine = await onGpu();
      const model = await engine.loadModel(at("tiny"));
      await expectFailure(() => lossOf(model), "ATTUNE_MEMORY", "cudaMallocHost");
      expect(await lossOf(model)).to.equal(want);
    }));

  it("says that a kernel is for another GPU, and takes the next step", () =>
    withMachine("launch@40=209", async () => {
      await using engine = await onGpu();
      const model = await engine.loadModel(at("tiny"));
      await expectFailure(() => lossOf(model), "ATTUNE_BACKEND", "was not compiled for this GPU");
      expect(await lossOf(model)).to.equal(want);
    }));

  it("refuses with numbers before a run that would not fit", () =>
    withMachine("memory=100", async () => {
      await using engine = await onGpu();
      const model = await engine.loadModel(at("tiny"));
      const room = { rows: 64, targets: 64, training: true };
      const error = await failureOf(() => model.reserve?.({ bytes: 200 * MEBIBYTE, ...room }));
      expect(error.code).to.equal("ATTUNE_MEMORY");
      expect(error.message)
        .to.contain("Expected to reserve 209.7 MB")
        .and.to.contain("of the GPU's 104.9 MB");
      expect(await lossOf(model)).to.equal(want);
    }));

  it("takes what is reserved before the run, and nothing in it", () =>
    withMachine("devices=1", async () => {
      await using engine = await onGpu();
      const model = await engine.loadModel(at("tiny"));
      const rows = batch.tokens.length;
      const targets = batch.counts.targets;
      await model.reserve?.({ bytes: 200 * MEBIBYTE, rows, targets, training: true });
      expect(model.memory().total).to.equal(model.plan({ rows, targets, training: true }).total);
      const held = engine.memory().device;
      expect(held).to.be.at.least(200 * MEBIBYTE);
      expect(await lossOf(model)).to.equal(want);
      await model.update({ learningRate: 0 });
      expect(engine.memory().device).to.equal(held);
      await engine.releaseMemory();
      expect(engine.memory().device).to.be.below(held + 1);
      await model.dispose();
      expect(engine.memory().device).to.equal(0);
    }));
});

describe("a GPU that is lost", () => {
  const at = suiteFolder();
  before(() => writeTinyModel({ folder: at("tiny") }));

  const everyCall = (engine: Engine, model: Model): readonly (() => unknown)[] => [
    () => lossOf(model),
    () => model.forward(batch),
    () => model.update({ learningRate: 1e-3 }),
    () => model.generate("One", { maxNewTokens: 2, seed: 1 }).next(),
    () => model.snapshot(),
    () => model.save(at("saved")),
    () => engine.loadModel(at("tiny")),
  ];
  const code: ErrorCode = "ATTUNE_DEVICE_LOST";

  it("fails every later call with the same error, and disposes", () =>
    withMachine("launch@30=700", async () => {
      const engine = await onGpu();
      const model = await engine.loadModel(at("tiny"));
      const steps = async () => {
        for (let i = 0; i < 3; i++) await lossOf(model);
      };
      const first = await failureOf(steps);
      expect(first.code).to.equal(code);
      expect(first.message).to.contain("cudaErrorIllegalAddress").and.to.contain("start it again");
      for (const call of everyCall(engine, model)) {
        const { code: later, message } = await failureOf(call);
        expect(later).to.equal(code);
        expect(message).to.contain("cudaErrorIllegalAddress");
      }
      expect((await failureOf(() => model.forward(batch))).message).to.equal(first.message);
      await model.dispose();
      expect(engine.memory().device).to.equal(0);
      await engine.dispose();
      await expectFailure(onGpu, "ATTUNE_BACKEND", "start it again");
      const warnings: string[] = [];
      const logger = { warn: (message: string) => void warnings.push(message) };
      await using other = await createEngine({ device: "auto", threads: 1, logger });
      expect(other.device).to.equal("cpu");
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.contain("Using the CPU").and.to.contain("cudaErrorIllegalAddress");
    }));

  it("is there again for a later engine where the machine allows it", () =>
    withMachine("launch@30=214", async () => {
      const lost = await onGpu();
      const model = await lost.loadModel(at("tiny"));
      const steps = async () => {
        for (let i = 0; i < 3; i++) await lossOf(model);
      };
      await expectFailure(steps, code, "cudaErrorECCUncorrectable");
      await withMachine("devices=1 memory=512", async () => {
        await using engine = await onGpu();
        expect(await lossOf(await engine.loadModel(at("tiny")))).to.be.a("number");
      });
      // The old engine stays lost.
      await expectFailure(() => lossOf(model), code, "cudaErrorECCUncorrectable");
      await lost.dispose();
    }));
});

describe("several engines on GPUs", () => {
  const at = suiteFolder();
  before(() => writeTinyModel({ folder: at("tiny") }));

  const together = async (engines: readonly Engine[]): Promise<void> => {
    const models = await Promise.all(engines.map((engine) => engine.loadModel(at("tiny"))));
    const losses = async () => Promise.all(models.map((model) => lossOf(model)));
    const [first, second] = [await losses(), await losses()];
    expect(new Set([...first, ...second]).size).to.equal(1);
    for (const engine of engines) expect(engine.memory().device).to.be.above(0);
    await engines[0]?.dispose();
    expect(engines.map((engine) => engine.memory().device > 0)).to.deep.equal([false, true, true]);
    const left = models.slice(1).map((model) => lossOf(model));
    expect(new Set([first[0], ...(await Promise.all(left))]).size).to.equal(1);
    await Promise.all(engines.map((engine) => engine.dispose()));
  };

  it("work beside each other on one", () =>
    withMachine("devices=1", async () => together(await Promise.all([onGpu(), onGpu(), onGpu()]))));

  it("work on a GPU of their own", () =>
    withOwnMachine({ file: at("two.so"), plan: "devices=2 memory=256" }, async () => {
      const onSecond = () => createEngine({ device: "cuda:1", threads: 1 });
      await together(await Promise.all([onGpu(), onSecond(), onSecond()]));
      await expectFailure(
        () => createEngine({ device: "cuda:2" }),
        "ATTUNE_BACKEND",
        "(0, 1) but received cuda:2",
      );
    }));

  it("show the memory that is free when they are asked", () =>
    withMachine("devices=1", async () => {
      await using engine = await onGpu();
      const free = () => engine.backends[1]?.devices?.[0]?.free ?? Number.NaN;
      const before = free();
      await engine.loadModel(at("tiny"));
      expect(free()).to.equal(before - engine.memory().device);
      await withMachine("devices=1 free=999", () => expect(free()).to.be.NaN);
    }));

  it("take the first GPU that can be used", () =>
    withOwnMachine({ file: at("second.so"), plan: "devices=2 properties@1=100" }, async () => {
      expect(listBackends()[1]?.devices?.map(({ index }) => index)).to.deep.equal([1]);
      expect(listBackends()[1]?.refused?.map(({ index }) => index)).to.deep.equal([0]);
      await using engine = await onGpu();
      expect(await lossOf(await engine.loadModel(at("tiny")))).to.be.a("number");
      await expectFailure(
        () => createEngine({ device: "cuda:0" }),
        "ATTUNE_BACKEND",
        "(1) but received cuda:0, which cannot be used: ",
      );
    }));
});
