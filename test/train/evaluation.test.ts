// Evaluation between the steps, and early stop, on a model of one logit per token: what is measured, when, what for.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type DpoOptions, dpo, type EvalEvent, type SftOptions, sft } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { UnigramModel } from "../support/unigram-model.js";
import { demonstrations, type Place, pairs, temporaryPlace } from "./training-rows.js";

describe("evaluation during training", () => {
  let place: Place;
  let model: UnigramModel;
  beforeEach(() => {
    place = temporaryPlace();
    model = new UnigramModel(place.model, 259);
  });
  afterEach(() => place.remove());

  const data = demonstrations.slice(0, 3);
  const evalData = demonstrations.slice(3);
  const measured = { evalData };
  const sftRun = (options: Partial<SftOptions> = {}, rows: Pick<SftOptions, "evalData"> = measured) =>
    sft({
      model,
      data,
      ...rows,
      output: place.output(),
      shuffle: false,
      batchSize: 1,
      schedule: "constant",
      learningRate: 1,
      ...options,
    });
  const measuredPairs = { evalData: pairs.slice(3) };
  const dpoRun = (options: Partial<DpoOptions> = {}, rows: Pick<DpoOptions, "evalData"> = measuredPairs) =>
    dpo({
      model,
      data: pairs.slice(0, 3),
      ...rows,
      output: place.output(),
      batchSize: 1,
      learningRate: 1,
      ...options,
    });
  const lines = (split: string) =>
    place.metrics().filter((line) => (line as Record<string, unknown>).split === split);
  const evalSteps = () => lines("eval").map(({ step }) => step);

  it("measures before the first step and at the end when nothing else is asked for", async () => {
    await sftRun().result;
    expect(evalSteps()).to.deep.equal([0, 3]);
  });

  it("measures every so many steps", async () => {
    await sftRun({ evalEvery: 2, epochs: 2 }).result;
    expect(evalSteps()).to.deep.equal([0, 2, 4, 6]);
  });

  it("does not measure without rows for it", async () => {
    await sft({ model, data, output: place.output(), maxSteps: 1 }).result;
    expect(evalSteps()).to.deep.equal([]);
  });

  it("trains on none of these rows", async () => {
    await sftRun({ epochs: 2 }).result;
    // "five" holds an f and a v that no training row has.
    const trained = model.steps.flatMap(({ batch }) => [...batch.targets].filter((_, i) => i % 2 === 1));
    expect(trained).to.not.include("v".charCodeAt(0));
    expect(model.steps).to.have.length(6);
  });

  it("is the loss of a step on the same rows with the same weights", async () => {
    await sftRun({ data: evalData, evalData, batchSize: 2, maxSteps: 1 }).result;
    const [trained] = lines("train");
    const [measured] = lines("eval");
    expect(measured?.eval_loss).to.be.closeTo(trained?.loss ?? Number.NaN, 1e-12);
    expect(measured?.eval_mean_token_accuracy).to.equal(trained?.mean_token_accuracy);
  });

  it("gives the same loss in micro-batches of one row as in one of all", async () => {
    await sftRun({ microBatchTokens: 1 }).result;
    const small = lines("eval").map((line) => line.eval_loss ?? Number.NaN);
    model = new UnigramModel(place.model, 259);
    await sftRun({ output: place.output("other") }).result;
    const large = place.metrics("other").flatMap((line) => line.eval_loss ?? []);
    expect(small).to.have.length(2);
    for (const [i, loss] of small.entries()) expect(loss).to.be.closeTo(large[i] ?? Number.NaN, 1e-12);
  });

  it("measures pairs against the reference of the start", async () => {
    await dpoRun({ epochs: 3 }).result;
    const [before, after] = lines("eval");
    expect(before?.eval_loss).to.be.closeTo(Math.LN2, 1e-12);
    expect(before?.["eval_rewards/margins"]).to.equal(0);
    expect(after?.["eval_rewards/margins"]).to.be.above(0);
    expect(after).to.include.keys("eval_rewards/accuracies", "eval_logps/chosen", "eval_rewards/rejected");
  });

  it("names eval-data where none of its rows is left", async () => {
    const long = [{ prompt: "?".repeat(50), completion: "a" }];
    const error = await failureOf(() => sftRun({ maxLength: 20 }, { evalData: long }).result);
    expect(error.code).to.equal("ATTUNE_NO_ROWS");
    expect(error.message).to.match(/^eval-data: Expected at least one row .*an answer has no room/);
  });

  it("is told as an event", async () => {
    const events: EvalEvent[] = [];
    for await (const event of sftRun()) if (event.type === "eval") events.push(event);
    expect(events.map(({ step, steps }) => [step, steps])).to.deep.equal([
      [0, 3],
      [3, 3],
    ]);
    expect(events[0]?.metrics.eval_loss).to.equal(lines("eval")[0]?.eval_loss);
  });

  it("is part of the result", async () => {
    const { evaluation } = await sftRun().result;
    expect([evaluation?.first.step, evaluation?.last.step]).to.deep.equal([0, 3]);
  });

  it("takes no time of a step", async () => {
    let now = 0;
    const clock = { now: () => (now += 250), date: () => new Date(0) };
    await sftRun({ clock, evalEvery: 1 }).result;
    expect(lines("train").map((line) => line.step_ms)).to.deep.equal([250, 250, 250]);
  });

  it("sets a share of the rows aside, all rows of a prompt on one side", async () => {
    const shared = [...pairs, ...pairs.map((row) => ({ ...row, rejected: `${row.rejected} never` }))];
    await dpoRun({ data: shared, evalShare: 0.4 }, {}).result;
    const prompts = (batches: readonly { readonly tokens: Int32Array; readonly segments: Int32Array }[]) =>
      new Set(
        batches.flatMap(({ tokens, segments }) =>
          Array.from({ length: segments.length / 3 }, (_, i) => i)
            .filter((i) => segments[3 * i + 2] === -1)
            .map((i) =>
              tokens.subarray(segments[3 * i], (segments[3 * i] ?? 0) + (segments[3 * i + 1] ?? 0)).join(),
            ),
        ),
      );
    const trained = prompts(model.steps.map(({ batch }) => batch));
    const measured = prompts(model.evaluations);
    expect([trained.size, measured.size]).to.deep.equal([3, 2]);
    expect([...trained].filter((prompt) => measured.has(prompt))).to.deep.equal([]);
  });

  it("defines every key it logs in docs/metrics.md", async () => {
    await dpoRun().result;
    const docs = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    for (const key of Object.keys(lines("eval")[0] ?? {})) {
      const known = docs.includes(`\`${key}\``) || docs.includes(`\`${key.replace("eval_", "")}\``);
      expect(known, key).to.equal(true);
    }
  });

  it("names the rows when their loss is not finite", async () => {
    model.logits["v".charCodeAt(0)] = Number.NEGATIVE_INFINITY;
    const error = await failureOf(() => sftRun().result);
    expect(error.code).to.equal("ATTUNE_NOT_FINITE");
    expect(error.message).to.include("The evaluation loss is").and.include("rows:2");
  });

  const contradictions: readonly [string, Partial<SftOptions>, string, Pick<SftOptions, "evalData">?][] = [
    ["rows and a share", { evalShare: 0.2 }, "eval-share"],
    ["early stop without rows", { earlyStop: 1 }, "early-stop", {}],
    ["evaluations without rows", { evalEvery: 1 }, "eval-every", {}],
    ["changes without a run to resume", { allowChanges: true }, "allow-changes"],
  ];
  for (const [what, options, name, given] of contradictions) {
    it(`is refused at once with ${what}`, () => {
      expect(() => sftRun(options, given)).to.throw(`Expected no ${name} here`);
    });
  }
});

