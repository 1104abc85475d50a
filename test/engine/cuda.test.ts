// Engines on a CUDA device: without ATTUNE_CUDA the one whose kernels run on the CPU over fibers, in memory that the host
// cannot touch.
// And how far opening a library goes, stage by stage.

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { findCudaLibrary } from "../../lib/engine/cuda-library.js";
import { createEngine, type Engine, listBackends, type Model } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { simulatedCuda, testedCuda, withCuda, withEnvironment } from "../support/cuda-library.js";
import { demonstrations } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const cudaBackend = (path: string) =>
  withCuda(path, () => listBackends().find(({ name }) => name === "cuda"));

describe("opening the library of CUDA kernels", () => {
  const at = suiteFolder();

  it("is missing where there is no file", async () => {
    const backend = await cudaBackend(at("nowhere.so"));
    expect(backend?.stage).to.equal("missing");
    expect(backend?.reason).to.contain("nowhere.so does not exist");
  });

  it("is missing where it is switched off", async () => {
    expect((await cudaBackend("off"))?.reason).to.equal("ATTUNE_CUDA=off");
  });

  it("ends at dlopen for a file that is no library", async () => {
    writeFileSync(at("text.so"), "no library");
    expect((await cudaBackend(at("text.so")))?.stage).to.equal("dlopen");
  });

  // Opening it would end the process.
  for (const share of [0.01, 0.5, 0.999])
    it(`ends at dlopen for a library of which ${share * 100} % is there`, async () => {
      const whole = readFileSync(simulatedCuda);
      writeFileSync(at(`cut-${share}.so`), whole.subarray(0, Math.floor(whole.length * share)));
      const backend = await cudaBackend(at(`cut-${share}.so`));
      expect(backend?.stage).to.equal("dlopen");
      expect(backend?.reason).to.contain("is cut off");
    });

  it("ends at the symbol for another library", async () => {
    copyFileSync(join(dirname(simulatedCuda), "attune.node"), at("other.so"));
    const backend = await cudaBackend(at("other.so"));
    expect(backend?.stage).to.equal("symbol");
    expect(backend?.reason).to.contain("attune_backend_entry");
  });

  it("shows the device that it found", async () => {
    const { stage, devices = [] } = (await cudaBackend(testedCuda())) ?? {};
    expect(stage).to.equal("ok");
    expect(devices).to.not.be.empty;
    for (const { capability } of devices) expect(Number(capability)).to.be.at.least(8);
    if (testedCuda() === simulatedCuda)
      expect(devices.map(({ capability }) => capability)).to.deep.equal(["9.0"]);
  });

  it("looks in the package of this platform", () => {
    const places = { explicit: undefined, root: at(""), require: createRequire(import.meta.url) };
    const { reason } = findCudaLibrary({ ...places, platform: "linux", arch: "x64" });
    expect(reason).to.contain("attune-linux-x64-cuda is not installed");
    expect(findCudaLibrary({ ...places, platform: "darwin", arch: "arm64" }).reason).to.contain(
      "darwin-arm64",
    );
  });

  it("fails with stage and reason where a CUDA device is asked for, and falls back where it is not", async () => {
    await withCuda(at("nowhere.so"), async () => {
      const error = await failureOf(() => createEngine({ device: "cuda" }));
      expect(error.code).to.equal("ATTUNE_BACKEND");
      expect(error.message).to.contain("the backend is missing");
      const engine = await createEngine({ device: "auto", threads: 1 });
      expect(engine.device).to.equal("cpu");
      await engine.dispose();
    });
  });
});

