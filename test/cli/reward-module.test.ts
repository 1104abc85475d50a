// What a reward module of the user may do to the process that loads it: hold it, or throw where nobody listens.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { prompts } from "../train/online-world.js";
import { type Place, temporaryPlace } from "../train/training-rows.js";
import { runProgram } from "./program-process.js";

describe("a reward module and the program", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  /** Two steps of grpo with a module of this source. */
  const trained = (source: string, ...more: readonly string[]) => {
    const path = (name: string) => join(place.folder, name);
    writeFileSync(path("rewards.mjs"), source);
    writeFileSync(path("prompts.jsonl"), prompts.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const files = ["--model", place.model, "--data", path("prompts.jsonl"), "--output", place.output()];
    const sampling = ["--max-new-tokens", "6", "--samples", "2", "--batch-size", "3", "--threads", "1"];
    const scored = ["--missing-eos", "none", "--reward-function", path("rewards.mjs")];
    return runProgram(["grpo", ...files, ...sampling, ...scored, ...more]);
  };
  const lengths = "export default (samples) => samples.map(({ completion }) => completion.length);";

  it("does not keep a finished run alive", async () => {
    const { code, stdout } = await trained(`setInterval(() => undefined, 1000);\n${lengths}`);
    expect(code).to.equal(0);
    expect(stdout).to.include("done after 2 steps").and.include("report:");
  });

  it("does not keep a failed run alive", async () => {
    const hanging = "export default () => new Promise(() => setInterval(() => undefined, 1000));";
    const { code, stderr } = await trained(hanging, "--reward-timeout", "300");
    expect(code).to.equal(1);
    expect(stderr).to.include("[ATTUNE_REWARD]");
  });

  for (const [what, stray] of [
    ["a timer's error", 'setTimeout(() => { throw new Error("late"); })'],
    ["a rejection that nobody awaits", 'Promise.reject(new Error("late"))'],
  ])
    it(`fails the run by name at ${what}`, async () => {
      // It comes while the rewards are waited for.
      const source = `export default () => { ${stray}; return new Promise(() => undefined); };`;
      const { code, stderr } = await trained(source);
      expect(code).to.equal(1);
      expect(stderr).to.match(/^attune: Something outside the run threw: late\. .*\[ATTUNE_REWARD\]$/m);
      expect(stderr).not.to.include("    at ");
      expect(place.record()).to.deep.include({ status: "failed" });
    });

  it("loses no error that came as the module was loaded", async () => {
    const { code, stderr } = await trained(`Promise.reject("unreachable");\n${lengths}`);
    expect(code).to.equal(1);
    expect(stderr).to.include("outside the run threw: unreachable.");
  });
});
