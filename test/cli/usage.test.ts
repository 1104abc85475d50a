// What the command line says to wrong usage, and how it teaches. None of this needs the addon.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { commandSchemas, optionTable } from "../../lib/options/index.js";
import { commandLine } from "./command-line.js";

describe("the command line", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-cli-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("teaches the steps in its help", async () => {
    const { code, stdout } = await commandLine(["--help"]);
    expect(code).to.equal(0);
    for (const word of ["quickstart", "attune sft --model", "attune dpo --model", "OUTPUT/metrics.jsonl"]) {
      expect(stdout).to.include(word);
    }
  });

  for (const command of ["sft", "dpo"] as const) {
    it(`shows every option of ${command} under its heading`, async () => {
      const { code, stdout } = await commandLine([command, "--help"]);
      expect(code).to.equal(0);
      for (const { name, group, default: standard } of optionTable(commandSchemas[command])) {
        expect(stdout).to.include(`${group}:`);
        expect(stdout).to.include(standard === true ? `--no-${name}` : `--${name}`);
      }
    });
  }

  it("prints its version", async () => {
    expect(await commandLine(["--version"])).to.deep.include({ code: 0, stdout: "0.1.0\n" });
  });

  const needed = ["--model", "m", "--data", "d", "--output"];
  const wrong: readonly [string, (output: string) => string[], string][] = [
    ["no command", () => [], "Expected a command"],
    ["an unknown command", () => ["dpp"], 'Unknown command "dpp". Did you mean "dpo"?'],
    ["an unknown flag", (o) => ["dpo", ...needed, o, "--bta", "1"], 'Did you mean "--beta"?'],
    [
      "another command's flag",
      (o) => ["sft", ...needed, o, "--label-smoothing", "0"],
      "Unknown option for sft",
    ],
    ["a flag without its value", () => ["dpo", "--model"], "Expected --model to be followed by <PATH>"],
    ["a missing option", () => ["dpo", "--model", "m"], "dpo needs --data"],
    ["text for a number", (o) => ["dpo", ...needed, o, "--beta", "big"], 'received "big"'],
    ["an empty number", (o) => ["dpo", ...needed, o, "--beta", ""], 'received ""'],
    [
      "a number out of range",
      (o) => ["dpo", ...needed, o, "--beta", "-1"],
      "Expected --beta to be a number > 0",
    ],
    ["a value that is no choice", (o) => ["sft", ...needed, o, "--dtype", "fp8"], "one of fp32, bf16"],
    [
      "a word too many",
      (o) => ["sft", ...needed, o, "extra"],
      'only options behind sft but received "extra"',
    ],
    ["a misspelt help", () => ["sft", "--hlep"], 'Did you mean "--help"?'],
    [
      "a configuration that is missing",
      (o) => ["sft", ...needed, o, "--config", join(o, "no.yaml")],
      "Cannot read",
    ],
  ];
  for (const [what, args, text] of wrong) {
    it(`answers ${what} with one message, its code and exit code 2, and writes nothing`, async () => {
      const output = join(folder, "run");
      const { code, stderr } = await commandLine(args(output));
      expect(code).to.equal(2);
      expect(stderr).to.include(text);
      expect(stderr).to.match(/^attune: .*\[ATTUNE_[A-Z_]+\]\n$/s);
      expect(existsSync(output)).to.equal(false);
    });
  }

  it("shows the stack only where it is asked for", async () => {
    const args = ["dpo", "--model", "m"];
    expect((await commandLine(args)).stderr).to.not.include(" at ");
    expect((await commandLine(args, { debug: true })).stderr).to.include(" at ");
  });

  it("names the configuration file that a wrong value came from", async () => {
    const config = join(folder, "wrong.yaml");
    writeFileSync(config, "model: m\ndata: d\noutput: o\nthreads: 0\n");
    const { code, stderr } = await commandLine(["dpo", "--config", config]);
    expect(code).to.equal(2);
    expect(stderr)
      .to.include("wrong.yaml: Expected threads to be a whole number")
      .and.include("[ATTUNE_CONFIG]");
  });

  it("takes what no flag gives from the configuration file", async () => {
    const config = join(folder, "part.yaml");
    writeFileSync(config, "model: m\ndata: d\n");
    const { stderr } = await commandLine(["dpo", "--config", config]);
    expect(stderr).to.include("dpo needs --output");
  });
});
