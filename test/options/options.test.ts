// Options: one declaration gives checks, flags, YAML keys and docs.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  checkOptions,
  commandSchemas,
  configText,
  dpoOptions,
  optionsMarkdown,
  optionTable,
  readConfigFile,
  sftOptions,
} from "../../lib/options/index.js";
import { failureOf } from "../errors/expect-failure.js";

const needed = { model: "m", data: "d", output: "o" };
const check = (values: Record<string, unknown>) =>
  checkOptions({ schema: dpoOptions, command: "dpo", values: { ...needed, ...values } });

describe("options", () => {
  it("fill in the defaults", () => {
    expect(check({})).to.deep.include({
      loss: ["sigmoid"],
      epochs: 1,
      shuffle: true,
      dtype: "fp32",
    });
    const sft = checkOptions({ schema: sftOptions, command: "sft", values: needed });
    expect(sft).to.deep.include({
      batchSize: 8,
      maxLength: 1024,
    });
  });

  it("take one text for a list, and several behind its separator", () => {
    const values = check({ data: "a.jsonl", adapterTargets: "q_proj, v_proj", adapterRank: 8 });
    expect(values.data).to.deep.equal(["a.jsonl"]);
    expect(values.adapterTargets).to.deep.equal(["q_proj", "v_proj"]);
  });

  it("take numbers of a list as texts, as one text or as a single number", () => {
    for (const [given, values] of [
      ["1, 0.1", [1, 0.1]],
      [
        ["1", "0.1"],
        [1, 0.1],
      ],
      [2, [2]],
    ] as const)
      expect(check({ lossWeights: given }).lossWeights).to.deep.equal(values);
  });

  it("leave learning rate and micro-batch open: they depend on what is trained", () => {
    expect(check({})).to.not.have.any.keys("learningRate", "microBatchTokens");
  });

  it("treat undefined as not given", () => {
    expect(check({ epochs: undefined }).epochs).to.equal(1);
  });

  const wrong: readonly [string, Record<string, unknown>, string | RegExp][] = [
    ["an unknown name, with the nearest", { bta: 1 }, 'Unknown option for dpo: "bta". Did you mean "beta"?'],
    [
      "a number out of range",
      { weightDecay: -1 },
      "Expected weightDecay to be a number >= 0 but received -1. Default: 0.",
    ],
    ["text for a number", { beta: "x" }, 'Expected beta to be a number > 0 but received "x".'],
    ["NaN", { beta: Number.NaN }, "Expected beta to be a number > 0 but received NaN."],
    ["infinity", { beta: Number.POSITIVE_INFINITY }, "but received Infinity"],
    [
      "a fraction for a count",
      { batchSize: 1.5 },
      "Expected batchSize to be a whole number >= 1 but received 1.5",
    ],
    [
      "a choice that does not exist",
      { dtype: "fp16" },
      'Expected dtype to be one of fp32, bf16 but received "fp16"',
    ],
    [
      "a loss that does not exist",
      { loss: "nash" },
      /^Expected loss to be one or several of sigmoid, ipo, .*best-of-k but received "nash"\. Default: sigmoid\.$/,
    ],
    ["a list with a wrong part", { loss: "sigmoid,nash" }, 'but received ["sigmoid","nash"]'],
    [
      "text in a list of numbers",
      { lossWeights: "1,x" },
      'Expected lossWeights to be one number or several, each a number > 0 but received [1,"x"]',
    ],
    ["smoothing of half and more", { labelSmoothing: 0.5 }, "a number >= 0 and < 0.5 but received 0.5"],
    ["a list that is empty", { data: [] }, "Expected data to be one text or several, none of them empty"],
    [
      "a share of everything",
      { evalShare: 1 },
      "Expected evalShare to be a number > 0 and < 1 but received 1",
    ],
    ["text for a switch", { shuffle: "no" }, 'Expected shuffle to be true or false but received "no"'],
  ];
  for (const [what, values, text] of wrong) {
    it(`refuse ${what}`, async () => {
      const error = await failureOf(() => check(values));
      expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OPTION", 2]);
      if (typeof text === "string") expect(error.message).to.include(text);
      else expect(error.message).to.match(text);
    });
  }

  it("name a missing one as the command line spells it", async () => {
    const error = await failureOf(() =>
      checkOptions({ schema: dpoOptions, command: "dpo", values: { model: "m" }, spelling: "flag" }),
    );
    expect(error.message).to.match(/^dpo needs --data: /);
  });

  it("are all described, under unique names, for every command", () => {
    for (const [command, schema] of Object.entries(commandSchemas)) {
      const rows = optionTable(schema);
      expect(new Set(rows.map(({ name }) => name)).size, command)
        .to.equal(rows.length)
        .and.to.be.above(0);
      for (const row of rows) expect(row.description, `${command} ${row.name}`).to.not.equal("");
    }
  });

  it("appear in the docs table with flag, default and range", () => {
    expect(optionsMarkdown(dpoOptions))
      .to.include("| `--weight-decay X` | 0 | ")
      .and.to.include("(a number > 0) |")
      .and.to.include("| `--loss NAMES` | sigmoid | ");
  });
});

