// Conversion of model folders: what is written loads to the same log-probs, in the form that was asked for.

import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import {
  convertModel,
  createEngine,
  type Engine,
  type LossSpec,
  type Model,
} from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyGguf } from "../support/tiny-gguf.js";
import { writeTinyModel } from "../support/tiny-model.js";

const batch = demonstrations(3);
const nll: LossSpec = { kind: "nll", normaliser: batch.counts.targets };

describe("convertModel", () => {
  const at = suiteFolder();
  let engine: Engine;
  let adapted: number[];
  before(async () => {
    engine = await createEngine({ threads: 2 });
    writeTinyGguf(at("model.gguf"), writeTinyModel({ folder: at("tiny") }));
    await using model = await engine.loadModel(at("model.gguf"), { adapter: { rank: 2 } });
    await model.step(batch, nll);
    await model.update({ learningRate: 1e-2 });
    adapted = await logprobs(model);
    await model.save(at("adapter"));
  });
  after(() => engine.dispose());

  async function logprobs(model: Model): Promise<number[]> {
    return Array.from((await model.forward(batch)).logprobs);
  }
  async function logprobsIn(folder: string): Promise<number[]> {
    await using model = await engine.loadModel(folder);
    return await logprobs(model);
  }
  function expectNear(actual: readonly number[], expected: readonly number[], bar: number): void {
    expect(actual).to.have.length(expected.length);
    expect(Math.max(...actual.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN))))).to.be.below(
      bar,
    );
  }

  it("writes a GGUF file as a folder with the same log-probs", async () => {
    const { kind, folders } = await convertModel({ engine, model: at("model.gguf"), output: at("folder") });
    expect({ kind, folders }).to.deep.equal({ kind: "copied", folders: [at("folder")] });
    expect(await logprobsIn(at("folder"))).to.deep.equal(await logprobsIn(at("model.gguf")));
  });

  it("changes the number format", async () => {
    await convertModel({ engine, model: at("tiny"), output: at("half"), dtype: "bf16" });
    expect(JSON.parse(readFileSync(at("half/config.json"), "utf8"))).to.include({ dtype: "bfloat16" });
    const bytes = (folder: string) => readFileSync(at(folder, "model.safetensors")).length;
    expect(bytes("half")).to.be.below(0.6 * bytes("tiny"));
  });

  for (const [what, from] of [
    ["given beside the model", { model: "model.gguf", adapter: "adapter" }],
    ["that names its model", { model: "adapter" }],
  ] as const) {
    it(`merges an adapter ${what}`, async () => {
      const output = at(`merged-${Object.keys(from).length}`);
      const paths = Object.fromEntries(Object.entries(from).map(([key, name]) => [key, at(name)]));
      const result = await convertModel({ engine, model: "", ...paths, output });
      expect(result.kind).to.equal("merged");
      expectNear(await logprobsIn(output), adapted, 1e-5);
    });
  }

  it("writes base and adapter apart, the adapter naming that base", async () => {
    const result = await convertModel({ engine, model: at("adapter"), output: at("apart"), split: true });
    expect(result.folders).to.deep.equal([at("apart/base"), at("apart/adapter")]);
    const config = JSON.parse(readFileSync(at("apart/adapter/adapter_config.json"), "utf8"));
    expect(config.base_model_name_or_path).to.equal(at("apart/base"));
    expect(await logprobsIn(at("apart/adapter"))).to.deep.equal(adapted);
    expect(await logprobsIn(at("apart/base"))).to.deep.equal(await logprobsIn(at("model.gguf")));
  });

  it("refuses to split a whole model, and two adapters at once", async () => {
    const whole = await failureOf(() =>
      convertModel({ engine, model: at("tiny"), output: at("none"), split: true }),
    );
    expect(whole.message).to.include("merged weights cannot be split again");
    const two = await failureOf(() =>
      convertModel({ engine, model: at("adapter"), adapter: at("adapter"), output: at("none") }),
    );
    expect(two.message).to.include("is an adapter too");
    expect(readdirSync(at())).to.not.include("none");
  });
});
