// Models whose layers the host keeps: on a device, here the library whose kernels run on the CPU over fibers, and on the CPU.

import { readFileSync } from "node:fs";
import { expect } from "chai";
import { createEngine, type Engine, type EngineMemory, type Model } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { testedCuda, withCuda } from "../support/cuda-library.js";
import { demonstrations } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const rows = [
  { prompt: "One two", completion: " three four" },
  { prompt: "a", completion: "bcd" },
];

describe("a model whose layers the host keeps", () => {
  const at = suiteFolder();
  const layers = 6;
  before(() => {
    writeTinyModel({ folder: at("tiny"), layers, width: 64, mlpWidth: 512 });
  });

  const onDevice = async <Result>(work: (engine: Engine) => Promise<Result>): Promise<Result> => {
    await using engine = await withCuda(testedCuda(), () => createEngine({ device: "cuda", threads: 1 }));
    return await work(engine);
  };
  /** What an engine of its own holds and leaves once a model has scored the rows, and their log-probs. */
  const scored = (weights: "device" | "host", open = (model: Model) => Promise.resolve(model)) =>
    onDevice(async (engine) => {
      const model = await open(await engine.loadModel(at("tiny"), { weights }));
      const logprobs = await model.logprobs(rows);
      return { logprobs, memory: engine.memory(), left: model.availableMemory?.().bytes ?? Number.NaN };
    });

  it("gives the same bits, for less of the device's memory", async () => {
    const [kept, resident] = [await scored("host"), await scored("device")];
    expect(kept.logprobs).to.deep.equal(resident.logprobs);
    const layer = kept.memory.weightsHost / layers;
    const saved = (of: (memory: EngineMemory) => number) => of(resident.memory) - of(kept.memory);
    expect(resident.memory.weightsHost).to.equal(0);
    expect(layer).to.be.above(4 * 3 * 64 * 512);
    expect(saved(({ weightsFp32 }) => weightsFp32)).to.equal((layers - 2) * layer);
    expect(saved(({ total }) => total)).to.equal((layers - 2) * layer);
    // What is taken of the GPU comes in slabs; what is left of it is counted to the byte.
    expect(kept.left - resident.left).to.be.closeTo((layers - 2) * layer, 0.05 * layer);
  });

  it("is counted by the plan of a copy before there is one", async () => {
    await onDevice(async (engine) => {
      const model = await engine.loadModel(at("tiny"));
      const { weightsHost, weightsFp32 } = model.plan({
        rows: 8,
        targets: 4,
        training: false,
        weights: "host",
      });
      const copy = await model.snapshot({ weights: "host" });
      expect(copy.memory()).to.include({ weightsHost, weightsFp32 });
      expect(engine.memory().weightsHost).to.equal(weightsHost);
      await copy.dispose();
      expect(engine.memory().weightsHost).to.equal(0);
    });
  });

  it("trains an adapter and is merged with it as on the device, and is not trained itself", async () => {
    const batch = demonstrations(3);
    const loss = { kind: "nll", normaliser: batch.counts.targets } as const;
    const train = (weights: "device" | "host") =>
      onDevice(async (engine) => {
        const model = await engine.loadModel(at("tiny"), { weights, adapter: { rank: 2 } });
        await model.step(batch, loss);
        await model.update({ learningRate: 0.1 });
        await model.saveMerged(at(weights));
        return [await model.logprobs(rows), readFileSync(at(weights, "model.safetensors"))];
      });
    expect(await train("host")).to.deep.equal(await train("device"));
    await onDevice(async (engine) => {
      const model = await engine.loadModel(at("tiny"), { weights: "host" });
      const error = await failureOf(() => model.step(batch, loss));
      expect(error.code).to.equal("ATTUNE_OPTION");
      expect(error.message).to.contain("the host keeps its weights");
    });
  });

  it("changes nothing on the CPU, which is said once", async () => {
    const said: string[] = [];
    const logger = { info: (text: string) => void said.push(text) };
    await using engine = await createEngine({ device: "cpu", threads: 1, logger });
    const kept = await engine.loadModel(at("tiny"), { weights: "host" });
    const other = await engine.loadModel(at("tiny"), { weights: "host" });
    expect(kept.memory()).to.deep.equal((await engine.loadModel(at("tiny"))).memory());
    expect((await other.snapshot({ weights: "host" })).memory().weightsHost).to.equal(0);
    expect(said).to.deep.equal(['weights "host" has no effect on the CPU.']);
  });

  it("is asked for by one of two words", async () => {
    await using engine = await createEngine({ device: "cpu", threads: 1 });
    const error = await failureOf(() => engine.loadModel(at("tiny"), { weights: "disk" as "host" }));
    expect(error.message).to.equal('Expected weights to be one of device, host but received "disk".');
  });
});
