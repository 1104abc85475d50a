// What a run may not be resumed with, and what is said: each change by name with its old and new value.

import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type DpoOptions, dpo, type SftOptions, sft, type TrainEvent } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { expectSameRun, timelessMetrics, weightBytes } from "./same-run.js";
import { demonstrations, type Place, pairs, temporaryPlace } from "./training-rows.js";

describe("resuming", () => {
  let place: Place;
  let data = "";
  beforeEach(() => {
    place = temporaryPlace();
    data = join(place.folder, "rows.jsonl");
    writeFileSync(data, pairs.map((row) => `${JSON.stringify(row)}\n`).join(""));
  });
  afterEach(() => place.remove());

  const options = (more: Partial<DpoOptions> = {}): DpoOptions => ({
    model: place.model,
    data,
    output: place.output(),
    batchSize: 2,
    epochs: 3,
    learningRate: 1e-3,
    threads: 1,
    saveEvery: 2,
    tokenCache: "off",
    ...more,
  });
  /** Leaves checkpoints of steps 2, 4 and 5. */
  const interrupted = async (more: Partial<DpoOptions> = {}) => {
    const run = dpo({
      ...options({ keepCheckpoints: 3, ...more }),
      onStep: ({ step }) => {
        if (step === 5) void run.stop();
      },
    });
    return run.result;
  };
  const resume = (more: Partial<DpoOptions> = {}) => dpo(options({ resume: true, ...more })).result;
  const checkpoint = (step: number, name = "") => join(place.output(), "checkpoints", `step-${step}`, name);
  const refusal = async (more: Partial<DpoOptions> = {}) => {
    const error = await failureOf(() => resume(more));
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_RESUME", 2]);
    return error.message;
  };

  const changed: readonly [string, Partial<DpoOptions>, RegExp][] = [
    ["learning rate", { learningRate: 2e-3 }, /learning-rate was 0.001 and is 0.002/],
    ["beta", { beta: 0.2 }, /beta was 0.1 and is 0.2/],
    ["seed", { seed: 5 }, /seed was 0 and is 5/],
    ["batch size", { batchSize: 1 }, /batch-size was 2 and is 1.*steps was 9 and is 15/],
    ["number of steps", { maxSteps: 7 }, /max-steps was not set and is 7/],
    ["number format", { dtype: "bf16" }, /dtype was fp32 and is bf16/],
    ["kind of training", { adapterRank: 4 }, /adapter-rank was not set and is 4/],
  ];
  for (const [what, more, text] of changed) {
    it(`is refused with another ${what}, with both values`, async () => {
      await interrupted();
      expect(await refusal(more)).to.match(text);
    });
  }

  it("names every change, not the first alone", async () => {
    await interrupted();
    expect(await refusal({ beta: 0.2, seed: 5 }))
      .to.include("beta was 0.1 and is 0.2")
      .and.include("seed was 0 and is 5");
  });

  it("is refused with other rows", async () => {
    await interrupted();
    writeFileSync(data, readFileSync(data, "utf8").replace("yes please", "yes indeed"));
    expect(await refusal()).to.match(/rows was [0-9a-f]{12}… and is [0-9a-f]{12}…/);
  });

  it("is refused with another model", async () => {
    await interrupted();
    writeTinyModel({ folder: place.model, seed: 2 });
    expect(await refusal()).to.match(/model was [0-9a-f]{12}… and is [0-9a-f]{12}…/);
  });

  it("is refused with another tokenizer", async () => {
    await interrupted();
    const file = join(place.model, "tokenizer_config.json");
    const config = JSON.parse(readFileSync(file, "utf8")) as object;
    writeFileSync(file, JSON.stringify({ ...config, eos_token: "a" }));
    rmSync(join(place.model, "generation_config.json"), { force: true });
    expect(await refusal()).to.match(/tokenizer was [0-9a-f]{12}… and is [0-9a-f]{12}…/);
  });

  it("leaves metrics, checkpoints and record as they are when it is refused", async () => {
    await interrupted();
    const before = readFileSync(join(place.output(), "run.json"), "utf8");
    const lines = timelessMetrics(place.output());
    await refusal({ beta: 0.2 });
    expect(readFileSync(join(place.output(), "run.json"), "utf8")).to.equal(before);
    expect(timelessMetrics(place.output())).to.deep.equal(lines);
    expect(existsSync(checkpoint(5, "checkpoint.json"))).to.equal(true);
    expect(existsSync(join(place.output(), "run.lock"))).to.equal(false);
  });

  it("goes on with changes when they are allowed, says them and records them", async () => {
    await interrupted();
    const events: TrainEvent<unknown>[] = [];
    const run = dpo(options({ resume: true, allowChanges: true, beta: 0.2 }));
    for await (const event of run) events.push(event);
    const warning = events.find(({ type }) => type === "warning");
    expect(warning).to.deep.include({ message: "Not as in the checkpoint: beta was 0.1 and is 0.2." });
    const resumes = place.record().resumes as { readonly changes: string[] }[];
    expect(resumes[0]?.changes).to.deep.equal(["beta was 0.1 and is 0.2"]);
  });

  it("may change what has no effect on the numbers, and where the files lie", async () => {
    await dpo(options({ output: place.output("whole") })).result;
    await interrupted();
    const moved = join(place.folder, "moved.jsonl");
    copyFileSync(data, moved);
    cpSync(place.model, join(place.folder, "copy"), { recursive: true });
    await resume({
      data: moved,
      model: join(place.folder, "copy"),
      threads: 2,
      keepCheckpoints: 5,
      cache: "off",
    });
    expectSameRun(place.output(), place.output("whole"));
  });

  it("falls back to the checkpoint before when the newest is cut short, says so, and leaves no trace", async () => {
    await dpo(options({ output: place.output("whole") })).result;
    await interrupted();
    truncateSync(checkpoint(5, "state.safetensors"), 100);
    const warnings: string[] = [];
    const run = dpo(options({ resume: true }));
    for await (const event of run) if (event.type === "warning") warnings.push(event.message);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/step-5: state.safetensors has 100 of \d+ bytes\. Going on from .*step-4\./);
    expectSameRun(place.output(), place.output("whole"));
  });

  it("falls back as well when the newest one's record is cut short", async () => {
    await interrupted();
    truncateSync(checkpoint(5, "checkpoint.json"), 100);
    await resume();
    expect((place.record().resumes as { readonly step: number }[])[0]?.step).to.equal(4);
  });

  it("is refused when no checkpoint is complete, with what is wrong with each", async () => {
    await interrupted();
    for (const step of [2, 4, 5]) rmSync(checkpoint(step, "state.safetensors"));
    expect(await refusal())
      .to.include("step-5: state.safetensors is missing")
      .and.include("step-2: state.safetensors is missing");
  });

  it("is refused for a checkpoint of another format version", async () => {
    await interrupted();
    const file = checkpoint(5, "checkpoint.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"formatVersion": 1', '"formatVersion": 2'));
    expect(await refusal()).to.match(
      /Expected format 1 in .*step-5.* but found format 2: another version of attune/,
    );
  });

  it("is refused for the run of another command", async () => {
    await interrupted();
    const error = await failureOf(
      () => sft({ ...(options({ resume: true }) as SftOptions), data: demonstrations }).result,
    );
    expect(error.code).to.equal("ATTUNE_RESUME");
    expect(error.message).to.include("a run of attune sft").and.include("one of attune dpo");
  });

  describe("is what a taken output advises", () => {
    const advice = async () => {
      const error = await failureOf(() => dpo(options()).result);
      expect(error.code).to.equal("ATTUNE_OUTPUT_EXISTS");
      return error.message;
    };

    it("for a run with a checkpoint", async () => {
      await interrupted();
      expect(await advice()).to.include("Continue it with --resume");
    });

    it("not for one that failed before its first checkpoint; nor does a resume send it back", async () => {
      const onStep = () => {
        throw new Error("no disk");
      };
      await dpo({ ...options(), onStep }).result.catch(() => undefined);
      expect(await advice())
        .to.include("no checkpoint that --resume could")
        .and.include("remove it to begin again");
      expect(await refusal())
        .to.include("there is none")
        .and.include("remove this run or choose another output");
    });

    it("not for one that is finished", async () => {
      await dpo(options()).result;
      expect(await advice())
        .to.include("It is finished: choose another folder")
        .and.not.include("--resume");
    });
  });

  it("is refused for a run that is finished", async () => {
    await dpo(options()).result;
    expect(await refusal()).to.include("it is finished, after 9 steps");
  });

  it("is refused where no run is", async () => {
    expect(await refusal())
      .to.include("Expected a run to continue in")
      .and.include("Leave resume out");
    expect(existsSync(place.output())).to.equal(false);
  });

  it("is refused for a run that was never saved", async () => {
    const controller = new AbortController();
    const run = dpo({
      ...options({ saveEvery: 0 }),
      signal: controller.signal,
      onStep: () => controller.abort(),
    });
    await run.result.catch(() => undefined);
    expect(await refusal())
      .to.include("Expected a checkpoint in")
      .and.include("there is none");
  });

  it("is what a second run in the same folder is told about", async () => {
    await interrupted();
    const error = await failureOf(() => dpo(options()).result);
    expect(error.code).to.equal("ATTUNE_OUTPUT_EXISTS");
    expect(error.message).to.include("--resume");
  });

  it("is refused while a run is at work in the folder", async () => {
    let second: Promise<unknown> | undefined;
    const run = dpo({
      ...options(),
      onStep: ({ step }) => {
        if (step === 3) second = failureOf(() => resume());
      },
    });
    await run.result;
    expect(await second).to.deep.include({ code: "ATTUNE_OUTPUT_EXISTS" });
  });

  it("continues in a model that was loaded anew", async () => {
    const { createEngine } = await import("../../lib/engine/index.js");
    await dpo(options({ output: place.output("whole") })).result;
    const { threads: _, ...settings } = options();
    const engine = await createEngine({ threads: 1 });
    try {
      const first = await engine.loadModel(place.model);
      const run = dpo({
        ...settings,
        model: first,
        onStep: ({ step }) => {
          if (step === 5) void run.stop();
        },
      });
      await run.result;
      const error = await failureOf(() => dpo({ ...settings, model: first, resume: true }).result);
      expect(error.message, "the trained model is not the start").to.match(/model was .* and is/);
      await dpo({ ...settings, model: await engine.loadModel(place.model), resume: true }).result;
      expect(weightBytes(place.output()).equals(weightBytes(place.output("whole")))).to.equal(true);
    } finally {
      await engine.dispose();
    }
  });
});
