// The addon itself: what it exports, and that a wrong object is an error and never a crash.

import { readFileSync } from "node:fs";
import { expect } from "chai";
import type { EngineHandle, ModelHandle, NativeAddon } from "../../lib/engine/addon-types.js";
import { createEngine, type Engine } from "../../lib/engine/index.js";
import { loadAddon } from "../../lib/engine/load-addon.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

/** The error a call throws or its promise rejects with. */
async function nativeFailure(work: () => unknown): Promise<Error & { code?: string }> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("expected an error, but nothing was thrown");
}

describe("the addon", () => {
  const at = suiteFolder();
  let addon: NativeAddon;
  let engine: Engine;
  before(async () => {
    addon = loadAddon();
    engine = await createEngine({ device: "cpu", threads: 1 });
  });
  after(() => engine.dispose());

  it("exports what addon-types.ts says", () => {
    const source = readFileSync(new URL("../../lib/engine/addon-types.ts", import.meta.url), "utf8");
    const [, body = ""] = source.match(/^export interface NativeAddon \{\n(.*?)^\}/ms) ?? [];
    const names = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)].map(([, name]) => name);
    expect(names).to.include("loadModel").and.include("checks");
    expect(Object.keys(addon).sort()).to.deep.equal(names.sort());
  });

  it("lists the instruction sets with the scalar one always runnable", () => {
    const scalar = addon.isas().find(({ name }) => name === "scalar");
    expect(scalar).to.deep.equal({ name: "scalar", built: true, native: true, runnable: true });
  });

  const strangers: readonly (readonly [string, unknown])[] = [
    ["undefined", undefined],
    ["a plain object", {}],
    ["a number", 7],
    ["a function", () => 0],
  ];
  for (const [name, value] of strangers) {
    it(`refuses ${name} as a model`, async () => {
      const error = await nativeFailure(() => addon.memoryOf(value as ModelHandle));
      expect(error.code).to.equal("ATTUNE_OPTION");
    });
  }

  it("refuses an engine where a model is expected", async () => {
    const { handle } = addon.createEngine(1, "", "");
    const error = await nativeFailure(() => addon.describe(handle as unknown as ModelHandle));
    expect(error.message).to.equal("Expected a model of this addon but received another value.");
    await addon.disposeEngine(handle, addon.newJob());
  });

  it("refuses a model where an engine is expected", async () => {
    const { handle } = addon.createEngine(1, "", "");
    const { folder } = writeTinyModel({ folder: at("tiny") });
    const model = await engine.loadModel(folder);
    const error = await nativeFailure(() => addon.engineMemory(model as unknown as EngineHandle));
    expect(error.message).to.equal("Expected an engine of this addon but received another value.");
    await addon.disposeEngine(handle, addon.newJob());
    await model.dispose();
  });

  it("answers a method called on a foreign `this` with an error", async () => {
    const model = await engine.loadModel(writeTinyModel({ folder: at("foreign") }).folder);
    expect(() => model.memory.call({} as never)).to.throw(TypeError);
    const error = await nativeFailure(() => model.update.call({} as never, { learningRate: 1 }));
    expect(error).to.be.instanceOf(TypeError);
    await model.dispose();
  });

  it("refuses arguments of the wrong type by name", async () => {
    const { handle } = addon.createEngine(1, "", "");
    const error = await nativeFailure(() =>
      addon.checks.headStats(handle, addon.newJob(), [1, 2] as never, Int32Array.of(0), 1),
    );
    expect(error.code).to.equal("ATTUNE_OPTION");
    expect(error.message).to.contain("logits to be a Float32Array");
    await addon.disposeEngine(handle, addon.newJob());
  });

  it("names the known instruction sets when it gets another", async () => {
    const error = await nativeFailure(() => addon.createEngine(1, "sse9", ""));
    expect(error.code).to.equal("ATTUNE_OPTION");
    expect(error.message).to.contain("sse9").and.contain("scalar");
  });

  it("refuses an absurd number of threads", async () => {
    const error = await nativeFailure(() => addon.createEngine(0, "", ""));
    expect(error.message).to.contain("Expected threads in [1, 1024] but received 0");
  });
});
