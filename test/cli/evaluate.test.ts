// `attune evaluate` from end to end on tiny models: figures, files, generated answers, bounds, bad input.

import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { createEngine } from "../../lib/engine/index.js";
import { loadTokenizer } from "../../lib/text/index.js";
import { jsonLines, pairs, writeWorld } from "../evaluate/evaluation-world.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { type CommandLineOptions, commandLine } from "./command-line.js";

interface Figures {
  readonly kind: string;
  readonly rows: number;
  readonly scoredBy?: string;
  readonly judged: { readonly accuracy: number; readonly calibration: { readonly bins: readonly object[] } };
  readonly tokens: { readonly perplexity: number };
  readonly slices: Readonly<Record<string, Readonly<Record<string, { readonly rows: number }>>>>;
  readonly kl: { readonly kl: { readonly mean: number } };
  readonly sampledKl: { readonly mean: number };
  readonly winRate: {
    readonly winRate: number;
    readonly prompts: number;
    readonly ties: number;
    readonly ourMean: number;
    readonly theirMean: number;
  };
  readonly bestOf: { readonly single: { readonly mean: number }; readonly best: { readonly mean: number } };
}

describe("attune evaluate", () => {
  const at = suiteFolder();
  before(() => writeWorld(at()));

  const evaluate = (args: readonly string[], options: CommandLineOptions = {}) =>
    commandLine(["evaluate", "--data", at("pairs.jsonl"), "--token-cache", "off", ...args], options);
  const figuresOf = async (args: readonly string[]) => {
    const { code, stdout, stderr } = await evaluate([...args, "--json"]);
    expect(code, stderr).to.equal(0);
    return JSON.parse(stdout) as Figures;
  };
  const generated = ["--prompts", "3", "--max-new-tokens", "6", "--seed", "2"];

  it("shows a table of figures and a reliability curve for a reward model", async () => {
    const { code, stdout, stderr } = await evaluate(["--model", at("reward"), "--by", "source"]);
    expect(code, stderr).to.equal(0);
    for (const text of [
      "30 of 30 rows (preference)",
      "accuracy",
      "ECE",
      "by source",
      "human",
      "P(better) in",
      " % to 100.0 %",
    ])
      expect(stdout).to.include(text);
    expect(stderr).to.include("rows, scores: 30 of 30");
  });

  it("writes all figures and the scores of every row to files", async () => {
    const files = ["--output", at("figures.json"), "--rows-output", at("rows.jsonl")];
    const { code } = await evaluate(["--model", at("reward"), "--by", "source", "--bins", "4", ...files]);
    expect(code).to.equal(0);
    const figures = JSON.parse(readFileSync(at("figures.json"), "utf8")) as Figures;
    expect(figures.judged.calibration.bins).to.have.length(4);
    expect(figures.slices.source?.ai?.rows).to.equal(10);
    const rows = readFileSync(at("rows.jsonl"), "utf8").trimEnd().split("\n");
    expect(rows).to.have.length(30);
    expect(JSON.parse(rows[4] ?? "")).to.include({ line: 5, index: 4, label: 1 });
  });

  it("refuses an output that exists before it loads anything", async () => {
    writeFileSync(at("there.json"), "{}");
    const { code, stderr } = await evaluate(["--model", at("none"), "--output", at("there.json")]);
    expect(code).to.equal(2);
    expect(stderr).to.include("[ATTUNE_OUTPUT_EXISTS]");
  });

  it("measures a policy against its reference, KL included", async () => {
    const figures = await figuresOf(["--model", at("policy"), "--reference", at("reference"), "--kl"]);
    expect(figures).to.include({ kind: "policy", scoredBy: "implicit reward", rows: 30 });
    expect(figures.kl.kl.mean).to.be.above(0.1);
  });

  it("takes the model without its adapter as reference where that is named", async () => {
    const engine = await createEngine({ device: "cpu", threads: 1 });
    const fresh = await engine.loadModel(at("policy"), { adapter: { rank: 2 } });
    await fresh.save(at("adapter"));
    await engine.dispose();
    const models = ["--model", at("policy"), "--adapter", at("adapter"), "--reference", at("policy")];
    const figures = await figuresOf([...models, "--kl"]);
    expect(figures.kl.kl.mean).to.equal(0);
  });

  it("has the perplexity of texts", async () => {
    const texts = pairs.map(({ prompt, chosen }) => ({ text: prompt + chosen }));
    writeFileSync(at("texts.jsonl"), jsonLines(texts));
    const args = ["evaluate", "--data", at("texts.jsonl"), "--model", at("policy"), "--json"];
    const { stdout, code } = await commandLine([...args, "--token-cache", "off"]);
    expect(code).to.equal(0);
    expect((JSON.parse(stdout) as Figures).tokens.perplexity).to.be.within(100, 1000);
  });

  it("ties with itself on every prompt, and wins against answers that score less", async () => {
    const judge = ["--model", at("policy"), "--reward-model", at("reward"), ...generated];
    const { winRate } = await figuresOf([...judge, "--win-rate-against", at("policy")]);
    expect(winRate).to.include({ winRate: 0.5, prompts: 3, ties: 3 });
    const against = await figuresOf([...judge, "--win-rate-against", "answers"]);
    expect(against.winRate.ourMean).to.equal(winRate.ourMean);
    expect(against.winRate.ties).to.equal(0);
  });

  it("has models of other tokenizers read the text", async () => {
    writeWorld(at("other"));
    // The same tokens under another file: hashes differ, so ids are not passed on.
    const tokenizer = JSON.parse(readFileSync(at("other", "reward", "tokenizer.json"), "utf8")) as object;
    writeFileSync(
      at("other", "reward", "tokenizer.json"),
      JSON.stringify({ ...tokenizer, truncation: null, note: 1 }),
    );
    const hashes = [at("reward"), at("other", "reward")].map(
      async (path) => (await loadTokenizer({ path })).hash,
    );
    expect(new Set(await Promise.all(hashes))).to.have.length(2);
    const judge = ["--model", at("policy"), "--win-rate-against", "answers", ...generated];
    const byIds = await figuresOf([...judge, "--reward-model", at("reward")]);
    const byText = await figuresOf([...judge, "--reward-model", at("other", "reward")]);
    expect(byText.winRate.theirMean).to.equal(byIds.winRate.theirMean);
  });

  it("gives the best of several answers a higher score than one", async () => {
    const judge = ["--model", at("policy"), "--reward-model", at("reward"), ...generated];
    const { bestOf } = await figuresOf([...judge, "--best-of", "4", "--samples", "6"]);
    expect(bestOf.best.mean).to.be.above(bestOf.single.mean);
  });

  it("measures KL on fresh answers", async () => {
    const fresh = ["--model", at("policy"), "--reference", at("policy"), "--kl-prompts", "3", ...generated];
    expect((await figuresOf(fresh)).sampledKl.mean).to.be.closeTo(0, 1e-6);
  });

  it("fits a bound, then scores by it and judges answers by it", async () => {
    const fit = await evaluate([
      "--model",
      at("reward"),
      "--fit-bound",
      at("bound.json"),
      "--ridge",
      "0.001",
    ]);
    expect(fit.code, fit.stderr).to.equal(0);
    expect(fit.stdout).to.match(/^bound of 30 judgements in 32 dimensions: .*kappa/);
    const bound = ["--bound", at("bound.json"), "--confidence", "mean"];
    const figures = await figuresOf(["--model", at("reward"), ...bound]);
    expect(figures).to.have.nested.property("bound.uncertainty/coverage");
    expect(figures.judged.accuracy).to.be.above(0.9);
    const judge = ["--model", at("policy"), "--reward-model", at("reward"), "--best-of", "2", ...generated];
    const lower = await figuresOf([...judge, "--reward-bound", at("bound.json")]);
    const mean = await figuresOf([...judge, "--reward-bound", at("bound.json"), "--confidence", "mean"]);
    expect(lower.bestOf.single.mean).to.be.below(mean.bestOf.single.mean);
  });

  for (const [what, args, text] of [
    [
      "a policy as judge",
      ["--model", "policy", "--reward-model", "reference", "--best-of", "2"],
      "ATTUNE_MODEL",
    ],
    [
      "a reward model as writer",
      ["--model", "reward", "--reward-model", "reward", "--best-of", "2"],
      "--model",
    ],
    [
      "a win rate without a judge",
      ["--model", "policy", "--win-rate-against", "reference"],
      "--reward-model",
    ],
    ["a judge of nothing", ["--model", "policy", "--reward-model", "reward"], "--best-of"],
    ["KL prompts without a reference", ["--model", "policy", "--kl-prompts", "3"], "--reference"],
    [
      "a kappa that is no number",
      ["--model", "reward", "--fit-bound", "new.json", "--kappa", "big"],
      "--kappa",
    ],
    [
      "a policy as judge, by its flag",
      ["--model", "policy", "--reward-model", "reference", "--best-of", "2"],
      "Expected --reward-model to be a reward model",
    ],
    [
      "figures of a bound that is fitted",
      ["--model", "reward", "--fit-bound", "new.json", "--output", "figures-of-none.json"],
      "received --output too",
    ],
    [
      "KL while a bound is fitted",
      ["--model", "policy", "--fit-bound", "new.json", "--kl"],
      "received --kl too",
    ],
    ["what belongs to a fit without one", ["--model", "reward", "--project", "8"], "--fit-bound beside"],
    [
      "heads beside a bound of the judge",
      [
        ...["--model", "policy", "--reward-model", "reward", "--best-of", "2"],
        ...["--reward-bound", "new.json", "--aggregate", "min"],
      ],
      "received both",
    ],
    [
      "one file for figures and rows",
      ["--model", "reward", "--output", "new.json", "--rows-output", "new.json"],
      "two files",
    ],
    ["a column that no row has", ["--model", "reward", "--by", "sorce"], 'Did you mean "source"?'],
    ["a reward model as reference", ["--model", "policy", "--reference", "reward"], "is a reward model"],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const inFolder = args.map((arg) =>
        ["policy", "reference", "reward", "new.json"].includes(arg) ? at(arg) : arg,
      );
      const { code, stdout, stderr } = await evaluate(inFolder);
      expect([code, stdout]).to.deep.equal([2, ""]);
      expect(stderr).to.include(text);
      expect(existsSync(at("new.json"))).to.equal(false);
    });
  }

  it("refuses a reference of another vocabulary, naming both", async () => {
    writeTinyModel({ folder: at("wider"), vocabularySize: 300 });
    copyFileSync(at("policy", "tokenizer.json"), at("wider", "tokenizer.json"));
    const { code, stderr } = await evaluate(["--model", at("policy"), "--reference", at("wider")]);
    expect(code).to.equal(2);
    expect(stderr).to.include("259 tokens").and.to.include("has 300");
  });

  it("refuses a reference whose ids are other tokens, naming one", async () => {
    writeTinyModel({ folder: at("swapped"), seed: 5 });
    const file = at("swapped", "tokenizer.json");
    const tokenizer = JSON.parse(readFileSync(file, "utf8")) as { model: { vocab: Record<string, number> } };
    const vocab = { ...tokenizer.model.vocab, A: 66, B: 65 };
    writeFileSync(file, JSON.stringify({ ...tokenizer, model: { ...tokenizer.model, vocab } }));
    const { code, stderr } = await evaluate(["--model", at("policy"), "--reference", at("swapped")]);
    expect(code, stderr).to.equal(2);
    expect(stderr).to.include('token 65 is "A" to the model and "B" to ');
  });

  it("names file and line of rows that cannot be measured", async () => {
    writeFileSync(at("prompts.jsonl"), jsonLines([{ prompt: "What are eggs?" }]));
    const args = ["evaluate", "--data", at("prompts.jsonl"), "--token-cache", "off", "--model", at("reward")];
    const { code, stderr } = await commandLine(args, {});
    expect(code, stderr).to.equal(2);
    expect(stderr).to.include("prompts.jsonl:1: expected").and.include("found prompt-only rows");
  });

  it("ends with 130 after Ctrl-C and leaves no file", async () => {
    const args = ["--model", at("reward"), "--micro-batch-tokens", "30", "--output", at("cut.json")];
    const { code } = await evaluate(args, { isTTY: true, onProgress: (_, interrupt) => interrupt() });
    expect(code).to.equal(130);
    expect(existsSync(at("cut.json"))).to.equal(false);
  });
});
