// Reward sources: functions that work and that fail, models of the same and of other tokens, bounds, weights.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { createEngine, type Engine, type Model, type ScoreRow } from "../../lib/engine/index.js";
import { fitRewardBound, openEvaluationRows } from "../../lib/evaluate/index.js";
import {
  type RewardFunction,
  type RewardSample,
  type RewardSources,
  type Rollout,
  type SampledRollout,
  sampleIds,
  sampleRollout,
  scoreRollout,
} from "../../lib/rollout/index.js";
import { expectFailure, failureOf } from "../errors/expect-failure.js";
import { pairs } from "../evaluate/evaluation-world.js";
import { expectSameBits } from "../invariant/same-bits.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { TINY_EOS } from "../support/tiny-tokenizer.js";
import { openRolloutWorld, type RolloutWorld } from "./rollout-world.js";

const SAMPLES = 2;
const COUNT = 6;

describe("rewards of a rollout", () => {
  const at = suiteFolder();
  let engine: Engine;
  let world: RolloutWorld;
  let sampled: SampledRollout;
  const score = (rewards: RewardSources, signal?: AbortSignal): Promise<Rollout> => {
    const { prompts, tokenizer } = world;
    const job = signal === undefined ? {} : { signal };
    return scoreRollout({ rollout: sampled, prompts, tokenizer, rewards, ...job });
  };

  const textOf = (ids: Int32Array) => world.tokenizer.decode(ids, { skipSpecial: true });

  before(async () => {
    engine = await createEngine({ threads: 1 });
    world = await openRolloutWorld(engine, at());
    const { policy, prompts } = world;
    // Half of the vocabulary ends an answer, so that some end and some do not.
    const stopTokens = [TINY_EOS, ...Array.from({ length: 60 }, (_, i) => 4 * i + 3)];
    const sampling = { maxNewTokens: 5, samples: SAMPLES, stopTokens };
    sampled = await sampleRollout({ policy, prompts, sampling, seed: 3 });
  });
  after(() => engine?.dispose());

  describe("from functions", () => {
    it("that are given every sample with its prompt, text, end and columns", async () => {
      let seen: readonly RewardSample[] = [];
      const { scores, sources } = await score(async function numbered(samples) {
        seen = samples;
        return samples.map((_, i) => i);
      });
      expect(Array.from(scores)).to.deep.equal([0, 1, 2, 3, 4, 5]);
      expect(sources.map(({ name, weight }) => [name, weight])).to.deep.equal([["numbered", 1]]);
      expect(seen.map(({ promptIndex }) => promptIndex)).to.deep.equal([0, 0, 1, 1, 2, 2]);
      expect(seen.map(({ metadata }) => metadata.topic)).to.include.members(["fruit", "cheese", "sky"]);
      for (const [i, { completion, text, finish, prompt }] of seen.entries()) {
        const ended = sampled.finish[i] === 1;
        expect(finish).to.equal(ended ? "stop" : "length");
        expect(text).to.equal(textOf(ended ? completion.slice(0, -1) : completion));
        expect(prompt).to.equal(world.prompts[Math.floor(i / SAMPLES)]?.content);
      }
      expect(new Set(sampled.finish)).to.deep.equal(new Set([1, 2]));
    });

    it("are summed by weight, each kept; null is no reward, 0 only watches", async () => {
      const { scores, sources } = await score([
        { name: "a", weight: 2, score: () => [1, null, 1, null, 1, 1] },
        { name: "b", weight: -1, score: () => Float64Array.of(10, 10, 10, 10, 10, 10) },
        { name: "c", score: () => [0.5, null, 0.5, 0.5, 0.5, null] },
        { name: "watched", weight: 0, score: () => [9, 9, 9, 9, 9, 9] },
      ]);
      expect(Array.from(scores)).to.deep.equal([-7.5, -10, -7.5, -9.5, -7.5, -8]);
      expect(Array.from(sources[0]?.scores ?? [])).to.deep.equal([1, Number.NaN, 1, Number.NaN, 1, 1]);
      const nothing = await score([
        { name: "a", score: () => [null, null, null, null, null, 1] },
        { name: "watched", weight: 0, score: () => [9, 9, 9, 9, 9, 9] },
      ]);
      expect(Array.from(nothing.scores)).to.deep.equal([...new Array(5).fill(Number.NaN), 1]);
    });

    it("that return something else are refused by name, sample and row", async () => {
      const named = (wrong: unknown): RewardFunction =>
        Object.defineProperty(() => wrong as number[], "name", { value: "judge" });
      const refused = (wrong: unknown, text: string) =>
        expectFailure(() => score(named(wrong)), "ATTUNE_REWARD", `Reward function "judge": ${text}`);
      await refused([1, 2], `expected one score for each of ${COUNT} samples but received 2`);
      await refused(undefined, `expected a list of ${COUNT} scores but received undefined`);
      const place = world.prompts[1]?.place;
      const text = (what: string) =>
        `expected a finite number or null for sample 3 (${place}) but received ${what}.`;
      await refused([1, 1, 1, Number.NaN, 1, 1], text("NaN"));
      await refused([1, 1, 1, Number.POSITIVE_INFINITY, 1, 1], text("Infinity"));
      await refused([1, 1, 1, undefined, 1, 1], text("undefined"));
      const error = await failureOf(() => score(named([1, 1, 1, "7", 1, 1])));
      expect(error.details).to.deep.equal({ source: "judge", sample: 3 });
    });

    it("that throw, at once or later, are named with the cause", async () => {
      const cause = new Error("the service is down");
      const throwing = (score: RewardFunction) => ({ name: "judge", score });
      for (const failing of [
        throwing(() => {
          throw cause;
        }),
        throwing(() => Promise.reject(cause)),
      ]) {
        const error = await failureOf(() => score(failing));
        expect(error.code).to.equal("ATTUNE_REWARD");
        expect(error.message).to.equal('Reward function "judge" threw: the service is down');
        expect(error.cause).to.equal(cause);
      }
    });

    it("that hang are given up after their time, and told so", async () => {
      let told: AbortSignal | undefined;
      const hanging: RewardFunction = (_samples, { signal }) => {
        told = signal;
        return new Promise(() => {});
      };
      const text = 'Reward function "slow": expected scores of 6 samples within 20 ms but none came.';
      await expectFailure(() => score({ name: "slow", score: hanging, timeout: 20 }), "ATTUNE_REWARD", text);
      expect(told?.aborted).to.equal(true);
    });

    it("are tried again as often as asked, and no more", async () => {
      let calls = 0;
      const flaky =
        (failures: number): RewardFunction =>
        (samples) => {
          calls += 1;
          if (calls <= failures) throw new Error(`failure ${calls}`);
          return samples.map(() => calls);
        };
      const { scores } = await score({ name: "flaky", score: flaky(2), retries: 2 });
      expect(scores[0]).to.equal(3);
      calls = 0;
      await expectFailure(
        () => score({ name: "flaky", score: flaky(3), retries: 2 }),
        "ATTUNE_REWARD",
        'Reward function "flaky" (attempt 3 of 3) threw: failure 3',
      );
      expect(calls).to.equal(3);
    });

    it("are given time to come back before they are tried again, more each time", async () => {
      const calls: number[] = [];
      const busy: RewardFunction = () => {
        calls.push(performance.now());
        throw new Error("503");
      };
      await failureOf(() => score({ score: busy, retries: 2 }));
      const [first = 0, second = 0, third = 0] = calls;
      // Timers of Node may be a millisecond early.
      expect(second - first).to.be.at.least(245);
      expect(third - second).to.be.at.least(495);
    });

    it("are cancelled while they are given time", async () => {
      const controller = new AbortController();
      const busy: RewardFunction = () => {
        setTimeout(() => controller.abort(new Error("enough")), 10);
        throw new Error("503");
      };
      const begun = performance.now();
      const error = await score({ score: busy, retries: 20 }, controller.signal).catch((reason) => reason);
      expect(error).to.have.property("message", "enough");
      expect(performance.now() - begun).to.be.below(60_000);
    });

    it("may do to their samples what they like: neither the rollout nor the next function sees it", async () => {
      const before = Int32Array.from(sampled.tokens);
      const seen: (readonly RewardSample[])[] = [];
      const rude: RewardFunction = (samples) => {
        for (const sample of samples as RewardSample[]) {
          sample.completion.fill(5);
          (sample.metadata as Record<string, unknown>).touched = true;
        }
        (samples as RewardSample[]).splice(0);
        return before.length === 0 ? [] : Array(sampled.finish.length).fill(1);
      };
      const polite: RewardFunction = (samples) => {
        seen.push(samples);
        return samples.map(() => 2);
      };
      const { scores } = await score([rude, polite]);
      expect([...scores]).to.deep.equal(Array(sampled.finish.length).fill(3));
      expect([...sampled.tokens]).to.deep.equal([...before]);
      expect(seen[0]).to.have.lengthOf(sampled.finish.length);
      for (const [i, sample] of (seen[0] ?? []).entries()) {
        expect([...sample.completion]).to.deep.equal([...sampleIds(sampled, i).completion]);
        expect(sample.metadata).to.not.have.property("touched");
      }
    });

    it("are told the kind of what they gave in place of a number", async () => {
      const given =
        (value: unknown): RewardFunction =>
        (samples) =>
          samples.map(() => value) as number[];
      await expectFailure(() => score(given("1")), "ATTUNE_REWARD", 'but received "1".');
      await expectFailure(() => score(given(1n)), "ATTUNE_REWARD", "but received 1n.");
    });

    it("are cancelled when another source fails, or by the caller", async () => {
      let reason: unknown;
      const waiting: RewardFunction = (_samples, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            reject(signal.reason);
          });
        });
      const failing: RewardFunction = () => Promise.reject(new Error("no"));
      const both = [
        { name: "waiting", score: waiting },
        { name: "failing", score: failing },
      ];
      await expectFailure(() => score(both), "ATTUNE_REWARD", '"failing" threw: no');
      expect(reason).to.have.property("code", "ATTUNE_REWARD");
      const controller = new AbortController();
      const result = score({ name: "waiting", score: waiting, retries: 5 }, controller.signal);
      controller.abort(new Error("enough"));
      expect(await result.catch((error) => error)).to.have.property("message", "enough");
    });

    it("need names, weights and limits that make sense", async () => {
      const one: RewardFunction = (samples) => samples.map(() => 1);
      const refused = (rewards: object, text: string) =>
        expectFailure(() => score(rewards as RewardSources), "ATTUNE_OPTION", text);
      await refused(
        [
          { name: "a", score: one },
          { name: "a", score: one },
        ],
        'two are called "a"',
      );
      await refused({ name: "a", score: one, weight: Number.NaN }, "finite weight");
      await refused({ name: "a", score: one, weight: 0 }, "weight other than 0");
      await refused({ name: "a", score: one, timeout: 0 }, "timeout");
      await refused({ name: "a", score: one, retries: -1 }, "retries");
      await refused({ name: "a", score: one, timeOut: 1 }, 'Did you mean "timeout"?');
    });
  });

  describe("from models", () => {
    /** As the reward model reads them: ids, but an answer that another token than EOS ended as text, which ends with EOS. */
    const rows = (): ScoreRow[] =>
      Array.from(sampled.finish, (code, sample) => {
        const { prompt, completion } = sampleIds(sampled, sample);
        const whole = code !== 1 || completion.at(-1) === TINY_EOS;
        return { prompt, completion: whole ? completion : textOf(completion.slice(0, -1)) };
      });

    it("of the same tokens are scored by ids", async () => {
      const { scores, sources } = await score({ model: world.reward });
      expectSameBits(scores, await world.reward.score(rows()));
      expect(sources[0]?.name).to.equal("reward model");
    });

    it("with several heads give their aggregate, or one of them", async () => {
      writeTinyModel({ folder: at("trunk"), seed: 9 });
      await using ensemble = await engine.loadModel(at("trunk"), { scoreHead: { heads: 3, seed: 1 } });
      const { heads } = await ensemble.scoreAll(rows());
      const least = await score({ model: ensemble, aggregate: "min" });
      expect(Array.from(least.scores)).to.deep.equal(
        Array.from(least.scores, (_, i) => Math.min(...heads.map((head) => head[i] ?? Number.NaN))),
      );
      const second = await score({ model: ensemble, head: 1 });
      expectSameBits(second.scores, heads[1] ?? []);
      await expectFailure(() => score({ model: ensemble, head: 3 }), "ATTUNE_OPTION", "from 0 to 2");
      await expectFailure(() => score({ model: world.policy }), "ATTUNE_MODEL", "predicts tokens");
    });

    describe("of other tokens", () => {
      let other: Model;
      before(async () => {
        writeTinyModel({ folder: at("other"), kind: "reward", seed: 6 });
        // Another EOS is another tokenizer.
        const config = { tokenizer_class: "PreTrainedTokenizerFast", eos_token: "<|im_end|>" };
        writeFileSync(join(at("other"), "tokenizer_config.json"), JSON.stringify(config));
        other = await engine.loadModel(at("other"));
      });
      after(() => other?.dispose());

      it("are scored through the text of prompt and answer", async () => {
        let texts: ScoreRow[] = [];
        const reading: RewardFunction = (samples) => {
          texts = samples.map(({ prompt, text }) => ({ prompt, completion: text }));
          return samples.map(() => 0);
        };
        const { sources } = await score([{ model: other }, reading]);
        expectSameBits(sources[0]?.scores ?? [], await other.score(texts));
      });

      it("refuse prompts that are ids of the policy", async () => {
        const { tokenizer } = world;
        const prompts = world.prompts.map((prompt) => ({ ...prompt, content: prompt.ids }));
        const request = { rollout: sampled, prompts, tokenizer, rewards: { model: other } };
        await expectFailure(() => scoreRollout(request), "ATTUNE_TOKENIZER", "another tokenizer");
      });
    });

    it("with a linear bound give its lower end, its mean or its upper end", async () => {
      const { reward, tokenizer } = world;
      const judged = await openEvaluationRows({ data: pairs, tokenizer, scored: true });
      const bound = await fitRewardBound({ model: reward, rows: judged, ridge: 0.001 });
      judged.close();
      const of = (confidence: "lower" | "mean" | "upper") => score({ model: reward, bound, confidence });
      const [lower, mean, upper] = [await of("lower"), await of("mean"), await of("upper")];
      for (const [i, value] of mean.scores.entries()) {
        expect(lower.scores[i]).to.be.below(value);
        expect((lower.scores[i] ?? 0) + (upper.scores[i] ?? 0)).to.be.closeTo(2 * value, 1e-9);
      }
      expect((await score({ model: reward, bound })).scores).to.deep.equal(lower.scores);
    });
  });
});
