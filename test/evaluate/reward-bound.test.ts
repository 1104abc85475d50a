import { writeFileSync } from "node:fs";
import { expect } from "chai";
import { createEngine, type Engine, type Model } from "../../lib/engine/index.js";
import {
  boundCoverage,
  boundScores,
  boundText,
  type EvaluationRows,
  evaluateModel,
  fitRewardBound,
  openEvaluationRows,
  type PairMetrics,
  type RewardBound,
  readBound,
} from "../../lib/evaluate/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { pairs, writeWorld } from "./evaluation-world.js";

describe("the linear bound on a model's states", () => {
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  let rows: EvaluationRows;
  let bound: RewardBound;
  before(async () => {
    writeWorld(at());
    engine = await createEngine({ device: "cpu", threads: 2 });
    model = await engine.loadModel(at("reward"));
    rows = await open(pairs);
    bound = await fitRewardBound({ model, rows, ridge: 0.001 });
  });
  after(() => engine.dispose());

  const open = async (data: readonly object[]) =>
    openEvaluationRows({ data, tokenizer: await model.tokenizer(), scored: true });

  it("learns what the judgements say", async () => {
    const { metrics } = await evaluateModel({ model, rows, bound, confidence: "mean" });
    expect((metrics.judged as PairMetrics).accuracy).to.be.above(0.9);
  });

  it("scores the better answers 0 on average", async () => {
    const all = await boundScores({ model, rows, bound });
    const scores = all.filter((_, row) => pairs[row]?.label !== 0.5);
    const mean =
      scores.reduce((sum, { answers: [chosen] }) => sum + (chosen?.mean ?? Number.NaN), 0) / scores.length;
    expect(scores.length).to.be.below(all.length);
    expect(mean).to.be.closeTo(0, 1e-9);
  });

  it("takes no side of a tie for the better one", async () => {
    const ties = pairs.slice(0, 3).map((pair) => ({ ...pair, label: 0.5 }));
    const turned = ties.map(({ chosen, rejected, ...rest }) => ({
      ...rest,
      chosen: rejected,
      rejected: chosen,
    }));
    const references: Float64Array[] = [];
    for (const some of [ties, turned])
      references.push(
        (await fitRewardBound({ model, rows: await open([...pairs.slice(3), ...some]) })).reference,
      );
    const [first = new Float64Array(0), second] = references;
    for (const [i, value] of first.entries()) expect(second?.[i]).to.be.closeTo(value, 1e-12);
  });

  it("is less sure of an answer unlike any that was judged", async () => {
    const [known] = await boundScores({ model, rows, bound });
    const strange = await open([{ prompt: "ZZZZ", completion: "\u00ff\u00fe qqqqqqqqqqqqqqqq 0000" }]);
    const [unknown] = await boundScores({ model, rows: strange, bound });
    expect(unknown?.answers[0]?.width).to.be.above(known?.answers[0]?.width ?? Number.POSITIVE_INFINITY);
  });

  it("holds on the pairs whose scores are further apart than its width", async () => {
    const { coverage } = await evaluateModel({ model, rows, bound });
    expect(coverage?.["uncertainty/certain"]).to.be.within(0.1, 1);
    expect(coverage?.["uncertainty/coverage"]).to.be.above(0.9);
  });

  it("counts pairs surer than their width, right ones among them, and no ties", () => {
    const pair = (mean: number, label: number) => ({ label, difference: { mean, width: 1 } });
    const coverage = boundCoverage([pair(2, 1), pair(-2, 1), pair(-3, 0), pair(0.5, 1), pair(9, 0.5)]);
    expect(coverage).to.deep.equal({
      "uncertainty/width": 1,
      "uncertainty/coverage": 2 / 3,
      "uncertainty/certain": 3 / 4,
    });
  });

  it("comes back from its file with the same scores, bit for bit", async () => {
    writeFileSync(at("bound.json"), boundText(bound));
    const read = await readBound(at("bound.json"));
    expect(await boundScores({ model, rows, bound: read })).to.deep.equal(
      await boundScores({ model, rows, bound }),
    );
    expect(boundText(read)).to.equal(boundText(bound));
  });

  it("comes back from its file with its projection", async () => {
    const projected = await fitRewardBound({ model, rows, project: 8, seed: 3 });
    writeFileSync(at("projected.json"), boundText(projected));
    const read = await readBound(at("projected.json"));
    expect(read.features.size).to.equal(8);
    expect(await boundScores({ model, rows, bound: read })).to.deep.equal(
      await boundScores({ model, rows, bound: projected }),
    );
  });

  it("is the same for the same seed, and calibrated otherwise for another", async () => {
    const again = await fitRewardBound({ model, rows, ridge: 0.001 });
    const other = await fitRewardBound({ model, rows, ridge: 0.001, seed: 9 });
    expect(boundText(again)).to.equal(boundText(bound));
    expect(other.bound.kappa).to.not.equal(bound.bound.kappa);
  });

  it("refuses another model than it was fitted on", async () => {
    const other = await engine.loadModel(at("policy"));
    await expectFailure(() => boundScores({ model: other, rows, bound }), "ATTUNE_MODEL", "Fit it anew");
    await other.dispose();
  });

  it("refuses a damaged file, saying what is wrong", async () => {
    const content = JSON.parse(boundText(bound)) as Record<string, unknown>;
    writeFileSync(at("damaged.json"), JSON.stringify({ ...content, theta: "AAAA" }));
    await expectFailure(() => readBound(at("damaged.json")), "ATTUNE_FORMAT", '"theta" has');
    writeFileSync(at("other.json"), "{}");
    await expectFailure(() => readBound(at("other.json")), "ATTUNE_FORMAT", '"format" is no text');
    await expectFailure(() => readBound(at("none.json")), "ATTUNE_FILE", "none.json");
  });

  for (const [name, value, text] of [
    ["kappa", -1, '"kappa" is -1, which is below 0'],
    ["scale", 0, '"scale" is 0, which is not above 0'],
    ["factor", "", "on its diagonal"],
  ] as const)
    it(`refuses a ${name} that would give scores of nothing`, async () => {
      const content = JSON.parse(boundText(bound)) as Record<string, unknown>;
      const zeros = Buffer.alloc(Buffer.from(String(content.factor), "base64").length).toString("base64");
      writeFileSync(at("wrong.json"), JSON.stringify({ ...content, [name]: value === "" ? zeros : value }));
      await expectFailure(() => readBound(at("wrong.json")), "ATTUNE_FORMAT", text);
    });

  it("refuses judgements that would make it sure of everything", async () => {
    const ties = await open(pairs.map((pair) => ({ ...pair, label: 0.5 })));
    await expectFailure(() => fitRewardBound({ model, rows: ties }), "ATTUNE_DATA", "all are ties");
    const one = await open(pairs.slice(0, 1));
    await expectFailure(() => fitRewardBound({ model, rows: one }), "ATTUNE_DATA", "two or more prompts");
    const given = await fitRewardBound({ model, rows: one, kappa: 2 });
    expect(given.bound.kappa).to.equal(2);
  });

  it("refuses rows that compare nothing", async () => {
    const single = await open([{ prompt: "a", completion: "b" }]);
    await expectFailure(
      () => fitRewardBound({ model, rows: single }),
      "ATTUNE_DATA",
      "Expected pairs or rankings",
    );
  });

  it("learns from rankings and from best-of rows", async () => {
    const rankings = pairs.map(({ prompt, chosen, rejected }) => ({
      prompt,
      completions: [rejected, chosen, " Nothing."],
      ranks: [3, 1, 2],
    }));
    const ranked = await open(rankings);
    const fit = await fitRewardBound({ model, rows: ranked, ridge: 0.001 });
    const evaluation = await evaluateModel({ model, rows: ranked, bound: fit, confidence: "mean" });
    expect((evaluation.metrics.judged as PairMetrics).accuracy).to.be.above(0.8);
    const best = await open(rankings.map(({ prompt, completions }) => ({ prompt, completions, best: 1 })));
    const ofBest = await fitRewardBound({ model, rows: best, ridge: 0.001 });
    const judged = await evaluateModel({ model, rows: best, bound: ofBest, confidence: "mean" });
    expect((judged.metrics.judged as PairMetrics).accuracy).to.be.above(0.8);
  });
});
