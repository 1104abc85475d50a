// `attune ppo`, `rloo`, `grpo` and `online-dpo` from end to end on a tiny model, with a reward function out of a module.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { prompts } from "../train/online-world.js";
import { type Place, temporaryPlace } from "../train/training-rows.js";
import { commandLine } from "./command-line.js";

const rewards = `
export default function evenness(samples) {
  return samples.map(({ completion }) => completion.filter((id) => id % 2 === 0).length / completion.length);
}
export const wrong = () => [1];
export const most = 42;
`;

describe("the commands that learn online", () => {
  let place: Place;
  let module = "";
  beforeEach(() => {
    place = temporaryPlace();
    module = join(place.folder, "rewards.mjs");
    writeFileSync(module, rewards);
    const lines = prompts.map((row) => `${JSON.stringify(row)}\n`).join("");
    writeFileSync(join(place.folder, "prompts.jsonl"), lines);
  });
  afterEach(() => place.remove());

  const run = (command: string, ...more: readonly string[]) => {
    const files = [
      "--model",
      place.model,
      "--data",
      join(place.folder, "prompts.jsonl"),
      "--output",
      place.output(),
    ];
    const sampling = [
      "--max-new-tokens",
      "6",
      "--samples",
      "2",
      "--batch-size",
      "3",
      "--missing-eos",
      "none",
    ];
    return commandLine([command, ...files, ...sampling, "--threads", "1", ...more]);
  };
  const scored = (...more: readonly string[]) => ["--reward-function", module, ...more];

  for (const [command, own, shown] of [
    ["ppo", ["--value-model", "policy"], ["objective/kl"]],
    ["rloo", [], ["objective/kl"]],
    ["grpo", ["--beta", "0.1"], ["kl"]],
    ["online-dpo", [], ["objective/kl", "rewards/margins"]],
  ] as const)
    it(`${command} trains, and sums up what became of reward, KL and length`, async () => {
      const { code, stdout, stderr } = await run(command, ...scored(...own));
      expect(stderr).to.include(`${command}: `).and.include("6 of 6 rows, 2 steps");
      expect(code).to.equal(0);
      const rows = stdout.split("\n").map((line) => line.trim().split(/\s+/)[0]);
      expect(rows).to.include.members(["loss", "reward", "completions/mean_length", ...shown]);
      expect(place.record()).to.include({ status: "done", command });
      expect(existsSync(join(place.output(), "report.html"))).to.equal(true);
    });

  it("sums up looks at evaluation prompts, gold score and all", async () => {
    const looks = ["--eval-data", join(place.folder, "prompts.jsonl"), "--gold-function", module];
    const { code, stdout, stderr } = await run("grpo", ...scored(...looks));
    expect(code, stderr).to.equal(0);
    expect(stderr).to.match(/eval at 0\/2 .*overopt\/gold 0\.\d/);
    const measured = stdout.slice(stdout.indexOf("evaluation"));
    for (const key of ["reward", "overopt/gold", "objective/kl", "completions/mean_length"])
      expect(measured).to.match(new RegExp(`^ *${key} +-?\\d\\S* +-?\\d`, "m"));
    expect(measured).to.match(/^ *overopt\/win_rate +\d/m);
  });

  for (const [by, why, more] of [
    ["stop-on", "alarm kl-budget", ["--stop-on", "kl-budget"]],
    [
      "stop-rule",
      "its gold score stayed below its best, or its KL went over the budget",
      ["--stop-rule", "--gold-function", "rewards.mjs"],
    ],
  ] as const)
    it(`says last that --${by} ended the run, and so does its report`, async () => {
      const looks = ["--eval-data", join(place.folder, "prompts.jsonl"), "--eval-every", "1"];
      const far = ["--learning-rate", "0.3", "--beta", "0.01", "--kl-budget", "1e-3", "--epochs", "6"];
      const stop = more.map((word) => (word === "rewards.mjs" ? module : word));
      const { code, stdout } = await run("rloo", ...scored(...looks, ...far, ...stop));
      expect(code).to.equal(0);
      const step = /^done after (\d+) step/m.exec(stdout)?.[1];
      expect(stdout).to.include(`\nended early, at step ${step}, by --${by}: ${why}\n`);
      const page = readFileSync(join(place.output(), "report.html"), "utf8");
      expect(page).to.include(`Done after ${step} of 12 steps, early by --${by}: ${why}`);
    });

  it("refuses a run without a reward, saying what may give one", async () => {
    const { code, stderr } = await run("rloo");
    expect(code).to.equal(2);
    expect(stderr).to.include("--reward-model").and.include("--reward-function");
    expect(existsSync(place.output())).to.equal(false);
  });

  it("names a function that a module does not have, and those it has", async () => {
    const { code, stderr } = await run("grpo", "--reward-function", `${module}#kindness`);
    expect(code).to.equal(2);
    expect(stderr).to.include("and not kindness").and.include("wrong");
  });

  it("says so where an export is no function", async () => {
    const { stderr } = await run("grpo", "--reward-function", `${module}#most`);
    expect(stderr).to.include("but most is of type number and no function; it exports default, wrong.");
    writeFileSync(join(place.folder, "number.mjs"), "export default 42;");
    const alone = await run("grpo", "--reward-function", join(place.folder, "number.mjs"));
    expect(alone.stderr).to.include("but its default export is of type number and no function.");
  });

  it("asks for evaluation prompts alone: there is no share of rows to set aside", async () => {
    const { code, stderr } = await run("grpo", ...scored("--eval-every", "1"));
    expect(code).to.equal(2);
    expect(stderr).to.include("Give eval-data. [");
  });

  it("shows the reward as it was given, however scores are normalised", async () => {
    const { stderr, stdout } = await run("grpo", ...scored("--normalise-scores"));
    const [, last] = /^step 2.* reward (\S+)/m.exec(stderr) ?? [];
    expect(stdout).to.match(new RegExp(`^reward +\\S+ +${last?.replace(".", "\\.")}$`, "m"));
  });

  it("advises no text column for an empty prompt", async () => {
    writeFileSync(join(place.folder, "prompts.jsonl"), '{"prompt": ""}\n');
    const { stderr } = await run("grpo", ...scored());
    expect(stderr)
      .to.include('found an empty text ("").')
      .and.not.include("column. ")
      .and.not.include('"text"');
  });

  it("fails by name where a function gives another number of rewards", async () => {
    const { code, stderr } = await run("grpo", "--reward-function", `${module}#wrong`);
    expect(code).to.equal(1);
    expect(stderr).to.include("ATTUNE_REWARD").and.include("wrong");
    expect(place.record()).to.include({ status: "failed" });
  });

  it("leaves a configuration behind that may be given again", async () => {
    await run("online-dpo", ...scored("--loss", "ipo", "--ipo-reduce", "sum"));
    const config = join(place.output(), "config.yaml");
    expect(readFileSync(config, "utf8")).to.include("ipo-reduce: sum").and.include("beta: 0.1");
    const { code } = await commandLine(["online-dpo", "--config", config, "--output", place.output("again")]);
    expect(code).to.equal(0);
  });
});
