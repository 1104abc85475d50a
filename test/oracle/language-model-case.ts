// One language model of the oracle on one instruction set: what the layers, head, gradients and AdamW must give.
// Must not know a case's name or sizes: both come from its files.

import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { ForwardResult, StepResult, TrainableModel } from "../../lib/engine/contract.js";
import type { Engine } from "../../lib/engine/index.js";
import { batchOfSequences, everyPosition, maskedPositions } from "../support/oracle-batch.js";
import { at, Comparison } from "../support/oracle-compare.js";
import { suiteEngine, type TestedIsa } from "../support/oracle-engines.js";
import { sampleAll } from "../support/sample-all.js";
import { checkAdamW } from "./adamw-steps.js";
import type { ExpectedModel, LanguageFigures } from "./expected-model.js";
import { checkGradients } from "./gradient-bars.js";
import { checkHalfPrecision } from "./half-precision.js";

type Expected = ExpectedModel<LanguageFigures>;

/** Registers the tests of a case on one instruction set. */
export function languageModelCase(expected: Expected, isa: TestedIsa): void {
  const engine = suiteEngine({ isa });
  const { name } = expected;
  describe("fp32", () => {
    const compare = new Comparison({ family: "model", isa: isa.name, dtype: "fp32", name });
    singlePrecision(expected, engine, compare);
  });
  describe("bf16", () => {
    const compare = new Comparison({ family: "model", isa: isa.name, dtype: "bf16", name });
    checkHalfPrecision({ expected, engine, compare, evaluate: (model) => evaluateLogits(expected, model) });
  });
}

function singlePrecision(expected: Expected, engine: () => Engine, compare: Comparison): void {
  const { figures, tensors } = expected;
  let model: TrainableModel;
  let forward: ForwardResult;
  let step: StepResult;

  before(async () => {
    model = await engine().loadModel(expected.folder, { dtype: "fp32" });
    forward = await model.forward(positionsBatch(expected), { hidden: true, logits: true });
    step = await takeStep(expected, model);
  });
  after(() => model?.dispose());

  it("has the logits and final hidden states of every position", () => {
    for (const [quantity, actual] of [
      ["logits", forward.logits],
      ["hidden_last", forward.hidden],
    ] as const) {
      compare.relativeL2(quantity, actual ?? [], tensors.values(quantity), 5e-6);
      compare.within(`single ${quantity}`, actual ?? [], tensors.values(quantity), {
        relative: 1e-4,
        absolute: 5e-5,
      });
    }
  });

  it("has the log-prob of every next token and the entropy of every position", () => {
    const inner = innerPositions(expected.offsets);
    const pick = (values: ArrayLike<number>) => inner.map((position) => at(values, position));
    const logprobs = [pick(forward.logprobs), pick(tensors.values("logps"))] as const;
    compare.absolute("logps", ...logprobs, 2e-5);
    compare.mean("logps, mean", ...logprobs, 3e-6);
    compare.absolute("entropy", forward.entropies, tensors.values("entropy"), 2e-5);
    compare.mean("entropy, mean", forward.entropies, tensors.values("entropy"), 3e-6);
  });

  it("has the loss over the targets, and each sequence's sum of log-probs", () => {
    compare.absolute("loss", step.loss, figures.loss, 6e-6);
    const counts = step.completions.map(({ count }) => count);
    expect(counts.reduce((sum, count) => sum + count, 0)).to.equal(figures.num_targets);
    for (const [sequence, { logprob, count }] of step.completions.entries()) {
      // Each of the summed log-probs may be off by the mean bar of one.
      const bar = 3e-6 * Math.max(count, 1) + 1e-6;
      compare.absolute("seq_logps", logprob, at(figures.seq_logps, sequence), bar);
    }
    expect(step.completions).to.have.length(figures.seq_logps.length);
  });

  it("has every parameter's gradient and the norm of all", async () => {
    await checkGradients({ model, expected: expected.gradients, norm: figures.grad_norm, compare });
  });

  it("gives the same bits under the older spelling of config.json", async function () {
    if (!expected.hasOlderConfig) this.skip();
    const older = await withOlderConfig(expected, (folder) => evaluateIn(folder, expected, engine()));
    compare.exact("logits under config.v4.json", older, forward.logits ?? []);
  });

  furtherTests({ expected, compare, current: () => model });
}

interface FurtherTests {
  readonly expected: Expected;
  readonly compare: Comparison;
  readonly current: () => TrainableModel;
}