describe("an engine on a CUDA device", () => {
  const at = suiteFolder();
  let cuda: Engine;
  let cpu: Engine;
  before(async () => {
    writeTinyModel({ folder: at("tiny") });
    cuda = await withCuda(testedCuda(), () => createEngine({ device: "cuda", threads: 1 }));
    cpu = await createEngine({ device: "cpu", threads: 1, isa: "scalar" });
  });
  after(async () => {
    await cuda.dispose();
    await cpu.dispose();
  });

  const rows = [
    { prompt: "One two", completion: " three four" },
    { prompt: "a", completion: "bcd" },
  ];
  const both = async <Result>(work: (model: Model) => Promise<Result>): Promise<[Result, Result]> => {
    const [one, other] = [await cuda.loadModel(at("tiny")), await cpu.loadModel(at("tiny"))];
    const results: [Result, Result] = [await work(one), await work(other)];
    await one.dispose();
    await other.dispose();
    return results;
  };

  it("says so", () => {
    expect([cuda.device, cuda.isa]).to.deep.equal(["cuda", "cuda"]);
  });

  it("leaves ATTUNE_ISA aside, which is the CPU's", () =>
    withEnvironment({ ATTUNE_CUDA: testedCuda(), ATTUNE_ISA: "scalar" }, async () => {
      await using engine = await createEngine({ device: "cuda", threads: 1 });
      expect(engine.isa).to.equal("cuda");
    }));

  it('refuses an instruction set, with which "auto" means the CPU', () =>
    withCuda(testedCuda(), async () => {
      const { code, message } = await failureOf(() => createEngine({ device: "cuda", isa: "scalar" }));
      expect(code).to.equal("ATTUNE_OPTION");
      expect(message).to.contain('Expected no isa with device "cuda" but received "scalar"');
      await using engine = await createEngine({ isa: "scalar", threads: 1 });
      expect([engine.device, engine.isa]).to.deep.equal(["cpu", "scalar"]);
    }));

  for (const device of ["cuda", "auto"] as const)
    it(`names the values of ATTUNE_CUDA_GEMM for a wrong one, with device "${device}"`, () =>
      withEnvironment({ ATTUNE_CUDA: testedCuda(), ATTUNE_CUDA_GEMM: "fast" }, async () => {
        const { code, message } = await failureOf(() => createEngine({ device }));
        expect(code).to.equal("ATTUNE_OPTION");
        expect(message).to.contain('one of auto, mma, cublaslt but received "fast"');
      }));

  it("gives the CPU's log-probs", async () => {
    const [got, want] = await both((model) => model.logprobs(rows));
    expect(got.length).to.equal(2);
    for (const [row, values] of got.entries())
      for (const [i, value] of values.entries())
        expect(value).to.be.closeTo(want[row]?.[i] ?? Number.NaN, 1e-4);
  });

  it("takes the CPU's steps", async () => {
    const batch = demonstrations(3);
    const [got, want] = await both(async (model) => {
      const losses: number[] = [];
      for (let step = 0; step < 4; step++) {
        losses.push((await model.step(batch, { kind: "nll", normaliser: batch.counts.targets })).loss);
        await model.update({ learningRate: 1e-3 });
      }
      return losses;
    });
    expect(got.at(-1)).to.be.below((got[0] ?? 0) - 0.05);
    for (const [i, loss] of got.entries()) expect(loss).to.be.closeTo(want[i] ?? Number.NaN, 1e-3);
  });

  it("samples what it scores: the same bits", async () => {
    const model = await cuda.loadModel(at("tiny"));
    const ids: number[] = [];
    const logprobs: number[] = [];
    for await (const chunk of model.generate("One two", { maxNewTokens: 8, seed: 3 })) {
      ids.push(...chunk.ids);
      logprobs.push(...chunk.logprobs);
    }
    const tokenizer = await model.tokenizer();
    const prompt = tokenizer.encode("One two");
    const [scored] = await model.logprobs([{ prompt, completion: ids }]);
    expect([...(scored ?? [])]).to.deep.equal(logprobs);
    await model.dispose();
  });

  it("holds the device's memory while a model lives", async () => {
    const model = await cuda.loadModel(at("tiny"));
    expect(cuda.memory().device).to.be.above(model.memory().total);
    await model.dispose();
  });

  it("has it back when models are disposed, though a generation of theirs has not ended", async () => {
    await using own = await withCuda(testedCuda(), () => createEngine({ device: "cuda", threads: 1 }));
    const model = await own.loadModel(at("tiny"));
    const answers = model.generate("One two", { maxNewTokens: 8, stopTokens: [] });
    await answers.next();
    expect(own.memory().device).to.be.above(0);
    await model.dispose();
    expect(own.memory().device).to.equal(0);
    await answers.return();
  });
});
