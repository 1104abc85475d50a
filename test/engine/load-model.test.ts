// Loading models of every family and format, and what is said about files that cannot be used.

import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { createEngine, type DType, type Engine, type ForwardResult } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { tinyGgufBytes, writeTinyGguf } from "../support/tiny-gguf.js";
import { writeTinyModel } from "../support/tiny-model.js";

/** What llama.cpp's converter writes for factor 8, low 1, high 4, 8192 positions and base 10000. */
function llama3Divisors(headWidth: number): Float32Array {
  return Float32Array.from({ length: headWidth / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * 10000 ** ((2 * i) / headWidth);
    if (wavelength < 8192 / 4) return 1;
    if (wavelength > 8192) return 8;
    const smooth = (8192 / wavelength - 1) / (4 - 1);
    return 1 / ((1 - smooth) / 8 + smooth);
  });
}

const kinds = ["llama", "qwen2", "qwen3", "mistral", "gpt2"] as const;

describe("loading a model", () => {
  const at = suiteFolder();
  const batch = demonstrations(3);
  let engine: Engine;
  before(async () => {
    engine = await createEngine({ device: "cpu", threads: 2 });
  });
  after(() => engine.dispose());

  async function forward(path: string, dtype: DType = "fp32"): Promise<ForwardResult> {
    await using model = await engine.loadModel(path, { dtype });
    return await model.forward(batch);
  }

  for (const kind of kinds) {
    it(`gives finite log-probs of a ${kind} model that add up to less than certainty`, async () => {
      const { logprobs } = await forward(writeTinyModel({ folder: at(kind), kind }).folder);
      expect(logprobs).to.have.length(batch.counts.targets);
      for (const logprob of logprobs) expect(logprob).to.be.below(0).and.above(-50);
    });
  }

  for (const kind of ["llama", "qwen2", "qwen3", "gpt2"] as const) {
    it(`gives the same bits from a GGUF of ${kind} as from the folder`, async () => {
      const model = writeTinyModel({ folder: at(`${kind}-both`), kind });
      writeTinyGguf(at(`${kind}.gguf`), model);
      const gguf = await forward(at(`${kind}.gguf`));
      expect(gguf).to.deep.equal(await forward(model.folder));
    });
  }

  it("reads Llama 3's scaling from the divisors of a GGUF", async () => {
    const scaling = {
      rope_type: "llama3",
      rope_theta: 10000,
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
    };
    const rope_parameters = { ...scaling, original_max_position_embeddings: 8192 };
    // Width 64, so that frequencies lie on both sides of the blend.
    const shape = { width: 256, heads: 4, kvHeads: 2, maxPositions: 512 };
    const model = writeTinyModel({ folder: at("llama3"), ...shape, config: { rope_parameters } });
    const plain = writeTinyModel({ folder: at("llama2"), ...shape });
    const divisors = { shape: [32], values: llama3Divisors(64) };
    const tensors = new Map([...model.tensors, ["rope_freqs.weight", divisors] as const]);
    writeTinyGguf(at("llama3.gguf"), { config: model.config, tensors });
    const gguf = await forward(at("llama3.gguf"));
    expect(gguf).to.deep.equal(await forward(model.folder));
    expect(gguf.logprobs).to.not.deep.equal((await forward(plain.folder)).logprobs);
  });

  it("refuses divisors of another scaling", async () => {
    const model = writeTinyModel({ folder: at("other"), width: 256, maxPositions: 512 });
    const values = llama3Divisors(64).map((divisor, i) => (i === 20 ? divisor * 1.1 : divisor));
    const tensors = new Map([...model.tensors, ["rope_freqs.weight", { shape: [32], values }] as const]);
    writeTinyGguf(at("other.gguf"), { config: model.config, tensors });
    const error = await failureOf(() => engine.loadModel(at("other.gguf")));
    expect(error.code).to.equal("ATTUNE_MODEL");
    expect(error.message).to.contain("rope_freqs.weight");
  });

  it("takes the .safetensors file itself as well", async () => {
    const model = writeTinyModel({ folder: at("file") });
    expect(await forward(model.weights)).to.deep.equal(await forward(model.folder));
  });

  it("holds bf16 matrices in two bytes per value", async () => {
    const { folder } = writeTinyModel({ folder: at("half"), width: 64 });
    await using full = await engine.loadModel(folder);
    await using half = await engine.loadModel(folder, { dtype: "bf16" });
    expect(half.memory().weightsBf16).to.be.closeTo(
      full.memory().weightsFp32 / 2,
      full.memory().weightsFp32 * 0.02,
    );
    expect(half.memory().weightsFp32).to.be.below(full.memory().weightsFp32 * 0.02);
  });

  it("computes in bf16 when asked: close to fp32 but not the same", async () => {
    const { folder } = writeTinyModel({ folder: at("bf16") });
    const full = await forward(folder);
    const half = await forward(folder, "bf16");
    const errors = half.logprobs.map((value, i) => Math.abs(value - (full.logprobs[i] ?? 0)));
    expect(Math.max(...errors))
      .to.be.above(1e-4)
      .and.below(0.3);
  });

  it("says what it loaded", async () => {
    await using model = await engine.loadModel(writeTinyModel({ folder: at("says"), tied: false }).folder);
    expect(model).to.include({ dtype: "fp32", vocabularySize: 259, maxPositions: 256, source: at("says") });
    const values = model.tensors().reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(model.parameters).to.equal(values);
  });

  it("gives every tensor back as it was in the file", async () => {
    for (const kind of kinds) {
      const written = writeTinyModel({ folder: at(`${kind}-back`), kind });
      await using model = await engine.loadModel(written.folder);
      expect(model.tensors().map(({ name }) => name)).to.have.members([...written.tensors.keys()]);
      for (const [name, { values }] of written.tensors)
        expect(await model.parameter(name)).to.deep.equal(values);
    }
  });

  it("reports progress up to 1", async () => {
    const fractions: number[] = [];
    await using model = await engine.loadModel(writeTinyModel({ folder: at("progress") }).folder, {
      onProgress: (fraction) => fractions.push(fraction),
    });
    expect(model.parameters).to.be.above(0);
    expect(fractions.at(-1)).to.equal(1);
    expect(fractions).to.deep.equal(fractions.toSorted((a, b) => a - b));
  });

  it("rejects with what a progress callback throws", async () => {
    const { folder } = writeTinyModel({ folder: at("throws") });
    const onProgress = (): void => {
      throw new RangeError("from the callback");
    };
    const error: unknown = await engine.loadModel(folder, { onProgress }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(RangeError);
  });

  it("names an unknown option and the nearest known one", async () => {
    const error = await failureOf(() => engine.loadModel(at("says"), { dtyp: "bf16" } as object));
    expect(error.code).to.equal("ATTUNE_OPTION");
    expect(error.message).to.contain('Did you mean "dtype"?');
  });

  it("names an unknown dtype", async () => {
    const error = await failureOf(() => engine.loadModel(at("says"), { dtype: "fp16" as never }));
    expect(error.message).to.equal('Expected dtype to be one of fp32, bf16 but received "fp16".');
  });

  it("loads nothing under a signal that was aborted before", async () => {
    const signal = AbortSignal.abort(new Error("no more"));
    const error: unknown = await engine.loadModel(at("says"), { signal }).catch((thrown: unknown) => thrown);
    expect(error).to.equal(signal.reason);
  });
});

describe("model files that cannot be used", () => {
  const at = suiteFolder();
  let engine: Engine;
  before(async () => {
    engine = await createEngine({ device: "cpu", threads: 1 });
  });
  after(() => engine.dispose());

  async function refused(path: string, code: string): Promise<string> {
    const error = await failureOf(() => engine.loadModel(path));
    expect(error.code, error.message).to.equal(code);
    expect(error.exitCode).to.equal(code === "ATTUNE_NOT_FINITE" ? 1 : 2);
    return error.message;
  }

  it("a truncated safetensors file", async () => {
    const { folder, weights } = writeTinyModel({ folder: at("cut") });
    truncateSync(weights, readFileSync(weights).length - 100);
    expect(await refused(folder, "ATTUNE_FORMAT")).to.contain(weights);
  });

  it("a safetensors file cut inside its header", async () => {
    const { folder, weights } = writeTinyModel({ folder: at("header") });
    truncateSync(weights, 20);
    await refused(folder, "ATTUNE_FORMAT");
  });

  it("an empty safetensors file", async () => {
    const { folder, weights } = writeTinyModel({ folder: at("empty") });
    truncateSync(weights, 0);
    expect(await refused(folder, "ATTUNE_FILE")).to.contain("is empty (0 bytes)");
  });

  it("a tensor of the wrong shape", async () => {
    const { folder } = writeTinyModel({
      folder: at("shape"),
      edit: (tensors) => tensors.set("model.norm.weight", { shape: [31], values: new Float32Array(31) }),
    });
    const message = await refused(folder, "ATTUNE_MODEL");
    expect(message).to.contain("model.norm.weight").and.contain("[32]").and.contain("[31]");
  });

  it("a missing tensor", async () => {
    const { folder } = writeTinyModel({
      folder: at("missing"),
      edit: (tensors) => tensors.delete("model.layers.1.mlp.up_proj.weight"),
    });
    expect(await refused(folder, "ATTUNE_MODEL")).to.contain("model.layers.1.mlp.up_proj.weight");
  });

  it("a tensor that the configuration has no place for", async () => {
    const { folder } = writeTinyModel({
      folder: at("extra"),
      edit: (tensors) =>
        tensors.set("model.layers.0.self_attn.q_proj.bias", { shape: [32], values: new Float32Array(32) }),
    });
    expect(await refused(folder, "ATTUNE_MODEL")).to.contain("model.layers.0.self_attn.q_proj.bias");
  });

  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`a weight that is ${value}`, async () => {
      const { folder } = writeTinyModel({
        folder: at(`weight-${value}`),
        edit: (tensors) => {
          const tensor = tensors.get("model.layers.0.mlp.down_proj.weight");
          if (tensor !== undefined) tensor.values[17] = value;
        },
      });
      const message = await refused(folder, "ATTUNE_NOT_FINITE");
      expect(message).to.contain("model.layers.0.mlp.down_proj.weight").and.contain("row 0, column 17");
    });
  }

  it("an unsupported architecture", async () => {
    const { folder } = writeTinyModel({ folder: at("arch"), config: { architectures: ["BertModel"] } });
    expect(await refused(folder, "ATTUNE_MODEL")).to.contain("BertModel");
  });

  it("a truncated GGUF file", async () => {
    const bytes = tinyGgufBytes(writeTinyModel({ folder: at("source") }));
    writeFileSync(at("cut.gguf"), bytes.subarray(0, bytes.length - 200));
    await refused(at("cut.gguf"), "ATTUNE_FORMAT");
  });

  it("a GGUF file cut at many places", async () => {
    const bytes = tinyGgufBytes(writeTinyModel({ folder: at("many") }));
    for (let i = 0; i < 40; i++) {
      writeFileSync(at("many.gguf"), bytes.subarray(0, Math.floor((bytes.length * i) / 40)));
      await refused(at("many.gguf"), "ATTUNE_FORMAT");
    }
  });

  it("an empty GGUF file", async () => {
    writeFileSync(at("empty.gguf"), "");
    await refused(at("empty.gguf"), "ATTUNE_FORMAT");
  });

  it("a GGUF tensor of a type it does not know, by name", async () => {
    const bytes = tinyGgufBytes(writeTinyModel({ folder: at("type") }));
    // The type follows the dimensions (u32 count, two u64) behind the tensor's name.
    const place = bytes.indexOf("blk.0.ffn_up.weight") + "blk.0.ffn_up.weight".length + 4 + 16;
    bytes.writeUInt32LE(16, place);
    writeFileSync(at("type.gguf"), bytes);
    const message = await refused(at("type.gguf"), "ATTUNE_FORMAT");
    expect(message).to.contain("blk.0.ffn_up.weight").and.contain("IQ2_XXS");
  });

  it("a path that does not exist", async () => {
    expect(await refused(at("nowhere"), "ATTUNE_FILE")).to.contain(at("nowhere"));
  });
});