/** Decoding, then training, which changes the model and comes last. */
function furtherTests({ expected, compare, current }: FurtherTests): void {
  const { figures } = expected;
  if (figures.greedy !== undefined) {
    it("continues the prompts with the most likely tokens", async () => {
      for (const { prompt, ids } of figures.greedy ?? []) {
        compare.exact("greedy ids", await greedyIds(current(), prompt, ids.length), ids);
      }
    });

    it("samples the same tokens at temperature 0, all prompts at once", async () => {
      const continuations = figures.greedy ?? [];
      const maxNewTokens = Math.max(...continuations.map(({ ids }) => ids.length));
      const prompts = continuations.map(({ prompt }) => Int32Array.from(prompt));
      const options = { maxNewTokens, temperature: 0, stopTokens: [] };
      const { sequences } = await sampleAll({ model: current(), prompts, options });
      for (const [i, { ids }] of continuations.entries())
        compare.exact("sampled greedy ids", sequences[i]?.tokens.slice(0, ids.length) ?? [], ids);
    });
  }

  if (figures.temperature !== undefined) {
    it("divides the logits by a temperature", () => checkTemperature(figures, current(), compare));
  }

  it("takes the AdamW steps", async () => {
    const model = current();
    const takeOne = async () => (await takeStep(expected, model)).loss;
    await checkAdamW({ model, expected: figures.adamw, compare, step: takeOne, bar: 2e-5 });
  });
}

function positionsBatch(expected: Expected) {
  return batchOfSequences({ sequences: expected.sequences(everyPosition) });
}

function takeStep(expected: Expected, model: TrainableModel): Promise<StepResult> {
  const batch = batchOfSequences({ sequences: expected.sequences(maskedPositions) });
  return model.step(batch, { kind: "nll", normaliser: expected.figures.num_targets });
}

/** Logits, then the gradients of the loss, which stay in the model. */
async function evaluateLogits(expected: Expected, model: TrainableModel): Promise<Float32Array> {
  const { logits } = await model.forward(positionsBatch(expected), { logits: true });
  await takeStep(expected, model);
  return logits ?? new Float32Array(0);
}

/** All rows but the last one of each sequence, whose next token there is none. */
function innerPositions(offsets: Int32Array): readonly number[] {
  const last = new Set(Array.from(offsets, (offset) => offset - 1));
  return Array.from({ length: offsets.at(-1) ?? 0 }, (_, row) => row).filter((row) => !last.has(row));
}

async function greedyIds(model: TrainableModel, prompt: readonly number[], count: number): Promise<number[]> {
  const tokens = [...prompt];
  while (tokens.length < prompt.length + count) {
    const scored = [{ position: tokens.length - 1, token: 0 }];
    const { argmax } = await model.forward(batchOfSequences({ sequences: [{ tokens, scored }] }));
    tokens.push(at(argmax, 0));
  }
  return tokens.slice(prompt.length);
}

async function checkTemperature(figures: LanguageFigures, model: TrainableModel, compare: Comparison) {
  const { temperature: given } = figures;
  if (given === undefined) throw new Error("no temperature in this case");
  const { prompt, continuation, temperature, logps, logps_at_1 } = given;
  const tokens = [...prompt, ...continuation];
  const scored = everyPosition(tokens).slice(prompt.length - 1, -1);
  const batch = batchOfSequences({ sequences: [{ tokens, scored }] });
  const warm = await model.forward(batch, { temperature });
  const plain = await model.forward(batch);
  compare.absolute("logps at a temperature", warm.logprobs, logps, 2e-5);
  compare.absolute("logps at temperature 1", plain.logprobs, logps_at_1, 2e-5);
}

async function evaluateIn(folder: string, expected: Expected, engine: Engine): Promise<Float32Array> {
  const model = await engine.loadModel(folder, { dtype: "fp32" });
  try {
    const { logits } = await model.forward(positionsBatch(expected), { logits: true });
    return logits ?? new Float32Array(0);
  } finally {
    await model.dispose();
  }
}

/** A folder of the same weights where config.json is spelled as older models spell it. */
async function withOlderConfig<Result>(
  expected: Expected,
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "attune-oracle-"));
  try {
    copyFileSync(join(expected.folder, "config.v4.json"), join(folder, "config.json"));
    symlinkSync(join(expected.folder, "model.safetensors"), join(folder, "model.safetensors"));
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
