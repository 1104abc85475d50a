// Stop and resume on the real engine: nobody can tell a run that was interrupted from one that was not.

import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { DpoOptions, SftOptions } from "../../lib/train/index.js";
import { dpo, sft } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { expectSameRun, timelessMetrics, weightBytes } from "./same-run.js";
import { demonstrations, type Place, pairs, temporaryPlace } from "./training-rows.js";

type Options = Partial<SftOptions & DpoOptions>;
/** Starts a run; `stopAt` stops it right after that step. */
type Start = (
  options: Options,
  stopAt?: number,
) => Promise<{ readonly status: string; readonly steps: number }>;

describe("a run that is stopped and resumed", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const shared = (options: Options) => ({
    model: place.model,
    output: place.output(),
    batchSize: 2,
    epochs: 4,
    learningRate: 3e-3,
    threads: 1,
    ...options,
  });
  const startSft: Start = (options, stopAt) => {
    const onStep = (event: { readonly step: number }) => {
      if (event.step === stopAt) void run.stop();
    };
    const run = sft({ data: demonstrations, ...shared(options), onStep } as SftOptions);
    return run.result;
  };
  const startDpo: Start = (options, stopAt) => {
    const onStep = (event: { readonly step: number }) => {
      if (event.step === stopAt) void run.stop();
    };
    const run = dpo({ data: pairs, ...shared(options), onStep } as DpoOptions);
    return run.result;
  };

  /** Stops at each of the steps, resumes each time, and compares with a run that was let be. */
  const expectNoTrace = async (start: Start, options: Options, stops: readonly number[]) => {
    await start({ ...options, output: place.output("whole") });
    for (const [i, stop] of stops.entries()) {
      const { status, steps } = await start({ ...options, resume: i > 0 }, stop);
      expect([status, steps]).to.deep.equal(["interrupted", stop]);
    }
    const { status, steps } = await start({ ...options, resume: true });
    expect([status, steps]).to.deep.equal(["done", 12]);
    expectSameRun(place.output(), place.output("whole"));
  };

  const adapter = { adapterRank: 4 };
  const evaluated = { evalData: pairs.slice(0, 2), evalEvery: 2 };
  for (const [trainer, start] of [
    ["sft", startSft],
    ["dpo", startDpo],
  ] as const) {
    for (const dtype of ["fp32", "bf16"] as const) {
      it(`leaves no trace: ${trainer}, all weights, ${dtype}`, () => expectNoTrace(start, { dtype }, [5]));

      it(`leaves no trace: ${trainer}, an adapter, ${dtype}`, () =>
        expectNoTrace(start, { dtype, ...adapter }, [5]));
    }

    it(`leaves no trace in ${trainer} when it is stopped again and again, at the end of an epoch too`, () =>
      expectNoTrace(start, {}, [1, 2, 3, 8, 11]));

    it(`leaves no trace in ${trainer} with evaluations between the steps`, () =>
      expectNoTrace(start, evaluated, [2, 3, 7]));

    it(`leaves no trace in ${trainer} when lines are written every third step`, () =>
      expectNoTrace(start, { logEvery: 3 }, [4]));
  }

  it("leaves no trace without a cache of the reference", () =>
    expectNoTrace(startDpo, { cache: "off" }, [5]));

  it("leaves no trace with two threads after one", async () => {
    await startDpo({ output: place.output("whole") });
    await startDpo({ threads: 1 }, 5);
    await startDpo({ threads: 2, resume: true, saveEvery: 3, keepCheckpoints: 1, logEvery: 1 });
    expectSameRun(place.output(), place.output("whole"));
  });

  it("keeps the reference of the start, not of the checkpoint", async () => {
    await startDpo({}, 6);
    await startDpo({ resume: true });
    const margins = timelessMetrics(place.output()).map((line) => Number(line["rewards/margins"]));
    // Measured against the weights of step 6, the margin of step 7 would be 0.
    expect(margins[6]).to.be.above(0.05);
  });

  it("sees a run that went on with another learning rate", async () => {
    await startSft({ output: place.output("whole") });
    await startSft({}, 5);
    await startSft({ resume: true, learningRate: 3.001e-3, allowChanges: true });
    expect(weightBytes(place.output()).equals(weightBytes(place.output("whole")))).to.equal(false);
  });

  it("saves checkpoints every so many steps and keeps the newest", async () => {
    await startSft({ saveEvery: 2, keepCheckpoints: 2 });
    const folder = join(place.output(), "checkpoints");
    expect(readdirSync(folder).toSorted()).to.deep.equal(["step-10", "step-8"]);
    expect(readdirSync(join(folder, "step-10")).toSorted()).to.deep.equal([
      "checkpoint.json",
      "state.safetensors",
    ]);
  });

  it("keeps all checkpoints when asked to", async () => {
    await startSft({ saveEvery: 4, keepCheckpoints: 0 });
    expect(readdirSync(join(place.output(), "checkpoints")).toSorted()).to.deep.equal(["step-4", "step-8"]);
  });

  it("records each time it went on", async () => {
    await startSft({}, 3);
    await startSft({ resume: true }, 5);
    await startSft({ resume: true });
    const resumes = place.record().resumes as { readonly step: number; readonly changes: unknown[] }[];
    expect(resumes.map(({ step, changes }) => [step, changes])).to.deep.equal([
      [3, []],
      [5, []],
    ]);
    expect(place.record()).to.deep.include({ status: "done", stepsDone: 12 });
  });

  it("saves the model even where a checkpoint cannot be written, and says why there is none", async () => {
    // A file in the place of the folder.
    const spoil = ({ step }: { readonly step: number }) => {
      if (step !== 3) return;
      writeFileSync(join(place.output(), "checkpoints"), "");
      void run.stop().catch(() => undefined);
    };
    const run = sft({ data: demonstrations, ...shared({}), onStep: spoil } as SftOptions);
    const error = await failureOf(() => run.result);
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OUTPUT", 2]);
    expect(error.message).to.include("checkpoints");
    expect(weightBytes(place.output()).length).to.be.above(0);
    expect(place.record()).to.deep.include({ status: "failed", stepsDone: 3 });
  });

  it("lets its folder go at the end", async () => {
    await startSft({}, 3);
    expect(existsSync(join(place.output(), "run.lock"))).to.equal(false);
  });
});
