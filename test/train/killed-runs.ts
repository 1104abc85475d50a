// Kills a training process at a moment it cannot know, resumes the run, and compares it with one that was let be.
// Must not decide when to kill: the moments are given.

import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type DpoOptions, dpo, type PpoOptions, ppo, type SftOptions, sft } from "../../lib/train/index.js";
import type { ChildRun } from "./children/train.js";
import { ppoOptions } from "./online-runs.js";
import { expectSameRun } from "./same-run.js";
import { demonstrations, type Place, pairs } from "./training-rows.js";

const child = join(dirname(fileURLToPath(import.meta.url)), "children", "train.ts");

export interface KillOptions {
  readonly place: Place;
  readonly trainer: "sft" | "dpo" | "ppo";
  /** Options of the runs beside those given here. */
  readonly options: Partial<SftOptions & DpoOptions> | Partial<PpoOptions>;
  /** Milliseconds from the first checkpoint to each kill. */
  readonly delays: readonly number[];
}

/** Many short steps with a checkpoint after each: at any moment one is being written, renamed or removed. */
function runOf({ place, trainer, options }: KillOptions, output: string): ChildRun {
  const shared = {
    model: place.model,
    output,
    batchSize: 1,
    epochs: 24,
    learningRate: 1e-3,
    threads: 1,
    saveEvery: 1,
    ...options,
  };
  if (trainer === "ppo") {
    const online = { output, maxSteps: 16, saveEvery: 1, ...options } as Partial<PpoOptions>;
    return { trainer, options: ppoOptions(place, online) };
  }
  return trainer === "sft"
    ? { trainer, options: { ...shared, data: demonstrations } as SftOptions }
    : { trainer, options: { ...shared, data: pairs } as DpoOptions };
}

function start(told: ChildRun, more: { readonly resume?: boolean } = {}): Promise<unknown> {
  if (told.trainer === "ppo") return ppo({ ...told.options, ...more }).result;
  return told.trainer === "sft"
    ? sft({ ...told.options, ...more }).result
    : dpo({ ...told.options, ...more }).result;
}

/** Steps that the killed process had told. */
async function killAfter(told: ChildRun, delay: number): Promise<number> {
  const running = spawn(process.execPath, ["--import", "tsx", child, JSON.stringify(told)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let steps = 0;
  const ended = new Promise<NodeJS.Signals | null>((resolve) => {
    running.on("close", (_, signal) => resolve(signal));
  });
  await new Promise<void>((resolve) => {
    running.stdout.on("data", (piece: Buffer) => {
      steps += piece.toString().split("step ").length - 1;
      // A checkpoint follows its step, so a later step means that there is one.
      if (steps > (told.options.saveEvery ?? 1)) resolve();
    });
    running.on("close", () => resolve());
  });
  await wait(delay);
  running.kill("SIGKILL");
  expect(await ended, "killed, not ended by itself").to.equal("SIGKILL");
  return steps;
}

/** Every kill is followed by a resume: the last one to the end, those before in a process that is killed again. */
export async function expectNoTraceOfKills(options: KillOptions): Promise<void> {
  const { place, delays } = options;
  const output = place.output();
  await start(runOf(options, place.output("whole")));
  for (const [i, delay] of delays.entries()) {
    const told = runOf(options, output);
    const again = { ...told, options: { ...told.options, resume: i > 0 } } as ChildRun;
    await killAfter(again, delay);
  }
  await start(runOf(options, output), { resume: true });
  expectSameRun(output, place.output("whole"));
}
