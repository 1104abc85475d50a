// What a generation promises beside its bits: counts, ends, admission, cancelling, disposal, options.

import { expect } from "chai";
import { createEngine, type Engine, type Model, type SamplingOptions } from "../../lib/engine/index.js";
import { requireGenerationMemory } from "../../lib/engine/memory.js";
import { failureOf } from "../errors/expect-failure.js";
import { addStep, emptySequences, promptsOf, sampleAll } from "../support/sample-all.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const prompts = promptsOf([5, 9, 2]);

describe("a generation", () => {
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  before(async () => {
    engine = await createEngine({ device: "cpu", threads: 2 });
    writeTinyModel({ folder: at("tiny"), maxPositions: 64 });
    writeTinyModel({ folder: at("reward"), kind: "reward" });
    model = await engine.loadModel(at("tiny"));
  });
  after(() => engine.dispose());

  const sample = (options: SamplingOptions, given = prompts) => sampleAll({ model, prompts: given, options });

  it("puts each prompt and each new token but the last through the layers once", async () => {
    const { trunkRows, sequences } = await sample({ samples: 4, maxNewTokens: 6, stopTokens: [] });
    expect(sequences.map(({ tokens }) => tokens.length)).to.deep.equal(Array(12).fill(6));
    expect(trunkRows).to.equal(5 + 9 + 2 + 12 * 5);
  });

  it("reads the weights once per prefill and once per decode step at a batch of 32", async () => {
    const { weightPasses, steps } = await sample(
      { samples: 32, maxNewTokens: 6, stopTokens: [] },
      promptsOf([7]),
    );
    expect(steps).to.equal(6);
    expect(weightPasses).to.equal(1 + 5);
  });

  it("computes a prompt once though its samples are admitted one by one", async () => {
    const { trunkRows, steps } = await sample({ samples: 3, batchSize: 1, maxNewTokens: 4, stopTokens: [] });
    expect(trunkRows).to.equal(5 + 9 + 2 + 9 * 3);
    expect(steps).to.equal(9 * 4);
  });

  it("cuts long prefills into passes of about 2048 rows", async () => {
    const many = promptsOf(Array(100).fill(60));
    const { weightPasses, trunkRows } = await sample(
      { maxNewTokens: 1, batchSize: 100, stopTokens: [] },
      many,
    );
    expect(trunkRows).to.equal(6000);
    expect(weightPasses).to.equal(3);
  });

  it("ends a sequence with its stop token as the last one", async () => {
    const free = await sample({ maxNewTokens: 12, stopTokens: [], seed: 3 });
    const [first] = free.sequences;
    const stop = first?.tokens[4] ?? -1;
    const { sequences } = await sample({ maxNewTokens: 12, stopTokens: [stop], seed: 3 });
    const end = (first?.tokens.indexOf(stop) ?? 0) + 1;
    expect(sequences[0]?.tokens).to.deep.equal(first?.tokens.slice(0, end));
    expect(sequences[0]?.finished).to.equal(1);
  });

  it("says that a sequence ended by its length, or at the model's last position", async () => {
    const { sequences } = await sample({ maxNewTokens: 20, stopTokens: [] }, promptsOf([5, 60, 63]));
    expect(sequences.map(({ tokens, finished }) => [tokens.length, finished])).to.deep.equal([
      [20, 2],
      [4, 3],
      [1, 3],
    ]);
  });

  it("stops at the tokenizer's EOS ids by default", async () => {
    const { sequences } = await sample({ maxNewTokens: 50, samples: 200 }, promptsOf([4]));
    const ended = sequences.filter(({ finished }) => finished === 1);
    expect(ended.length).to.be.above(0);
    for (const { tokens } of sequences) expect(tokens.slice(0, -1)).to.not.include(256);
    for (const { tokens } of ended) expect(tokens.at(-1)).to.equal(256);
  });

  it("draws no id beyond the given vocabulary", async () => {
    const { sequences } = await sample({ maxNewTokens: 40, samples: 20, vocabulary: 10, stopTokens: [] });
    for (const { tokens } of sequences) expect(Math.max(...tokens)).to.be.below(10);
  });

  it("takes the likeliest token at temperature 0", async () => {
    const { sequences } = await sample({ maxNewTokens: 8, temperature: 0, stopTokens: [] });
    for (const [row, { tokens, logprobs, modelLogprobs }] of sequences.entries()) {
      const ids = [...(prompts[row] ?? []), ...tokens];
      const { argmax } = await model.forward({
        tokens: Int32Array.from(ids.slice(0, -1)),
        positions: Int32Array.from(ids.slice(0, -1), (_, i) => i),
        segments: Int32Array.of(0, ids.length - 1, -1),
        targets: Int32Array.from(tokens.flatMap((token, i) => [(prompts[row]?.length ?? 0) - 1 + i, token])),
        completions: Int32Array.of(0, tokens.length),
        groups: Int32Array.of(0, 1),
        rows: Int32Array.of(0),
        counts: { tokens: ids.length, tokensComputed: ids.length - 1, targets: tokens.length },
      });
      expect(tokens).to.deep.equal([...argmax]);
      expect(logprobs).to.deep.equal(modelLogprobs);
    }
  });

  it("repeats itself with the same seed and differs with another seed or step", async () => {
    const tokens = async (options: SamplingOptions) =>
      (await sample({ maxNewTokens: 10, stopTokens: [], ...options })).sequences.map((one) => one.tokens);
    const first = await tokens({ seed: 7n });
    expect(await tokens({ seed: 7 })).to.deep.equal(first);
    expect(await tokens({ seed: 8 })).to.not.deep.equal(first);
    expect(await tokens({ seed: 7, step: 1 })).to.not.deep.equal(first);
    expect(await tokens({ seed: 2n ** 64n - 1n })).to.not.deep.equal(first);
  });

  it("repeats a token less often under a repetition penalty", async () => {
    const repeats = async (repetitionPenalty: number) => {
      const { sequences } = await sample({
        maxNewTokens: 40,
        temperature: 0,
        repetitionPenalty,
        stopTokens: [],
      });
      return sequences.reduce((sum, { tokens }) => sum + tokens.length - new Set(tokens).size, 0);
    };
    expect(await repeats(2)).to.be.below(await repeats(1));
  });

  it("draws nothing more for a sequence that was finished, admitted or waiting", async () => {
    const { sequences } = await sampleAll({
      model,
      prompts,
      options: { maxNewTokens: 8, batchSize: 2, stopTokens: [] },
      beforeStep: async (step, generation) => {
        if (step !== 3) return;
        generation.finish(0);
        generation.finish(2);
        generation.finish(2);
      },
    });
    expect(sequences.map(({ tokens }) => tokens.length)).to.deep.equal([3, 8, 0]);
  });

  it("goes on as if nothing had happened after a step that was cancelled", async () => {
    const options = { maxNewTokens: 12, stopTokens: [], samples: 3 };
    const whole = await sample(options);
    const generation = await model.startGeneration(prompts, options);
    const sequences = emptySequences(9);
    let cancelled = 0;
    for (let step = 0; ; step++) {
      const controller = new AbortController();
      const pending = generation.next({ signal: controller.signal });
      if (step % 4 === 0) controller.abort();
      if (step % 4 === 2) setImmediate(() => controller.abort());
      try {
        const decoded = await pending;
        if (decoded === undefined) break;
        addStep(sequences, decoded);
      } catch (error) {
        expect(error).to.equal(controller.signal.reason);
        cancelled += 1;
      }
    }
    await generation.dispose();
    expect(sequences).to.deep.equal(whole.sequences);
    expect(cancelled).to.be.above(0);
  });

  it("lets two generations of one model take turns", async () => {
    const options = { maxNewTokens: 10, stopTokens: [] };
    const alone = await sample(options);
    const [one, two] = await Promise.all([sample(options), sample({ ...options, samples: 2 })]);
    expect(one.sequences).to.deep.equal(alone.sequences);
    expect(two.sequences.length).to.equal(6);
  });

  it("is over at once without prompts", async () => {
    expect((await sample({ stopTokens: [] }, [])).steps).to.equal(0);
  });

  it("refuses to go on after its disposal, and after its model's", async () => {
    const generation = await model.startGeneration(prompts);
    await generation.dispose();
    expect((await failureOf(() => generation.next())).code).to.equal("ATTUNE_DISPOSED");
    const other = await engine.loadModel(at("tiny"));
    const orphan = await other.startGeneration(prompts);
    await orphan.next();
    await other.dispose();
    expect((await failureOf(() => orphan.next())).code).to.equal("ATTUNE_DISPOSED");
    await orphan.dispose();
  });

  it("is disposed without complaint after its engine, also by a loop that is left", async () => {
    const own = await createEngine({ threads: 1 });
    const other = await own.loadModel(at("tiny"));
    const orphan = await other.startGeneration(prompts);
    for await (const _ of other.generate("One", { stopTokens: [] })) {
      await own.dispose();
      break;
    }
    await orphan.dispose();
  });

  it("plans memory for the sequences there are, however large batchSize is", async () => {
    const most = { maxNewTokens: 3, stopTokens: [], batchSize: 2 ** 31 - 1 };
    expect((await sample(most)).sequences).to.deep.equal((await sample({ ...most, batchSize: 3 })).sequences);
  });

  it("samples from a snapshot", async () => {
    const frozen = await model.snapshot();
    const options = { maxNewTokens: 5, temperature: 0 };
    const own = await sampleAll({ model: frozen, prompts, options });
    expect(own.sequences).to.deep.equal((await sample(options)).sequences);
    await frozen.dispose();
  });

  const wrong: readonly [string, SamplingOptions | Record<string, unknown>, RegExp][] = [
    ["a misspelt option", { topp: 0.5 }, /"topp".*"topP"/],
    ["a negative temperature", { temperature: -1 }, /temperature .* -1/],
    ["a temperature that is not a number", { temperature: Number.NaN }, /temperature .* NaN/],
    ["topP of 0", { topP: 0 }, /topP .* above 0 to 1 but received 0/],
    ["minP above 1", { minP: 1.5 }, /minP .* 1.5/],
    ["a fraction of tokens", { maxNewTokens: 1.5 }, /maxNewTokens .* 1.5/],
    ["no samples", { samples: 0 }, /samples .* 0/],
    ["a stop token outside the vocabulary", { stopTokens: [259] }, /stopTokens .* 258 .* 259/],
    ["a negative seed", { seed: -1 }, /seed .* -1/],
    ["a penalty of 0", { repetitionPenalty: 0 }, /repetitionPenalty .* 0/],
  ];
  for (const [what, options, message] of wrong) {
    it(`refuses ${what}`, async () => {
      const error = await failureOf(() => model.startGeneration(prompts, options));
      expect(error.code).to.equal("ATTUNE_OPTION");
      expect(error.message).to.match(message);
    });
  }

  it("refuses an empty prompt, and one that leaves no position, naming it", async () => {
    const empty = await failureOf(() => model.startGeneration([Int32Array.of(1), new Int32Array(0)]));
    expect(empty).to.include({ code: "ATTUNE_DATA" });
    expect(empty.message).to.match(/^Prompt 1: /);
    const long = await failureOf(() => model.startGeneration(promptsOf([64])));
    expect(long.message).to.match(/^Prompt 0: expected fewer tokens than the model's 64 positions/);
  });

  it("refuses ids outside the vocabulary", async () => {
    const error = await failureOf(() => model.startGeneration([Int32Array.of(4, 259)]));
    expect(error.message).to.match(/prompts\[0\]: expected ids in \[0, 259\) but got 259/);
  });

  it("refuses a model with a score head", async () => {
    const reward = await engine.loadModel(at("reward"));
    expect((await failureOf(() => reward.startGeneration(prompts))).code).to.equal("ATTUNE_MODEL");
    await reward.dispose();
    await using value = await model.addAdapter({ rank: 2 }, { scoreHead: {} });
    expect((await failureOf(() => value.startGeneration(prompts))).code).to.equal("ATTUNE_MODEL");
  });

  it("says what would not fit the memory, with the numbers", async () => {
    const error = await failureOf(async () =>
      requireGenerationMemory({
        cache: 3e9,
        planned: { activations: 1e8, head: 2e8 },
        held: { activations: 1e8, head: 0 },
        available: { bytes: 1e9, limit: "free memory of the machine" },
      }),
    );
    expect(error.code).to.equal("ATTUNE_MEMORY");
    expect(error.message).to.match(/keys and values 3\.00 GB.*batchSize/);
  });
});