describe("early stop", () => {
  let place: Place;
  let model: UnigramModel;
  beforeEach(() => {
    place = temporaryPlace();
    model = new UnigramModel(place.model, 259);
  });
  afterEach(() => place.remove());

  /** Learns "a" at first and then "b", of which the evaluation rows hold none: they get worse from step 4 on. */
  const rows = (letter: string) => ({ prompt: "?", completion: letter.repeat(8) });
  const start = (options: Partial<SftOptions> = {}) =>
    sft({
      model,
      data: [..."aaabbbbbbbbb"].map(rows),
      evalData: [rows("a")],
      output: place.output(),
      shuffle: false,
      batchSize: 1,
      schedule: "constant",
      learningRate: 1,
      evalEvery: 1,
      earlyStop: 2,
      ...options,
    });

  it("ends the run when its patience is used up, and counts it as done", async () => {
    const { status, steps, bestStep, endedEarly } = await start().result;
    expect([status, steps, bestStep]).to.deep.equal(["done", 5, 3]);
    expect(endedEarly).to.include({ by: "early-stop", step: 5 });
    expect(place.record()).to.deep.include({ status: "done", stepsDone: 5 });
  });

  it("saves the weights of the best step as the model", async () => {
    const logits: Float64Array[] = [];
    await start({ onStep: () => void logits.push(model.logits.slice()) }).result;
    expect(model.logits).to.deep.equal(logits[2]);
    expect(model.logits).to.not.deep.equal(logits[4]);
  });

  it("saves the best step's weights also when the steps end first", async () => {
    const { steps, bestStep, endedEarly } = await start({ maxSteps: 4 }).result;
    expect([steps, bestStep, endedEarly]).to.deep.equal([4, 3, undefined]);
  });

  it("says which evaluations were the best so far", async () => {
    const best: boolean[] = [];
    for await (const event of start()) if (event.type === "eval") best.push(event.best);
    expect(best).to.deep.equal([false, true, true, true, false, false]);
  });

  it("leaves no weights but the model's behind", async () => {
    await start().result;
    expect(existsSync(join(place.output(), "best"))).to.equal(false);
  });

  it("counts on after it was stopped and resumed", async () => {
    const run = start({
      onStep: ({ step }) => {
        if (step === 4) void run.stop();
      },
    });
    await run.result;
    model = new UnigramModel(place.model, 259);
    const { steps, bestStep } = await start({ resume: true }).result;
    expect([steps, bestStep]).to.deep.equal([5, 3]);
  });
});
