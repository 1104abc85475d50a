// Online DPO from rollouts to updates, through the public function.

import { expect } from "chai";
import { type Rollout, type RolloutPrompt, startsOf } from "../../lib/rollout/index.js";
import { type OnlineDpoOptions, onlineDpo } from "../../lib/train/index.js";
import { answerPairs } from "../../lib/train/online/answer-pairs.js";
import { answerRows } from "../../lib/train/online/policy-pass.js";
import { failureOf } from "../errors/expect-failure.js";
import { itIsAnOnlineTrainer } from "./online-invariants.js";
import { trainLines } from "./online-world.js";

describe("online dpo", () => {
  const { run, output } = itIsAnOnlineTrainer({
    start: (settings) => onlineDpo(settings as unknown as OnlineDpoOptions),
    learns: { beta: 0.1 },
  });

  for (const temperature of [1, 0.9])
    it(`begins at no margin at temperature ${temperature}: policy and reference are one`, async () => {
      await run("run", { temperature, maxSteps: 1 });
      const [line] = trainLines(output());
      expect(line?.["rewards/margins"]).to.equal(0);
      expect(line?.loss).to.be.closeTo(Math.log(2), 1e-6);
    });

  for (const loss of ["ipo", "hinge", "aot", "simpo", "sft"] as const)
    it(`learns by ${loss}`, async () => {
      const beta = loss === "sft" ? {} : { beta: 0.2 };
      await run("run", { loss, ...beta, epochs: 5, temperature: 1 });
      const lines = trainLines(output());
      expect(lines.length).to.equal(5);
      for (const { grad_norm: norm } of lines) expect(norm).to.be.above(0);
      const measured = lines[0] !== undefined && "objective/kl" in lines[0];
      expect(measured).to.equal(loss !== "simpo" && loss !== "sft");
    });

  it("takes no step where all answers score the same, and says so", async () => {
    await run("run", { maxSteps: 1, rewards: (samples: readonly unknown[]) => samples.map(() => 2) });
    const [line] = trainLines(output());
    expect(line).to.include({ "count/pairs": 0, "count/ties": 6, optimizer_steps: 0, loss: 0, tokens: 0 });
    expect(line).to.not.have.any.keys("rewards/margins", "entropy", "objective/scores_margin");
  });

  it("treats answers that did not end before it compares", async () => {
    await run("run", { maxSteps: 1, missingEos: "replace", stopOn: undefined });
    const [line] = trainLines(output());
    // Hardly an answer of this model ends: nearly all scores are the same.
    expect(line?.["count/ties"]).to.be.above(3);
  });

  it("refuses losses of rankings, and more minibatches than prompts", async () => {
    const refusal = async (settings: Record<string, unknown>) =>
      (await failureOf(() => run("run", settings))).message;
    expect(await refusal({ loss: "plackett-luce" })).to.include("sigmoid");
    expect(await refusal({ minibatches: 7 })).to.include("6 minibatches, the prompts");
    expect(await refusal({ labelSmoothing: 0.1, loss: "hinge" })).to.include("label-smoothing");
    expect(await refusal({ loss: "simpo", reference: "somewhere" })).to.include("reference");
  });
});

describe("pairs of a rollout's answers", () => {
  /** Two prompts of one token, with answers of as many tokens as there are numbers. */
  function made(temperature: number): Rollout {
    return {
      number: 0,
      seed: 0n,
      policyStep: 0,
      temperature,
      maxNewTokens: 3,
      samples: 3,
      promptRows: Int32Array.of(0, 1, 2),
      promptStarts: Int32Array.of(0, 1, 2, 3),
      promptTokens: Int32Array.of(100, 101, 102),
      starts: startsOf([1, 2, 1, 1, 1, 1, 1, 1, 1]),
      tokens: Int32Array.of(1, 2, 2, 3, 4, 5, 6, 7, 8, 9),
      finish: new Uint8Array(9).fill(1),
      logprobs: new Float32Array(10),
      referenceLogprobs: Float32Array.of(-1, -2, -3, -4, -5, -6, -7, -8, -9, -10),
      scores: new Float64Array(9),
      sources: [],
    };
  }
  const prompts = [0, 1, 2].map(
    (row): RolloutPrompt => ({
      ids: Int32Array.of(100 + row),
      content: "",
      metadata: {},
      place: `rows:${row}`,
      row,
    }),
  );
  const pairsOf = (scores: readonly number[], temperature = 1) => {
    const rollout = made(temperature);
    return answerPairs({ rollout, scores, data: answerRows(rollout, prompts) });
  };

  it("are the best and the worst answer, the first of equal ones, with the reference's sums", () => {
    const { rows, ties, unscored, margin } = pairsOf([0.5, 2, -1, 3, 3, 1, 7, 7, 7]);
    expect([rows.length, ties, unscored, margin]).to.deep.equal([2, 1, 0, 2.5]);
    const [first, second] = [rows.at(0), rows.at(1)];
    expect(first?.completions.map((ids) => [...ids])).to.deep.equal([[2, 2], [3]]);
    expect(first?.referenceLogps).to.deep.equal([-5, -4]);
    expect(second?.completions.map((ids) => [...ids])).to.deep.equal([[4], [6]]);
    expect([...(second?.prompt ?? [])]).to.deep.equal([101]);
  });

  it("leave answers without a score out", () => {
    const none = Number.NaN;
    const { rows, ties, unscored } = pairsOf([none, 2, 1, none, none, 1, none, 3, 3]);
    expect([rows.length, ties, unscored]).to.deep.equal([1, 1, 1]);
    expect(rows.at(0)?.completions.map((ids) => [...ids])).to.deep.equal([[2, 2], [3]]);
  });

  it("bring no log-probs of another temperature along", () => {
    expect(pairsOf([1, 2, 3, 0, 0, 0, 0, 0, 0], 0.9).rows.at(0)).to.not.have.property("referenceLogps");
  });
});
