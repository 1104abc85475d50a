// How far a policy is from its reference: exact sums on rows against the engine's values, and samples against the exact.

import { expect } from "chai";
import { type PackableRow, packRows } from "../../lib/data/index.js";
import { createEngine, type Engine, type Model } from "../../lib/engine/index.js";
import { klOnSamples, klToReference } from "../../lib/evaluate/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { someIds } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

/** Three completions of which one row has two; the last row is long. */
const rows: PackableRow[] = [
  { prompt: someIds(4, 1), completions: [someIds(3, 2), someIds(6, 3)] },
  { prompt: someIds(2, 4), completions: [someIds(5, 5)], masks: [Uint8Array.of(1, 0, 1, 0, 1)] },
  { prompt: someIds(9, 6), completions: [someIds(30, 7)] },
];
const tokens = 3 + 6 + 3 + 30;
const prompts = rows.map(({ prompt }) => prompt);

describe("KL to a reference", () => {
  const at = suiteFolder();
  let engine: Engine;
  let policy: Model;
  let reference: Model;
  before(async () => {
    writeTinyModel({ folder: at("policy"), seed: 1 });
    writeTinyModel({ folder: at("reference"), seed: 2 });
    engine = await createEngine({ threads: 2 });
    policy = await engine.loadModel(at("policy"));
    reference = await engine.loadModel(at("reference"));
  });
  after(() => engine?.dispose());

  describe("on rows", () => {
    it("sums the tokens of every completion, masked ones not, and means them", async () => {
      const { kl, reverseKl } = await policy.kl(packRows({ data: rows, rows: [0, 1, 2] }), reference);
      const result = await klToReference({ policy, reference, rows });
      expect(result).to.include({ answers: 4, tokens });
      const sum = (values: Float32Array, first: number, end: number) =>
        values.slice(first, end).reduce((total, value) => total + value, 0);
      for (const [values, found] of [
        [kl, result.kl],
        [reverseKl, result.reverseKl],
      ] as const) {
        const sums = [sum(values, 0, 3), sum(values, 3, 9), sum(values, 9, 12), sum(values, 12, 42)];
        const total = sums.reduce((a, b) => a + b, 0);
        for (const [i, own] of sums.entries()) expect(found.answers[i]).to.be.closeTo(own, 1e-9);
        expect(found.mean).to.be.closeTo(total / 4, 1e-9);
        expect(found.perToken).to.be.closeTo(total / tokens, 1e-9);
        const squares = sums.reduce((a, b) => a + (b - total / 4) ** 2, 0);
        expect(found.standardError).to.be.closeTo(Math.sqrt(squares / 3 / 4), 1e-9);
      }
    });

    it("does not depend on the micro-batch, and keeps the order of rows", async () => {
      const large = await klToReference({ policy, reference, rows });
      const small = await klToReference({ policy, reference, rows, microBatchTokens: 8 });
      expect(small).to.deep.equal(large);
    });

    it("of more rows than are packed at once has them all, in order", async () => {
      const many = Array.from(
        { length: 300 },
        (_, i) => rows[i % 2] ?? { prompt: prompts[0], completions: [] },
      );
      const result = await klToReference({ policy, reference, rows: many as PackableRow[] });
      const three = await klToReference({ policy, reference, rows: rows.slice(0, 2) });
      expect(result.answers).to.equal(450);
      expect(Array.from(result.kl.answers.slice(447))).to.deep.equal(Array.from(three.kl.answers));
    });

    it("tells its progress to the end", async () => {
      const told: number[] = [];
      await klToReference({ policy, reference, rows, onProgress: (fraction) => told.push(fraction) });
      expect(told.at(-1)).to.equal(1);
    });

    it("refuses to mean nothing", () =>
      expectFailure(
        () => klToReference({ policy, reference, rows: [] }),
        "ATTUNE_NO_ROWS",
        "at least one row",
      ));

    it("refuses rows of which no token counts", () => {
      const silent = [{ prompt: someIds(3, 1), completions: [someIds(2, 2)], masks: [Uint8Array.of(0, 0)] }];
      return expectFailure(
        () => klToReference({ policy, reference, rows: silent }),
        "ATTUNE_NO_ROWS",
        "no token of them counts",
      );
    });

    it("rejects with the reason of its signal", async () => {
      const controller = new AbortController();
      controller.abort(new Error("enough"));
      const { signal } = controller;
      const reason = await klToReference({ policy, reference, rows, signal }).catch((error) => error);
      expect(reason).to.have.property("message", "enough");
    });
  });

  describe("on samples", () => {
    const one = { maxNewTokens: 1, stopTokens: [], samples: 1600, batchSize: 256 };

    it("of one token is the exact KL of the next token, within four standard errors", async () => {
      const next = prompts.map((prompt) => ({ prompt, completions: [Int32Array.of(0)] }));
      const exact = await klToReference({ policy, reference, rows: next });
      for (const [i, prompt] of prompts.entries()) {
        const sampled = await klOnSamples({ policy, reference, prompts: [prompt], seed: 5, ...one });
        const spread = Math.sqrt(variance(sampled.answers) / 1600);
        expect(sampled.answers).to.have.lengthOf(1600);
        expect(Math.abs(sampled.mean - (exact.kl.answers[i] ?? Number.NaN))).to.be.below(4 * spread);
        expect(4 * spread).to.be.below(0.5 * sampled.mean);
      }
    });

    it("counts prompts, not samples, as independent", async () => {
      const sampled = await klOnSamples({ policy, reference, prompts, seed: 5, ...one });
      const means = prompts.map((_, i) => mean(sampled.answers.slice(1600 * i, 1600 * (i + 1))));
      expect(sampled.mean).to.be.closeTo(mean(means), 1e-12);
      expect(sampled.standardError).to.be.closeTo(Math.sqrt(variance(means) / 3), 1e-12);
    });

    it("is the policy's log-probs less the reference's, summed over each answer", async () => {
      const options = { maxNewTokens: 6, temperature: 0.7, samples: 2, seed: 3, stopTokens: [10] };
      const sampled = await klOnSamples({ policy, reference, prompts, ...options });
      const answers = await policy.complete(prompts, options);
      const data = prompts.map((prompt, i) => ({
        prompt,
        completions: answers.slice(2 * i, 2 * i + 2).map(({ ids }) => ids),
      }));
      const batch = packRows({ data, rows: [0, 1, 2] });
      const [p, q] = [policy, reference].map((model) => model.forward(batch, { temperature: 0.7 }));
      const [lp, lq] = [(await p)?.logprobs ?? [], (await q)?.logprobs ?? []];
      let target = 0;
      for (const [i, { ids }] of answers.entries()) {
        let sum = 0;
        for (const _ of ids) {
          sum += (lp[target] ?? Number.NaN) - (lq[target] ?? Number.NaN);
          target += 1;
        }
        expect(sampled.answers[i]).to.be.closeTo(sum, 1e-9);
      }
      expect(sampled.meanLength).to.be.closeTo(target / 6, 1e-12);
      expect(sampled.perToken).to.be.closeTo((6 * sampled.mean) / target, 1e-12);
    });

    it("of a policy that is its reference is exactly 0", async () => {
      const sampled = await klOnSamples({ policy, reference: policy, prompts, maxNewTokens: 5, seed: 1 });
      expect(Array.from(sampled.answers)).to.deep.equal([0, 0, 0]);
    });

    it("does not depend on how many are decoded at once or scored together", async () => {
      const options = { policy, reference, prompts, maxNewTokens: 5, samples: 3, seed: 2 };
      const large = await klOnSamples(options);
      const small = await klOnSamples({ ...options, batchSize: 2, microBatchTokens: 8 });
      expect(small).to.deep.equal(large);
    });

    it("tells its progress to the end", async () => {
      const told: number[] = [];
      const onProgress = (fraction: number) => told.push(fraction);
      await klOnSamples({ policy, reference, prompts, maxNewTokens: 2, onProgress });
      expect(told).to.deep.equal([...told].sort((a, b) => a - b));
      expect(told.at(-1)).to.equal(1);
    });

    it("refuses greedy answers", () =>
      expectFailure(
        () => klOnSamples({ policy, reference, prompts, temperature: 0 }),
        "ATTUNE_OPTION",
        "temperature above 0",
      ));
  });
});

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values: ArrayLike<number>): number {
  const centre = mean(values);
  return (mean(Array.from(values, (value) => (value - centre) ** 2)) * values.length) / (values.length - 1);
}
