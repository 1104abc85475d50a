// Runs the example of a feedback loop and reads what it says of the true reward. Must not assert what it should be.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { exampleEnvironment, examples } from "./run-example.js";

export interface LoopExample {
  /** True reward on prompts that nobody trains on, before and after. */
  readonly first: number;
  readonly last: number;
  readonly rounds: number;
  /** Votes that were predicted before anything was trained on them. */
  readonly votes: number;
}

/** @throws with what it printed where it did not end well */
export function runLoopExample(folder: string, seed: number): LoopExample {
  const args = ["--import", "tsx", join(examples, "11-feedback-loop.ts"), folder, String(seed)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    env: exampleEnvironment,
    timeout: 580_000,
  });
  const [, first, last] = /^true reward: (-?[\d.]+) -> (-?[\d.]+)$/m.exec(stdout) ?? [];
  if (status !== 0 || stderr !== "" || last === undefined)
    throw new Error(`the example ended with ${status}: ${stdout}${stderr}`);
  const votes = /of (\d+) \(/.exec(stdout)?.[1];
  const rounds = stdout.match(/^round-\d+: true reward/gm)?.length ?? 0;
  return { first: Number(first), last: Number(last), rounds, votes: Number(votes) };
}
