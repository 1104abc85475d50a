// The example that serves and trains in one process: answers arrive while an adapter is being trained, the event loop
// stays free, and the trained adapter takes over.

import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";
import { suiteFolder } from "../support/temporary-folder.js";
import { exampleEnvironment, examples } from "./run-example.js";

/** Loaded before the example: measures the delay of its event loop and prints it when the process is asked to. */
const watch = `
import { monitorEventLoopDelay } from "node:perf_hooks";
const histogram = monitorEventLoopDelay({ resolution: 5 });
process.on("SIGUSR2", () => { histogram.reset(); histogram.enable(); console.log("watching"); });
process.on("SIGHUP", () => console.log(\`p99 \${histogram.percentile(99) / 1e6} ms of \${histogram.count}\`));
`;

interface State {
  readonly training: boolean;
  readonly runs: number;
}

describe("the example 05-serve-and-train.ts", () => {
  const at = suiteFolder();
  let child: ChildProcess;
  let output = "";
  let errors = "";
  let address = "";

  /** The match of what the example prints, sooner or later. */
  async function printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (let tries = 0; tries < 600; tries++) {
      const match = pattern.exec(output);
      if (match !== null) return match;
      if (child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`expected ${pattern} but the example printed ${output}${errors}`);
  }

  before(async () => {
    writeFileSync(at("watch.mjs"), watch);
    const imports = ["--import", "tsx", "--import", pathToFileURL(at("watch.mjs")).href];
    const args = [...imports, join(examples, "05-serve-and-train.ts"), at("run"), "0"];
    child = spawn(process.execPath, args, { env: exampleEnvironment });
    child.stdout?.on("data", (piece: Buffer) => {
      output += piece.toString();
    });
    child.stderr?.on("data", (piece: Buffer) => {
      errors += piece.toString();
    });
    address = `http://127.0.0.1:${(await printed(/listening on (\d+)/))[1]}`;
  });
  after(() => {
    child.kill("SIGKILL");
  });

  const post = (path: string, body: object) =>
    fetch(`${address}${path}`, { method: "POST", body: JSON.stringify(body) });
  const state = async () => (await (await fetch(`${address}/state`)).json()) as State;
  const pair = (number: number) => ({
    prompt: `Ada: ${number}?\nClerk:`,
    chosen: " Yes, please.",
    rejected: " No.",
  });

  it("answers during training, with a p99 delay of the event loop below 100 ms", async () => {
    for (let number = 0; number < 8; number++) await post("/feedback", pair(number));
    expect(await state()).to.deep.include({ training: true, runs: 1 });
    child.kill("SIGUSR2");
    await printed(/watching/);
    let answers = 0;
    let during = 0;
    while ((await state()).training) {
      const response = await post("/generate", { prompt: "Ben: Do you sell a red lamp?\nClerk:" });
      expect(response.status).to.equal(200);
      await response.text();
      answers += 1;
      if ((await state()).training) during = answers;
    }
    child.kill("SIGHUP");
    const [, delay, count] = await printed(/p99 ([\d.]+) ms of (\d+)/);
    expect(errors).to.equal("");
    expect(during).to.be.at.least(2);
    expect(Number(count)).to.be.above(20);
    expect(Number(delay)).to.be.below(100);
  });

  it("streams an answer in several pieces from the trained adapter", async () => {
    const response = await post("/generate", { prompt: "Ada: 1?\nClerk:" });
    let pieces = 0;
    for await (const _ of response.body ?? []) pieces += 1;
    expect(pieces).to.be.above(1);
  });

  it("ends by SIGTERM with everything disposed", async () => {
    const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve([code, signal])));
    child.kill("SIGTERM");
    expect(await ended).to.deep.equal([0, null]);
    expect(errors).to.equal("");
  });
});
