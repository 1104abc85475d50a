// Frequencies of drawn tokens against the probabilities that the trainer's logits give: Pearson's chi-square.
// The seed is fixed, so that the tests repeat themselves.

import { expect } from "chai";
import { packRows } from "../../lib/data/index.js";
import { createEngine, type Engine, type Model, type SamplingOptions } from "../../lib/engine/index.js";
import { sampleAll } from "../support/sample-all.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const prompt = Int32Array.of(7, 99, 3, 250);
const DRAWS = 20_000;
const VOCABULARY = 24;

describe("frequencies of drawn tokens", () => {
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  let logits: readonly number[];
  before(async () => {
    engine = await createEngine({ device: "cpu", threads: 2 });
    writeTinyModel({ folder: at("tiny"), deviation: 0.3 });
    model = await engine.loadModel(at("tiny"));
    const batch = packRows({ data: [{ prompt, completions: [Int32Array.of(0)] }], rows: [0] });
    logits = [...((await model.forward(batch, { logits: true })).logits ?? [])].slice(0, VOCABULARY);
  });
  after(() => engine.dispose());

  const softmax = (values: readonly number[]) => {
    const powers = values.map((value) => Math.exp(value - Math.max(...values)));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  };

  async function frequencies(options: SamplingOptions): Promise<number[]> {
    const counts = Array<number>(VOCABULARY).fill(0);
    const { sequences } = await sampleAll({
      model,
      prompts: [prompt],
      options: {
        ...options,
        maxNewTokens: 1,
        samples: DRAWS,
        batchSize: 2048,
        stopTokens: [],
        vocabulary: VOCABULARY,
      },
    });
    for (const { tokens } of sequences) counts[tokens[0] ?? -1] = (counts[tokens[0] ?? -1] ?? 0) + 1;
    return counts;
  }

  /** Expected counts below 5 are gathered in one class. */
  function chiSquare(counts: readonly number[], probabilities: readonly number[]) {
    const classes: [number, number][] = [];
    const rare: [number, number] = [0, 0];
    for (const [v, count] of counts.entries()) {
      const expected = DRAWS * (probabilities[v] ?? 0);
      if (expected === 0 && count > 0) return { statistic: Number.POSITIVE_INFINITY, freedom: 1 };
      if (expected >= 5) classes.push([count, expected]);
      else {
        rare[0] += count;
        rare[1] += expected;
      }
    }
    if (rare[1] > 1) classes.push(rare);
    const statistic = classes.reduce((sum, [count, expected]) => sum + (count - expected) ** 2 / expected, 0);
    return { statistic, freedom: classes.length - 1 };
  }

  /** Mean plus five deviations of the chi-square distribution. */
  const bar = (freedom: number) => freedom + 5 * Math.sqrt(2 * freedom);

  for (const temperature of [1, 0.5, 2]) {
    it(`are the model's probabilities at temperature ${temperature}`, async () => {
      const wanted = softmax(logits.map((logit) => logit / temperature));
      const { statistic, freedom } = chiSquare(await frequencies({ temperature }), wanted);
      expect(freedom).to.be.above(5);
      expect(statistic).to.be.below(bar(freedom));
    });
  }

  it("are those of the ten likeliest with top-k 10", async () => {
    const least = [...logits].sort((a, b) => b - a)[9] ?? 0;
    const wanted = softmax(logits.map((logit) => (logit >= least ? logit : Number.NEGATIVE_INFINITY)));
    const { statistic, freedom } = chiSquare(await frequencies({ topK: 10 }), wanted);
    expect(statistic).to.be.below(bar(freedom));
  });

  it("would show probabilities that are off by a tenth each", async () => {
    const wanted = softmax(logits.map((logit, v) => logit + (v % 2 === 0 ? 0.1 : -0.1)));
    const { statistic, freedom } = chiSquare(await frequencies({}), wanted);
    expect(statistic).to.be.above(bar(freedom));
  });
});