describe("a configuration file", () => {
  it("may not ask for what only a flag does", async () => {
    const error = await failureOf(() => read("print-config: true\n"));
    expect(error.code).to.equal("ATTUNE_CONFIG");
  });

  it("may not name another configuration file", async () => {
    const error = await failureOf(() => read("config: other.yaml\n"));
    expect(error.code).to.equal("ATTUNE_CONFIG");
    expect(error.message).to.include('"config"');
  });

  it("may not turn a switch both ways", async () => {
    const error = await failureOf(() => read("shuffle: true\nno-shuffle: true\n"));
    expect(error.code).to.equal("ATTUNE_CONFIG");
    expect(error.message).to.include("shuffle and no-shuffle");
  });

  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-config-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const read = (text: string) => {
    const file = join(folder, "run.yaml");
    writeFileSync(file, text);
    return readConfigFile({ file, schema: dpoOptions, command: "dpo" });
  };

  it("uses the flags' names without dashes in front", () => {
    expect(read("learning-rate: 1e-5\nmax-steps: 3\n")).to.deep.equal({ learningRate: 1e-5, maxSteps: 3 });
  });

  it("may switch off either way", () => {
    expect(read("shuffle: false")).to.deep.equal({ shuffle: false });
    expect(read("no-shuffle: true")).to.deep.equal({ shuffle: false });
  });

  it("may be empty", () => {
    expect(read("# nothing\n")).to.deep.equal({});
  });

  it("reads back what a run wrote", () => {
    const settings = check({ learningRate: 3e-6, cache: "off", shuffle: false, threads: 2 });
    expect(check(read(configText(dpoOptions, settings, "all")))).to.deep.equal(settings);
  });

  const wrong: readonly [string, string, string][] = [
    ["an unknown key, with the nearest", "learning-rte: 1", 'Did you mean "learning-rate"?'],
    ["a name as code spells it", "learningRate: 1", 'Did you mean "learning-rate"?'],
    ["a wrong value", "beta: -2", "Expected beta to be a number > 0 but received -2"],
    ["a list", "- beta", "expected a map of options"],
    ["broken YAML", "beta: [1", "is not valid YAML"],
  ];
  for (const [what, text, message] of wrong) {
    it(`is refused with ${what}`, async () => {
      const error = await failureOf(() => read(text));
      expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_CONFIG", 2]);
      expect(error.message).to.include("run.yaml").and.include(message);
    });
  }

  it("is refused when it is missing", async () => {
    const file = join(folder, "none.yaml");
    const error = await failureOf(() => readConfigFile({ file, schema: dpoOptions, command: "dpo" }));
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_FILE", 2]);
  });
});
