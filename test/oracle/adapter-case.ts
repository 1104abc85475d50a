// One LoRA adapter of the oracle on one instruction set: logits, merged weights, gradients, AdamW, for every scaling that
// the case gives. Must not know a case's name or sizes: both come from its files.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { StepResult } from "../../lib/engine/contract.js";
import type { Engine, Model } from "../../lib/engine/index.js";
import { batchOfSequences, everyPosition, maskedPositions } from "../support/oracle-batch.js";
import { at, Comparison, l2, meanAbsolute, relativeL2, sumOf } from "../support/oracle-compare.js";
import { suiteEngine, type TestedIsa } from "../support/oracle-engines.js";
import { TensorFile } from "../support/safetensors-reader.js";
import { checkAdamW } from "./adamw-steps.js";
import type { AdapterFigures, AdapterVariant, ExpectedModel } from "./expected-model.js";
import { checkGradients } from "./gradient-bars.js";

type Expected = ExpectedModel<AdapterFigures>;

interface Variant {
  readonly expected: Expected;
  readonly figures: AdapterVariant;
  /** Of its tensors' names. */
  readonly prefix: string;
  /** adapter_config.json or its sibling. */
  readonly config: string;
}

function variantsOf(expected: Expected): readonly Variant[] {
  const { figures } = expected;
  const plain = { expected, figures, prefix: "", config: "adapter_config.json" };
  if (figures.rslora === undefined) return [plain];
  return [
    plain,
    { expected, figures: figures.rslora, prefix: "rslora.", config: "adapter_config.rslora.json" },
  ];
}

/** Registers the tests of a case on one instruction set. */
export function adapterCase(expected: Expected, isa: TestedIsa): void {
  const engine = suiteEngine({ isa });
  const root = mkdtempSync(join(tmpdir(), "attune-adapter-"));
  after(() => rmSync(root, { recursive: true }));
  for (const variant of variantsOf(expected)) {
    const name = `${expected.name}${variant.prefix === "" ? "" : ` ${variant.prefix.slice(0, -1)}`}`;
    const compare = (dtype: string) => new Comparison({ family: "model", isa: isa.name, dtype, name });
    const folder = join(root, variant.prefix || "plain");
    mkdirSync(folder);
    symlinkSync(join(expected.folder, variant.config), join(folder, "adapter_config.json"));
    symlinkSync(
      join(expected.folder, "adapter_model.safetensors"),
      join(folder, "adapter_model.safetensors"),
    );
    const load = (dtype: "fp32" | "bf16") =>
      engine().loadModel(join(expected.folder, expected.figures.base), { dtype, adapter: folder });
    describe(`${variant.config}, fp32`, () =>
      singlePrecision({ variant, load, compare: compare("fp32"), engine }));
    // torch's distance in bf16 is given for the plain scaling.
    if (variant.prefix === "")
      describe(`${variant.config}, bf16`, () => halfPrecision(variant, load, compare("bf16")));
  }
}

interface SingleOptions {
  readonly variant: Variant;
  readonly load: (dtype: "fp32" | "bf16") => Promise<Model>;
  readonly compare: Comparison;
  readonly engine: () => Engine;
}

