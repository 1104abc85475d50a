import { expect } from "chai";
import { createEngine, type Engine, type Model } from "../../lib/engine/index.js";
import {
  type EvaluateModelOptions,
  type Evaluation,
  type EvaluationRows,
  evaluateModel,
  openEvaluationRows,
  type PairMetrics,
} from "../../lib/evaluate/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { pairs, writeWorld } from "./evaluation-world.js";

describe("evaluating a model", () => {
  const at = suiteFolder();
  let engine: Engine;
  let policy: Model;
  let reference: Model;
  let reward: Model;
  before(async () => {
    writeWorld(at());
    engine = await createEngine({ device: "cpu", threads: 2 });
    policy = await engine.loadModel(at("policy"));
    reference = await engine.loadModel(at("reference"));
    reward = await engine.loadModel(at("reward"));
  });
  after(() => engine.dispose());

  async function opened(model: Model, data: readonly object[], maxLength = 200): Promise<EvaluationRows> {
    const tokenizer = await model.tokenizer();
    return openEvaluationRows({ data, tokenizer, scored: model.scoreHeads > 0, columns: true, maxLength });
  }

  async function evaluated(
    model: Model,
    data: readonly object[],
    options: Partial<EvaluateModelOptions> = {},
  ): Promise<Evaluation> {
    const rows = await opened(model, data);
    return evaluateModel({ model, rows, ...options });
  }

  const pairMetrics = ({ metrics }: Evaluation) => metrics.judged as PairMetrics;

  describe("that scores answers", () => {
    it("gives every answer the score of model.score", async () => {
      const { rows } = await evaluated(reward, pairs);
      const plain = await reward.score(
        pairs.flatMap(({ prompt, chosen, rejected }) => [
          { prompt, completion: chosen },
          { prompt, completion: rejected },
        ]),
      );
      expect(rows.flatMap(({ scores }) => scores)).to.deep.equal(Array.from(plain));
    });

    it("adds the bias of its normalisation", async () => {
      const before = await evaluated(reward, pairs);
      reward.scoreNormalisation = {
        bias: [2],
        mean: [-2],
        std: [1],
        count: 1,
        dataHash: "x",
        unitStd: false,
      };
      try {
        const after = await evaluated(reward, pairs);
        expect(after.rows[0]?.scores[0]).to.be.closeTo((before.rows[0]?.scores[0] ?? 0) + 2, 1e-6);
        expect(pairMetrics(after).accuracy).to.equal(pairMetrics(before).accuracy);
      } finally {
        reward.scoreNormalisation = undefined;
      }
    });

    it("has the same bits whatever the micro-batches", async () => {
      const [small, large] = await Promise.all(
        [40, 4096].map(
          async (microBatchTokens) => (await evaluated(reward, pairs, { microBatchTokens })).rows,
        ),
      );
      expect(small?.map(({ scores }) => scores)).to.deep.equal(large?.map(({ scores }) => scores));
    });

    it("counts ties apart and measures slices that add up", async () => {
      const evaluation = await evaluated(reward, pairs, { by: ["source", "longer"] });
      const { decided, ties, accuracy } = pairMetrics(evaluation);
      expect([decided, ties]).to.deep.equal([26, 4]);
      for (const { slices } of evaluation.slices) {
        const parts = slices.map(({ metrics }) => metrics.judged as PairMetrics);
        expect(slices.reduce((sum, { rows }) => sum + rows, 0)).to.equal(30);
        const right = parts.reduce(
          (sum, part) => sum + (part.decided === 0 ? 0 : part.accuracy * part.decided),
          0,
        );
        expect(right).to.be.closeTo(accuracy * decided, 1e-9);
      }
    });

    it("drops whole rows that are too long instead of scoring what was cut", async () => {
      const rows = await opened(reward, [...pairs, { ...pairs[0], chosen: ` ${"long ".repeat(60)}` }]);
      const { counts, metrics } = await evaluateModel({ model: reward, rows });
      expect([metrics.rows, counts.dropped.too_long]).to.deep.equal([30, 1]);
      const answers = pairs.map(({ prompt, chosen }, i) => ({
        prompt,
        completion: i === 0 ? ` ${"long ".repeat(60)}` : chosen,
      }));
      const open = await opened(reward, answers);
      const whole = await evaluateModel({ model: reward, rows: open });
      expect([whole.metrics.rows, whole.counts.dropped.too_long]).to.deep.equal([29, 1]);
      expect(whole.metrics.scores?.mean_reward).to.be.a("number");
    });

    it("takes the least of several heads, or one of them, where asked", async () => {
      const heads = await policy.addAdapter({ rank: 2 }, { scoreHead: { heads: 3, seed: 7 } });
      try {
        const mean = await evaluated(heads, pairs);
        const least = await evaluated(heads, pairs, { aggregate: "min" });
        const [ofHeads, scores] = [
          mean.rows[0]?.heads?.map(([first]) => first ?? 0) ?? [],
          least.rows[0]?.scores,
        ];
        expect(ofHeads).to.have.length(3);
        expect(scores?.[0]).to.equal(Math.min(...ofHeads));
        const second = await evaluated(heads, pairs, { head: 1 });
        expect(second.rows[0]?.scores[0]).to.equal(ofHeads[1]);
        await expectFailure(() => evaluated(heads, pairs, { head: 3 }), "ATTUNE_OPTION", "from 0 to 2");
        expect(mean.rows[0]?.scores[0]).to.be.closeTo(ofHeads.reduce((a, b) => a + b) / 3, 1e-6);
      } finally {
        await heads.dispose();
      }
    });

    it("ranks answers of a prompt", async () => {
      const rankings = pairs.map(({ prompt, chosen, rejected }) => ({
        prompt,
        completions: [rejected, chosen, " Nothing."],
        ranks: [2, 1, 3],
      }));
      const evaluation = await evaluated(reward, rankings);
      expect(evaluation.type).to.equal("ranking");
      expect(pairMetrics(evaluation).decided).to.equal(90);
    });

    it("refuses a reference", async () => {
      await expectFailure(
        () => evaluated(reward, pairs, { reference: policy }),
        "ATTUNE_OPTION",
        "reference",
      );
    });

    it("refuses prompts without answers", async () => {
      await expectFailure(() => opened(reward, [{ prompt: "a" }]), "ATTUNE_DATA", "prompt-only");
    });
  });

  describe("that predicts tokens", () => {
    it("has the mean log-prob of all tokens as loss", async () => {
      const texts = pairs.map(({ prompt, chosen }) => ({ prompt, completion: chosen }));
      const { metrics, scoredBy } = await evaluated(policy, texts);
      const eos = (await policy.tokenizer()).eosId ?? 0;
      const encode = (await policy.tokenizer()).encode;
      const logprobs = await policy.logprobs(
        texts.map(({ prompt, completion }) => ({
          prompt: encode(prompt),
          completion: [...encode(completion), eos],
        })),
      );
      const all = logprobs.flatMap((row) => Array.from(row));
      expect(scoredBy).to.equal(undefined);
      expect(metrics.tokens?.tokens).to.equal(all.length);
      expect(metrics.tokens?.loss).to.be.closeTo(-all.reduce((a, b) => a + b) / all.length, 1e-6);
      expect(metrics.tokens?.perplexity).to.be.closeTo(Math.exp(metrics.tokens?.loss ?? 0), 1e-9);
    });

    it("has implicit rewards beta times the log-ratio to its reference", async () => {
      const { rows, scoredBy } = await evaluated(policy, pairs, { reference, beta: 0.25 });
      expect(scoredBy).to.equal("implicit reward");
      for (const { scores, sums = [], reference: of = [] } of rows)
        expect(scores[1]).to.equal(0.25 * ((sums[1]?.logprob ?? 0) - (of[1] ?? 0)));
      const own = await evaluated(reference, pairs);
      expect(rows.map((row) => row.reference)).to.deep.equal(own.rows.map((row) => row.scores));
    });

    it("prefers nothing against itself, at a KL of exactly 0", async () => {
      const evaluation = await evaluated(policy, pairs, { reference: policy, kl: true });
      const { accuracy, margin, loss } = pairMetrics(evaluation);
      expect([accuracy, margin]).to.deep.equal([0, 0]);
      expect(loss).to.be.closeTo(Math.LN2, 1e-12);
      expect(evaluation.kl?.kl.mean).to.equal(0);
    });

    it("has its log-probs compared where there is no reference", async () => {
      const evaluation = await evaluated(policy, pairs);
      expect(evaluation.scoredBy).to.equal("log-prob");
      expect(evaluation.metrics.logps?.accuracy_per_token).to.be.within(0, 1);
    });

    it("tells good answers from bad ones", async () => {
      const thumbs = pairs.flatMap(({ prompt, chosen, rejected }) => [
        { prompt, completion: chosen, label: true },
        { prompt, completion: rejected, label: false },
      ]);
      const { metrics } = await evaluated(policy, thumbs, { reference });
      expect(metrics.judged).to.include({ good: 30, bad: 30 });
    });

    it("refuses KL without a reference", async () => {
      await expectFailure(() => evaluated(policy, pairs, { kl: true }), "ATTUNE_OPTION", "reference");
    });
  });

  it("stops when it is cancelled", async () => {
    const controller = new AbortController();
    const rows = await opened(reward, pairs);
    const onProgress = () => controller.abort();
    const stopped = evaluateModel({
      model: reward,
      rows,
      microBatchTokens: 40,
      signal: controller.signal,
      onProgress,
    });
    const error = await stopped.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(Error);
  });

  it("refuses a column that no row has before it computes", async () => {
    let computed = false;
    const onProgress = () => {
      computed = true;
    };
    await expectFailure(
      () => evaluated(reward, pairs, { by: ["sorce"], onProgress }),
      "ATTUNE_OPTION",
      '"source"',
    );
    expect(computed).to.equal(false);
  });
});
