// The logic of the sft loop, on a model of one logit per token: order, counts, rates, endings.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { TrainableModel } from "../../lib/engine/contract.js";
import { type SftMetrics, type SftOptions, type StepEvent, sft } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { UnigramModel } from "../support/unigram-model.js";
import { demonstrations, type Place, temporaryPlace } from "./training-rows.js";

const vocabulary = 259;

describe("the sft loop", () => {
  let place: Place;
  let model: UnigramModel;
  beforeEach(() => {
    place = temporaryPlace();
    model = new UnigramModel(place.model, vocabulary);
  });
  afterEach(() => place.remove());

  const start = (options: Partial<SftOptions> = {}, output = "run") =>
    sft({
      model,
      data: demonstrations,
      output: place.output(output),
      shuffle: false,
      batchSize: 2,
      schedule: "constant",
      learningRate: 0.5,
      ...options,
    });

  it("takes the rows in file order when they are not shuffled, and the rest as the last step", async () => {
    await start().result;
    expect(model.steps.map(({ batch }) => [...batch.rows])).to.deep.equal([[0, 1], [2, 3], [4]]);
  });

  it("visits every row once an epoch when it shuffles, in another order each epoch", async () => {
    await start({ shuffle: true, epochs: 2, seed: 3 }).result;
    const rows = model.steps.flatMap(({ batch }) => [...batch.rows]);
    const [first, second] = [rows.slice(0, 5), rows.slice(5)];
    expect([first.toSorted(), second.toSorted()]).to.deep.equal([
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3, 4],
    ]);
    expect(first).to.not.deep.equal(second);
  });

  it("orders the rows by the seed: the same again for the same one, others for another", async () => {
    const orderOf = async (seed: number, output: string) => {
      model = new UnigramModel(place.model, vocabulary);
      await start({ shuffle: true, batchSize: 1, seed }, output).result;
      return model.steps.map(({ batch }) => batch.rows[0]);
    };
    const first = await orderOf(1, "a");
    expect(await orderOf(1, "b")).to.deep.equal(first);
    expect(await orderOf(2, "c")).to.not.deep.equal(first);
  });

  it("reads rows with columns of two types as the format that was asked for", async () => {
    const data = [{ text: "abc", prompt: "p", completion: " c" }];
    await start({ data, format: "text" }, "text").result;
    await start({ data, format: "prompt-completion" }, "pair").result;
    // "bc" and EOS behind the first token; " c" and EOS.
    expect(model.steps.map(({ batch }) => batch.targets[1])).to.deep.equal(
      ["b", " "].map((c) => c.charCodeAt(0)),
    );
  });

  it("divides by the targets of the whole step, whatever the micro-batches are", async () => {
    await start({ batchSize: 5, microBatchTokens: 12 }).result;
    // Completion bytes and one EOS each.
    const targets = demonstrations.reduce((sum, { completion }) => sum + completion.length + 1, 0);
    expect(model.steps.length).to.be.above(2);
    expect(new Set(model.steps.map(({ loss }) => loss.normaliser))).to.deep.equal(new Set([targets]));
  });

  it("gives the same losses in micro-batches of one row as in one of all", async () => {
    await start({ batchSize: 5, epochs: 3, microBatchTokens: 1 }, "small").result;
    model = new UnigramModel(place.model, vocabulary);
    await start({ batchSize: 5, epochs: 3, microBatchTokens: 10_000 }, "large").result;
    const losses = (name: string) => place.metrics(name).map(({ loss }) => loss ?? Number.NaN);
    expect(losses("small")).to.have.length(3);
    for (const [step, loss] of losses("small").entries()) {
      expect(loss).to.be.closeTo(losses("large")[step] ?? Number.NaN, 1e-12);
    }
  });

  it("starts at the entropy of a uniform guess and comes down", async () => {
    const { first, last } = await start({ epochs: 20, batchSize: 5 }).result;
    expect(first.loss).to.be.closeTo(Math.log(vocabulary), 1e-6);
    expect(last.loss).to.be.below(first.loss - 0.5);
  });

  it("scales a row's loss by its weight, and still counts its targets", async () => {
    const data = demonstrations.map((row, i) => ({ ...row, weight: i === 0 ? 0 : 1 }));
    await start({ data, batchSize: 5 }).result;
    const loss = model.steps[0]?.loss;
    expect(loss?.weights).to.deep.equal(Float64Array.of(0, 1, 1, 1, 1));
    expect(loss?.normaliser).to.equal(
      demonstrations.reduce((sum, row) => sum + row.completion.length + 1, 0),
    );
  });

  it("warns when all rows have weight 0, and not when one has some", async () => {
    const warnings = async (weights: readonly number[], output: string) => {
      const found: string[] = [];
      const data = demonstrations.map((row, i) => ({ ...row, weight: weights[i] ?? 0 }));
      for await (const event of start({ data }, output))
        if (event.type === "warning") found.push(event.message);
      return found;
    };
    expect(await warnings([], "silent")).to.deep.equal([
      "All 5 rows have weight 0: nothing will be learned.",
    ]);
    expect(await warnings([0, 0, 0, 0, 0.5], "one")).to.deep.equal([]);
  });

  it("follows the schedule over the steps of the run", async () => {
    await start({ schedule: "linear", warmupRatio: 0.5, epochs: 2, batchSize: 3 }).result;
    expect(model.updates.map(({ learningRate }) => learningRate)).to.deep.equal([0, 0.25, 0.5, 0.25]);
  });

  it("passes decay and clipping on", async () => {
    await start({ weightDecay: 0.1, maxGradNorm: 0.25, maxSteps: 1 }).result;
    expect(model.updates[0]).to.deep.include({ weightDecay: 0.1, maxGradNorm: 0.25 });
  });

  it("stops at maxSteps", async () => {
    const { steps, status } = await start({ epochs: 9, maxSteps: 4 }).result;
    expect([steps, status, model.updates.length]).to.deep.equal([4, "done", 4]);
  });

  it("counts tokens in full, and their running sum", async () => {
    await start().result;
    const full = demonstrations.map(({ prompt, completion }) => prompt.length + completion.length + 1);
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = full;
    expect(place.metrics().map(({ tokens }) => tokens)).to.deep.equal([a + b, c + d, e]);
    expect(place.metrics().map((line) => line.num_tokens)).to.deep.equal([
      a + b,
      a + b + c + d,
      a + b + c + d + e,
    ]);
  });

  it("writes a line every logEvery steps and for the last one", async () => {
    await start({ logEvery: 2 }).result;
    expect(place.metrics().map(({ step }) => step)).to.deep.equal([2, 3]);
  });

  it("logs only keys that docs/metrics.md defines", async () => {
    await start({ maxSteps: 1 }).result;
    const docs = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    for (const key of Object.keys(place.metrics()[0] ?? {})) expect(docs).to.include(`\`${key}\``);
  });

  it("measures a step from the end of the one before, by the clock it was given", async () => {
    let now = 0;
    const clock = { now: () => (now += 250), date: () => new Date(0) };
    await start({ clock }).result;
    expect(place.metrics().map((line) => line.step_ms)).to.deep.equal([250, 250, 250]);
    expect(place.metrics()[2]?.tokens_per_second).to.equal((place.metrics()[2]?.tokens ?? 0) * 4);
  });

  it("tells onStep every step", async () => {
    const seen: StepEvent<SftMetrics>[] = [];
    await start({ logEvery: 3, onStep: (event) => seen.push(event) }).result;
    expect(seen.map(({ step, logged }) => [step, logged])).to.deep.equal([
      [1, false],
      [2, false],
      [3, true],
    ]);
  });

  it("saves the model, says done, and records the hash of its data and the counts of rows", async () => {
    const result = await start().result;
    expect(model.saved).to.deep.equal([join(place.output(), "model")]);
    expect(result.model).to.equal(join(place.output(), "model"));
    expect(place.record()).to.deep.include({ status: "done", stepsDone: 3, stepsPlanned: 3, command: "sft" });
    expect(place.record().rows).to.deep.include({ read: 5, kept: 5 });
  });

  it("finishes its step and saves when it is stopped, and counts as interrupted", async () => {
    const run = start({ epochs: 5 });
    for await (const event of run) if (event.type === "step" && event.step === 2) void run.stop();
    expect(await run.result).to.deep.include({ status: "interrupted" });
    expect(model.saved).to.have.length(1);
    expect(place.record()).to.deep.include({ status: "interrupted" });
  });

  it("saves nothing when it is cancelled, and rejects with the signal's reason", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const run = start({ signal: controller.signal, onStep: () => controller.abort(reason) });
    const end = await run.result.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(end).to.equal(reason);
    expect(model.saved).to.deep.equal([]);
    expect(place.record()).to.deep.include({ status: "interrupted", stepsDone: 1 });
  });

  it("refuses a second run into the same folder", async () => {
    await start().result;
    const error = await failureOf(() => start().result);
    expect(error.code).to.equal("ATTUNE_OUTPUT_EXISTS");
  });

  it("leaves no folder behind when no row is left", async () => {
    const error = await failureOf(
      () => start({ data: [{ prompt: "long", completion: " row" }], maxLength: 3 }).result,
    );
    expect(error.code).to.equal("ATTUNE_NO_ROWS");
    expect(existsSync(place.output())).to.equal(false);
  });

  it("is refused before it writes anything when it would not fit the memory, with the numbers", async () => {
    const use = { weightsBf16: 0, weightsFp32: 0, gradients: 4e15, optimizer: 8e15, activations: 0, head: 0 };
    model.plan = () => ({ ...use, weightsHost: 0, total: 12e15 });
    const error = await failureOf(() => start().result);
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_MEMORY", 1]);
    expect(error.message).to.include("gradients 4000000.00 GB");
    expect(existsSync(place.output())).to.equal(false);
  });

  it("asks for the memory of its largest micro-batch", async () => {
    const asked: { readonly rows: number; readonly targets: number; readonly training: boolean }[] = [];
    model.plan = (...[options]: Parameters<TrainableModel["plan"]>) => {
      asked.push(options);
      return model.memory();
    };
    await start({ batchSize: 5, microBatchTokens: 20 }).result;
    const largest = (key: "tokensComputed" | "targets") =>
      Math.max(...model.steps.map(({ batch }) => batch.counts[key]));
    const training = asked.find((options) => options.training);
    expect(training?.rows).to.be.at.least(largest("tokensComputed")).and.at.most(20);
    expect(training?.targets).to.be.at.least(largest("targets"));
  });

  it("refuses a maximum length beyond the model's positions, when it was asked for", async () => {
    const error = await failureOf(() => start({ maxLength: 257 }).result);
    expect(error.message).to.include("Expected max-length to be at most 256").and.include("received 257");
  });

  it("refuses dtype, threads and device for a model that is already loaded", async () => {
    for (const option of [{ dtype: "bf16" }, { threads: 1 }, { device: "cpu" }] as const) {
      const error = await failureOf(() => start(option));
      expect(error.message).to.include("has no effect on a model that is already loaded");
    }
  });

  it("throws at once for an unknown option", () => {
    const options = { learningRte: 1 } as unknown as Partial<SftOptions>;
    expect(() => start(options)).to.throw('Did you mean "learningRate"?');
  });

  it("stops with the step and the rows when a loss is not finite", async () => {
    const data = demonstrations.map((row, i) => (i === 3 ? { ...row, completion: " ~" } : row));
    model.logits["~".charCodeAt(0)] = Number.NEGATIVE_INFINITY;
    const error = await failureOf(() => start({ data }).result);
    expect(error.code).to.equal("ATTUNE_NOT_FINITE");
    expect(error.message).to.include("step 2").and.include("rows:4").and.not.include("rows:3");
    expect(place.record()).to.deep.include({ status: "failed", stepsDone: 1 });
    expect(model.saved).to.deep.equal([]);
  });
});
