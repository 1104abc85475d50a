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
    const steps = [
      "attune doctor",
      "attune dpo --model",
      "attune generate --model",
      "attune convert --model",
    ];
    const places = steps.map((step, i) => stdout.indexOf(`  ${i + 1}. ${step}`));
    expect(places).to.deep.equal(places.toSorted((a, b) => a - b));
    expect(places).to.not.include(-1);
    for (const word of ["attune sft --model", "--resume", "transformers loads", "OUTPUT/metrics.jsonl"]) {
      expect(stdout).to.include(word);
    }
  });

  it("names only flags that exist in its help", async () => {
    const { stdout } = await commandLine(["--help"]);
    for (const line of stdout.matchAll(/attune (sft|dpo|generate|convert) (--.*)$/gm)) {
      const command = line[1] as keyof typeof commandSchemas;
      const known = optionTable(commandSchemas[command]).map(({ name }) => `--${name}`);
      for (const flag of line[2]?.match(/--[a-z-]+/g) ?? []) expect(known, line[0]).to.include(flag);
    }
  });

  it("offers to keep frozen models in the host's memory where there are some", async () => {
    const offered = async (command: string) => {
      const { stdout } = await commandLine([command, "--help"]);
      return ["--reference-offload", "--reward-offload"].filter((flag) => stdout.includes(flag));
    };
    for (const command of ["dpo", "kto"])
      expect(await offered(command), command).to.deep.equal(["--reference-offload"]);
    for (const command of ["ppo", "rloo", "grpo", "online-dpo"])
      expect(await offered(command), command).to.deep.equal(["--reference-offload", "--reward-offload"]);
    for (const command of ["sft", "reward"]) expect(await offered(command), command).to.deep.equal([]);
  });

  const names = Object.keys(commandSchemas) as (keyof typeof commandSchemas)[];
  for (const command of names) {
    it(`explains ${command} by \`help ${command}\` as by --help, with an example`, async () => {
      const { code, stdout } = await commandLine(["help", ...command.split(" ")]);
      expect(code).to.equal(0);
      expect(stdout).to.equal((await commandLine([...command.split(" "), "--help"])).stdout);
      expect(stdout).to.match(/\nExamples?:\n(.*\n)?.*attune /);
    });

    it(`has only flags of ${command} in its examples`, async () => {
      const { stdout } = await commandLine([...command.split(" "), "--help"]);
      const known = optionTable(commandSchemas[command]).map(({ name }) => `--${name}`);
      const examples = stdout.slice(stdout.search(/\nExamples?:\n/)).matchAll(/attune .*/g);
      for (const [line] of examples) {
        for (const flag of line.match(/--[a-z-]+/g) ?? []) expect(known, line).to.include(flag);
      }
    });

    it(`shows every option of ${command} under its heading`, async () => {
      const { code, stdout } = await commandLine([...command.split(" "), "--help"]);
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

  it("teaches the way from pairs to a model where no command is given", async () => {
    const { code, stdout } = await commandLine([]);
    expect(code).to.equal(2);
    expect(stdout).to.equal((await commandLine(["--help"])).stdout);
  });

  it("lays out help so that a flag with many choices leaves the descriptions room", async () => {
    const { stdout } = await commandLine(["dpo", "--help"]);
    const lines = stdout.split("\n");
    const wide = lines.findIndex((line) => line.startsWith("  --f-divergence <"));
    expect(lines[wide]?.trimEnd()).to.match(/>$/);
    expect(lines[wide + 1]).to.match(/^ {36}the divergence/);
    expect(lines.find((line) => line.includes("--beta <X>"))).to.match(/^ {2}--beta <X> {24}strength/);
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
    ["help for an unknown command", () => ["help", "dpp"], 'Unknown command "dpp". Did you mean "dpo"?'],
    ["no prompt", () => ["generate", "--model", "m"], "needs one of --prompt, --prompts and --chat"],
    [
      "two kinds of prompts",
      () => ["generate", "--model", "m", "--prompt", "a", "--chat"],
      "received --prompt and --chat",
    ],
    ["no command of feedback", () => ["feedback"], "Expected a command of feedback"],
    [
      "an unknown command of feedback",
      () => ["feedback", "srve"],
      'Unknown command of feedback "srve". Did you mean "serve"?',
    ],
    [
      "an unknown flag of feedback serve",
      () => ["feedback", "serve", "--prot", "1"],
      'Unknown option for feedback serve: "--prot". Did you mean "--port"?',
    ],
    [
      "a port that is none",
      () => ["feedback", "serve", "--port", "70000"],
      "Expected --port to be a whole number >= 0 and <= 65535 but received 70000",
    ],
    [
      "a store that is not there",
      (o) => ["feedback", "ratings", "--store", o],
      "Expected --store to be a store's folder",
    ],
    [
      "half of a loop",
      () => ["feedback", "serve", "--policy", "m", "--train", "dpo"],
      "Expected --prompts, --output as well",
    ],
    ["a token for nobody", () => ["feedback", "token"], "Expected --annotator"],
    ["an import of nothing", () => ["feedback", "import"], "needs a file"],
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

  it("prints a configuration that says what is missing, and that --config takes", async () => {
    const { code, stdout } = await commandLine(["dpo", "--print-config", "--beta", "0.3", "--model", "m"]);
    expect(code).to.equal(0);
    expect(stdout).to.include("\nbeta: 0.3\n").and.include("\nmodel: m\n").and.include("\n# data: ");
    const config = join(folder, "printed.yaml");
    writeFileSync(config, stdout);
    expect((await commandLine(["dpo", "--config", config])).stderr).to.include("dpo needs --data");
  });

  for (const name of ["evaluate", "score", "generate", "sft", "kto", "reward"]) {
    it(`prints a configuration of ${name} that --config takes`, async () => {
      const { code, stdout } = await commandLine([name, "--print-config", "--model", "m", "--threads", "1"]);
      expect(code).to.equal(0);
      expect(stdout).to.include("\nmodel: m\n").and.include("\nthreads: 1\n");
      const config = join(folder, `printed-${name}.yaml`);
      writeFileSync(config, stdout);
      const again = await commandLine([name, "--print-config", "--config", config]);
      expect(again.stdout).to.equal(stdout);
    });
  }

  it("prints every other option as a comment, and no length that nobody asked for", async () => {
    const { stdout } = await commandLine(["dpo", "--print-config"]);
    expect(stdout)
      .to.match(/^# learning-rate: .*of an adapter 1e-5/m)
      .and.match(/^# beta: /m);
    expect(stdout)
      .to.match(/^# max-length: .*1024/m)
      .and.not.match(/^max-length/m);
    expect(stdout).to.not.match(/^# (?:config|json|print-)/m);
    const given = await commandLine(["dpo", "--print-config", "--max-length", "300"]);
    expect(given.stdout).to.match(/^max-length: 300$/m);
  });

  it("prints the schema of a configuration with the names of the file", async () => {
    const { code, stdout } = await commandLine(["sft", "--print-schema"]);
    expect(code).to.equal(0);
    const { properties } = JSON.parse(stdout) as { properties: Record<string, unknown> };
    const names = optionTable(commandSchemas.sft).map(({ name }) => name);
    const apart = ["config", "print-config", "print-schema"];
    expect(properties).to.include.keys(names.filter((name) => !apart.includes(name)));
    expect(properties).to.not.include.keys(apart);
    expect(properties["learning-rate"]).to.deep.include({ type: "number" });
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