function singlePrecision({ variant, load, compare, engine }: SingleOptions): void {
  const { expected, figures, prefix } = variant;
  let model: Model;
  let logits: Float32Array;
  let step: StepResult;

  before(async () => {
    model = await load("fp32");
    logits = await logitsOf(expected, model);
    step = await takeStep(expected, model);
  });
  after(() => model?.dispose());

  it("has the logits of every position", () => {
    compare.relativeL2("logits", logits, expected.tensors.values(`${prefix}logits`), 5e-6);
  });

  it("has the loss over the targets", () => {
    compare.absolute("loss", step.loss, figures.loss, 6e-6);
  });

  it("has the gradient of every factor and the norm of all", async () => {
    const names = expected.tensors.names.filter((name) => name.startsWith(`${prefix}grad.`));
    const gradients = new Map(
      names.map((name) => [name.slice(`${prefix}grad.`.length), expected.tensors.values(name)]),
    );
    await checkGradients({ model, expected: gradients, norm: figures.grad_norm, compare });
  });

  it("has the merged weights, and their logits", async () => {
    const folder = mkdtempSync(join(tmpdir(), "attune-merged-"));
    try {
      await model.saveMerged(folder);
      checkMerged(variant, new TensorFile(join(folder, "model.safetensors")), compare);
      const merged = await engine().loadModel(folder, { dtype: "fp32" });
      const own = await logitsOf(expected, merged);
      await merged.dispose();
      compare.relativeL2("merged logits", own, expected.tensors.values(`${prefix}merged_logits`), 5e-6);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("takes the AdamW steps", async () => {
    const takeOne = async () => (await takeStep(expected, model)).loss;
    await checkAdamW({ model, expected: figures.adamw, compare, step: takeOne, bar: 2e-5 });
  });
}

function checkMerged({ expected, figures, prefix }: Variant, merged: TensorFile, compare: Comparison): void {
  const names = Object.keys(figures.merged);
  expect(merged.names.filter((name) => names.includes(name))).to.have.length(names.length);
  for (const [name, { l2: norm, sum }] of Object.entries(figures.merged)) {
    const values = merged.values(name);
    compare.relative("merged l2", l2(values), norm, 1e-6, name);
    // Every value is rounded once: half a unit of 2^-24 of about 0.1, added up like noise.
    compare.absolute("merged sum", sumOf(values), sum, 1e-5, name);
  }
  const whole = expected.tensors.names.filter((name) => name.startsWith(`${prefix}merged.`));
  expect(whole).to.not.have.length(0);
  for (const name of whole) {
    const values = merged.values(name.slice(`${prefix}merged.`.length));
    compare.absolute("merged weights", values, expected.tensors.values(name), 1e-6, name);
  }
}

function halfPrecision(variant: Variant, load: SingleOptions["load"], compare: Comparison): void {
  const { expected } = variant;
  const torch = expected.figures.torch_bf16;
  let model: Model;
  let logits: Float32Array;

  before(async () => {
    model = await load("bf16");
    logits = await logitsOf(expected, model);
    await takeStep(expected, model);
  });
  after(() => model?.dispose());

  it("has logits as near to the truth as twice torch's bf16, and not far nearer", () => {
    const truth = expected.tensors.values("logits");
    const [mean, distance] = [meanAbsolute(logits, truth), relativeL2(logits, truth)];
    compare.below("logits, mean", mean, 2 * (torch.logits_mean_abs ?? Number.NaN));
    compare.below("logits, rel. L2", distance, 2 * (torch.logits_rel_l2 ?? Number.NaN));
    expect(distance).to.be.at.least((torch.logits_rel_l2 ?? Number.NaN) / 4);
  });

  it("has gradients as near to the truth as twice torch's bf16, thrice for a single tensor", async () => {
    let difference = 0;
    let norm = 0;
    for (const [name, values] of expected.gradients) {
      const gradient = await model.gradient(name);
      const bar = 3 * (torch.grad_rel_l2[name] ?? Number.NaN);
      compare.below("gradient of a tensor", relativeL2(gradient, values), bar, name);
      difference += l2(values.map((value, i) => at(gradient, i) - value)) ** 2;
      norm += l2(values) ** 2;
    }
    compare.below("all gradients", Math.sqrt(difference / norm), 2 * torch.grad_rel_l2_all);
  });
}

async function logitsOf(expected: Expected, model: Model): Promise<Float32Array> {
  const batch = batchOfSequences({ sequences: expected.sequences(everyPosition) });
  return (await model.forward(batch, { logits: true })).logits ?? new Float32Array(0);
}

function takeStep(expected: Expected, model: Model): Promise<StepResult> {
  const batch = batchOfSequences({ sequences: expected.sequences(maskedPositions) });
  return model.step(batch, { kind: "nll", normaliser: expected.figures.num_targets });
}
