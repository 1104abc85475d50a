// Saving as a Hugging Face folder: what is written reads back as the same model, and a failed save leaves nothing.

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { expect } from "chai";
import { createEngine, type Engine } from "../../lib/engine/index.js";
import { loadTokenizer } from "../../lib/text/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyGguf } from "../support/tiny-gguf.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { readSafetensors } from "../support/write-safetensors.js";

function json(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
}

describe("saving a model", () => {
  const at = suiteFolder();
  const batch = demonstrations(3);
  let engine: Engine;
  before(async () => {
    engine = await createEngine({ device: "cpu", threads: 2 });
  });
  after(() => engine.dispose());

  for (const kind of ["llama", "qwen2", "qwen3", "mistral", "gpt2"] as const) {
    it(`writes a ${kind} folder that gives the same bits after training`, async () => {
      const source = writeTinyModel({ folder: at(kind), kind, tied: kind !== "mistral" });
      await using model = await engine.loadModel(source.folder);
      await model.step(batch, { kind: "nll", normaliser: batch.counts.targets });
      await model.update({ learningRate: 1e-2 });
      await model.save(at(`${kind}-saved`));
      await using saved = await engine.loadModel(at(`${kind}-saved`));
      expect(await saved.forward(batch)).to.deep.equal(await model.forward(batch));
      expect(json(at(`${kind}-saved`, "config.json"))).to.deep.equal(source.config);
    });
  }

  it("writes a GGUF model as a folder with its tokenizer, and with q and k in the order of Hugging Face", async () => {
    const source = writeTinyModel({ folder: at("for-gguf") });
    mkdirSync(at("alone"));
    writeTinyGguf(at("alone", "model.gguf"), source);
    await using model = await engine.loadModel(at("alone", "model.gguf"));
    await model.save(at("from-gguf"));
    const weights = readSafetensors(at("from-gguf", "model.safetensors"));
    for (const [name, { values }] of source.tensors)
      expect(new Float32Array(weights.get(name)?.bytes ?? new ArrayBuffer(0)), name).to.deep.equal(values);
    expect((await loadTokenizer({ path: at("from-gguf") })).encode("ab")).to.deep.equal(
      Int32Array.of(97, 98),
    );
  });

  it("writes bf16 on request and says so in config.json", async () => {
    await using model = await engine.loadModel(writeTinyModel({ folder: at("wide") }).folder);
    await model.save(at("half"), { dtype: "bf16" });
    const dtypes = new Set(
      [...readSafetensors(at("half", "model.safetensors")).values()].map(({ dtype }) => dtype),
    );
    expect([...dtypes]).to.deep.equal(["BF16"]);
    expect(json(at("half", "config.json")).dtype).to.equal("bfloat16");
  });

  it("brings the tokenizer's files along as they are", async () => {
    const { folder } = writeTinyModel({ folder: at("files") });
    await using model = await engine.loadModel(folder);
    await model.save(at("files-saved"));
    for (const name of ["tokenizer.json", "tokenizer_config.json", "generation_config.json"])
      expect(readFileSync(at("files-saved", name)), name).to.deep.equal(readFileSync(at("files", name)));
  });

  it("replaces what an existing folder held and keeps other files", async () => {
    await using model = await engine.loadModel(writeTinyModel({ folder: at("again"), seed: 5 }).folder);
    mkdirSync(at("target"));
    writeFileSync(at("target", "notes.txt"), "mine");
    writeFileSync(at("target", "model.safetensors.index.json"), "{}");
    await model.save(at("target"));
    await model.save(at("target"));
    expect(readdirSync(at("target")).sort()).to.deep.equal([
      "config.json",
      "generation_config.json",
      "model.safetensors",
      "notes.txt",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
  });

  it("can save over the folder it was loaded from", async () => {
    const { folder } = writeTinyModel({ folder: at("self") });
    await using model = await engine.loadModel(folder, { dtype: "bf16" });
    await model.save(folder, { dtype: "fp32" });
    await using again = await engine.loadModel(folder, { dtype: "bf16" });
    expect(await again.forward(batch)).to.deep.equal(await model.forward(batch));
  });

  it("says which output cannot be written, and leaves nothing behind", async () => {
    await using model = await engine.loadModel(writeTinyModel({ folder: at("denied") }).folder);
    writeFileSync(at("occupied"), "a file");
    const error = await failureOf(() => model.save(at("occupied", "deep", "model")));
    expect(error.code).to.equal("ATTUNE_OUTPUT");
    expect(error.exitCode).to.equal(2);
    expect(error.message).to.contain("occupied");
    const direct = await failureOf(() => model.save(at("occupied")));
    expect(direct.message).to.contain("it is a file");
  });

  it("refuses a folder without a name, rather than writing where the process is", async () => {
    const { folder } = writeTinyModel({ folder: at("nameless") });
    await using model = await engine.loadModel(folder);
    expect((await failureOf(() => model.save(""))).code).to.equal("ATTUNE_OPTION");
  });

  it("refuses a folder without permission to write", async function () {
    // Root may write anywhere.
    if (process.getuid?.() === 0) this.skip();
    await using model = await engine.loadModel(writeTinyModel({ folder: at("locked-source") }).folder);
    mkdirSync(at("locked"));
    chmodSync(at("locked"), 0o500);
    const error = await failureOf(() => model.save(at("locked", "model")));
    expect(error.code).to.equal("ATTUNE_OUTPUT");
  });

  it("leaves nothing half-written when the weights cannot be written", async () => {
    await using model = await engine.loadModel(writeTinyModel({ folder: at("broken") }).folder);
    const onProgress = (): void => {
      throw new Error("stop here");
    };
    const before = readdirSync(at());
    const error: unknown = await model
      .save(at("new", "inner"), { onProgress })
      .catch((thrown: unknown) => thrown);
    expect(error).to.have.property("message", "stop here");
    expect(readdirSync(at())).to.deep.equal(before);
  });

  it("leaves an existing model untouched when the save is aborted", async () => {
    // Large enough that the first progress report arrives long before the last tensor is written.
    const { folder, weights } = writeTinyModel({ folder: at("kept"), width: 256, layers: 16 });
    await using model = await engine.loadModel(folder);
    await model.step(batch, { kind: "nll", normaliser: batch.counts.targets });
    await model.update({ learningRate: 1e-2 });
    const old = readFileSync(weights);
    const abort = new AbortController();
    const onProgress = (): void => abort.abort(new Error("changed my mind"));
    const error: unknown = await model
      .save(folder, { signal: abort.signal, onProgress })
      .catch((thrown: unknown) => thrown);
    expect(error).to.have.property("message", "changed my mind");
    expect(readFileSync(weights)).to.deep.equal(old);
    expect(readdirSync(dirname(weights)).filter((name) => name.includes("partial"))).to.deep.equal([]);
    expect(existsSync(at(basename(folder), "config.json"))).to.equal(true);
  });
});
