// Ways to end a run from outside, and runs beside each other: disposal, signals of the process, two engines, workers.

import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect } from "chai";
import { runCommandLine } from "../../lib/cli/program.js";
import type { Terminal } from "../../lib/cli/terminal.js";
import { createEngine } from "../../lib/engine/index.js";
import { type DpoOptions, dpo, sft } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { expectSameRun, timelessMetrics, weightBytes } from "./same-run.js";
import { demonstrations, type Place, pairs, temporaryPlace } from "./training-rows.js";

const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, "..", "..", "lib", "cli", "main.ts");

describe("a run, ended from outside or beside another,", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const options = (more: Partial<DpoOptions> = {}): DpoOptions => ({
    model: place.model,
    data: pairs,
    output: place.output(),
    batchSize: 2,
    epochs: 4,
    learningRate: 1e-3,
    threads: 1,
    ...more,
  });

  it("that is stopped while it loads takes no step, and leaves no folder", async () => {
    const run = dpo(options());
    const error = await failureOf(() => run.stop());
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_ABORTED", 1]);
    expect(error.message).to.include("before it took a step");
    expect(existsSync(place.output())).to.equal(false);
  });

  it("that is stopped when it has started takes no step, and counts as interrupted", async () => {
    const run = dpo(options());
    const steps: number[] = [];
    const error = await failureOf(async () => {
      for await (const event of run) {
        if (event.type === "start") void run.stop().catch(() => undefined);
        if (event.type === "step") steps.push(event.step);
      }
    }).catch(() => undefined);
    // The loop may have been faster than its listener: then it is an ordinary stop.
    if (error !== undefined) expect([error.code, steps.length]).to.deep.equal(["ATTUNE_ABORTED", 0]);
    expect(place.record()).to.deep.include({ status: "interrupted" });
  });

  it("that is resumed and stopped while it loads is left as it was", async () => {
    await dpo(options({ output: place.output("whole") })).result;
    const first = dpo({
      ...options(),
      onStep: ({ step }) => {
        if (step === 5) void first.stop();
      },
    });
    await first.result;
    const error = await failureOf(() => dpo(options({ resume: true })).stop());
    expect(error.code).to.equal("ATTUNE_ABORTED");
    await dpo(options({ resume: true })).result;
    expectSameRun(place.output(), place.output("whole"));
  });

  it("that leaves its scope is stopped, with a checkpoint to go on from", async () => {
    {
      await using run = dpo(options({ epochs: 1000 }));
      for await (const event of run) if (event.type === "step" && event.step === 3) break;
    }
    const { status, stepsDone } = place.record() as { readonly status: string; readonly stepsDone: number };
    expect(status).to.equal("interrupted");
    expect(existsSync(join(place.output(), "checkpoints", `step-${stepsDone}`, "checkpoint.json"))).to.equal(
      true,
    );
  });

  it("that is cancelled by its signal saves nothing, and can be resumed from its last checkpoint", async () => {
    await dpo(options({ output: place.output("whole") })).result;
    const controller = new AbortController();
    const run = dpo({
      ...options({ saveEvery: 2 }),
      signal: controller.signal,
      onStep: ({ step }) => {
        if (step === 5) controller.abort();
      },
    });
    await run.result.catch(() => undefined);
    expect(existsSync(join(place.output(), "model"))).to.equal(false);
    await dpo(options({ resume: true })).result;
    expectSameRun(place.output(), place.output("whole"));
  });

  it("that gets SIGTERM saves, and leaves no trace once it is resumed", async () => {
    const data = join(place.folder, "rows.jsonl");
    writeFileSync(data, pairs.map((row) => `${JSON.stringify(row)}\n`).join(""));
    await dpo(options({ data, epochs: 40, output: place.output("whole"), tokenCache: "off" })).result;
    const flags = ["--model", place.model, "--data", data, "--output", place.output(), "--batch-size", "2"];
    const numbers = ["--epochs", "40", "--learning-rate", "1e-3", "--threads", "1", "--token-cache", "off"];
    const child = spawn(process.execPath, ["--import", "tsx", main, "dpo", ...flags, ...numbers], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let text = "";
    child.stderr.on("data", (piece: Buffer) => {
      const before = text;
      text += piece.toString();
      if (!before.includes("step 3/") && text.includes("step 3/")) child.kill("SIGTERM");
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).to.equal(130);
    expect(place.record()).to.deep.include({ status: "interrupted" });
    await dpo(options({ data, epochs: 40, resume: true, tokenCache: "off" })).result;
    expectSameRun(place.output(), place.output("whole"));
  }).timeout(60_000);

  it("that is interrupted while it loads takes no step, and the program exits with 130", async () => {
    const data = join(place.folder, "rows.jsonl");
    writeFileSync(data, pairs.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const texts: string[] = [];
    const terminal: Terminal = {
      stdout: { columns: 80, write: () => undefined },
      stderr: { isTTY: false, columns: 80, write: (piece) => texts.push(piece) },
      debug: false,
      interactive: false,
      readLines: () => {
        throw new Error("nobody asks");
      },
      // Ctrl-C as soon as somebody listens.
      onInterrupt: (listener) => {
        listener();
        return () => undefined;
      },
      onStrayError: () => () => undefined,
      onOutputClosed: () => () => undefined,
      quit: () => undefined,
    };
    const flags = [
      "--model",
      place.model,
      "--data",
      data,
      "--output",
      place.output(),
      "--token-cache",
      "off",
    ];
    expect(await runCommandLine(["dpo", ...flags], terminal)).to.equal(130);
    expect(texts.join("")).to.include("before it took a step");
    expect(existsSync(place.output())).to.equal(false);
  });

  it("gives the same beside a run on another engine as alone", async () => {
    await dpo(options({ output: place.output("alone") })).result;
    const engines = [await createEngine({ threads: 1 }), await createEngine({ threads: 2 })];
    try {
      const { threads: _, ...shared } = options();
      const runs = engines.map(async (engine, i) => {
        const model = await engine.loadModel(place.model);
        await dpo({ ...shared, model, output: place.output(`beside-${i}`) }).result;
      });
      await Promise.all(runs);
    } finally {
      await Promise.all(engines.map((engine) => engine.dispose()));
    }
    for (const i of [0, 1]) expectSameRun(place.output(`beside-${i}`), place.output("alone"));
  });

  it("gives the same in a worker thread as on the main one", async () => {
    const { onStep: _, ...plain } = options({ output: place.output("worker") });
    await dpo(options({ output: place.output("main") })).result;
    const worker = new Worker(join(here, "..", "engine", "children", "typescript-worker.mjs"), {
      workerData: { file: join(here, "children", "worker-run.ts"), options: plain },
    });
    const message = await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    expect(message).to.deep.equal({ status: "done", steps: 12 });
    await worker.terminate();
    expectSameRun(place.output("worker"), place.output("main"));
  });

  it("gives the same losses with an adapter in micro-batches of one row as in one of all", async () => {
    const shared = { data: demonstrations, model: place.model, batchSize: 8, adapterRank: 4, threads: 1 };
    const losses = async (microBatchTokens: number, name: string) => {
      await sft({ ...shared, epochs: 3, microBatchTokens, output: place.output(name) }).result;
      return timelessMetrics(place.output(name)).flatMap((line) => [
        Number(line.loss),
        Number(line.grad_norm),
      ]);
    };
    const [small, large] = [await losses(1, "small"), await losses(4096, "large")];
    expect(small).to.have.length(6);
    for (const [i, loss] of small.entries())
      expect(loss).to.be.closeTo(large[i] ?? Number.NaN, 1e-5 * Math.abs(large[i] ?? 0));
    expect(weightBytes(place.output("small")).length).to.equal(weightBytes(place.output("large")).length);
  });
});
