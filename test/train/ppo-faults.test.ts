// What goes wrong in a PPO run ends in an error that names it, or in an event; what was saved before stays and can be resumed.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { createEngine } from "../../lib/engine/index.js";
import type { ErrorCode } from "../../lib/errors/index.js";
import type { RewardSample, RewardSources } from "../../lib/rollout/index.js";
import { type PpoOptions, ppo } from "../../lib/train/index.js";
import type { Alarm } from "../../lib/train/run-types.js";
import { expectFailure, failureOf } from "../errors/expect-failure.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { lowIds, ppoOptions, questions } from "./online-runs.js";
import { expectSameRun, weightBytes } from "./same-run.js";
import { type Place, temporaryPlace } from "./training-rows.js";

describe("a ppo run where something goes wrong", function () {
  this.timeout(60_000);
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const train = (more: Partial<PpoOptions> = {}) => ppo(ppoOptions(place, more)).result;
  const column = (key: string) => place.metrics().map((line) => line[key] ?? Number.NaN);
  const alarms = (): Alarm[] => {
    const path = join(place.output(), "alarms.jsonl");
    if (!existsSync(path)) return [];
    return readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Alarm);
  };

  describe("in a reward function", () => {
    const rejected = [
      [
        "throws",
        () => {
          throw new Error("no judge today");
        },
        'Reward function "judge" threw: no judge today',
      ],
      [
        "rejects",
        async () => {
          throw new Error("503 from the judge");
        },
        'Reward function "judge" threw: 503 from the judge',
      ],
      ["hangs", () => new Promise<number[]>(() => undefined), "within 40 ms but none came"],
      [
        "returns NaN",
        (all: readonly unknown[]) => all.map(() => Number.NaN),
        "expected a finite number or null for sample 0",
      ],
      ["returns null", (all: readonly unknown[]) => all.map(() => null), "sample 0 has none"],
      ["returns too few", () => [1], "expected one score for each of 8 samples but received 1"],
      ["returns nothing", () => undefined, "expected a list of 8 scores but received undefined"],
    ] as const;
    for (const [what, score, text] of rejected)
      it(`that ${what}: the run fails by name`, async () => {
        const rewards = { name: "judge", score, timeout: 40 } as unknown as RewardSources;
        await expectFailure(() => train({ rewards }), "ATTUNE_REWARD", text);
        expect(place.record()).to.deep.include({ status: "failed", stepsDone: 0 });
      });

    it("that hangs does not outlive a run that is cancelled", async () => {
      const cancel = new AbortController();
      let cancelled = false;
      const hangs = (_: readonly RewardSample[], { signal }: { readonly signal: AbortSignal }) => {
        signal.addEventListener("abort", () => {
          cancelled = true;
        });
        setTimeout(() => cancel.abort(), 20);
        return new Promise<number[]>(() => undefined);
      };
      const error = await train({ rewards: hangs, signal: cancel.signal }).catch((reason: unknown) => reason);
      expect(error).to.include({ name: "AbortError" });
      expect(cancelled).to.equal(true);
      expect(place.record()).to.deep.include({ status: "interrupted" });
    });

    it("that fails ahead of the update ends the run when its rollout is asked for", async () => {
      let calls = 0;
      const fails = async (all: readonly RewardSample[]) => {
        calls += 1;
        if (calls === 3) throw new Error("gone");
        return lowIds(all);
      };
      await expectFailure(() => train({ rewards: fails, maxStaleness: 4 }), "ATTUNE_REWARD", "gone");
      expect(place.record()).to.deep.include({ status: "failed", stepsDone: 2 });
    });

    it("is called again where retries allow it", async () => {
      let calls = 0;
      const score = (all: readonly RewardSample[]) => {
        calls += 1;
        if (calls % 2 === 1) throw new Error("busy");
        return lowIds(all);
      };
      const { status } = await train({ rewards: { score, retries: 1 }, maxSteps: 2 });
      expect([status, calls]).to.deep.equal(["done", 4]);
    });

    it("leaves the last checkpoint, from which a mended one goes on as if nothing had been", async () => {
      await train({ rewards: { name: "judge", score: lowIds }, output: place.output("whole") });
      let calls = 0;
      const score = (all: readonly RewardSample[]) => {
        calls += 1;
        if (calls === 4) throw new Error("out of credit");
        return lowIds(all);
      };
      const breaks = { name: "judge", score };
      const error = await failureOf(() => train({ rewards: breaks, saveEvery: 1 }));
      expect(error.message).to.include("out of credit");
      expect(place.record()).to.deep.include({ status: "failed", stepsDone: 3 });
      await train({ rewards: { name: "judge", score: lowIds }, resume: true });
      expectSameRun(place.output(), place.output("whole"));
    });
  });

  describe("in the file of a reward function", () => {
    const file = (name: string, content?: string) => {
      const path = join(place.folder, name);
      if (content !== undefined) writeFileSync(path, content);
      return path;
    };
    const fromFile = (rewardFunction: string) => {
      const { rewards: _, ...options } = ppoOptions(place, { rewardFunction: [rewardFunction] });
      return ppo(options).result;
    };

    it("names one that is missing", () =>
      expectFailure(() => fromFile(file("none.mjs")), "ATTUNE_OPTION", "none.mjs"));
    it("names one without a default export, and what it exports", () =>
      expectFailure(
        () => fromFile(file("named.mjs", "export const polite = () => [];")),
        "ATTUNE_OPTION",
        "it exports polite, and none as default",
      ));
    it("names one without the function asked for", () =>
      expectFailure(
        () => fromFile(`${file("some.mjs", "export const polite = () => [];")}#kind`),
        "ATTUNE_OPTION",
        "and not kind",
      ));
    it("says what one threw while it was loaded, before anything is written", async () => {
      const path = file("throws.mjs", 'throw new Error("no key in the environment");');
      await expectFailure(() => fromFile(path), "ATTUNE_OPTION", "no key in the environment");
      expect(existsSync(place.output())).to.equal(false);
    });
    it("uses one that is well, by its export's name", async () => {
      const path = file("good.mjs", "export const long = (all) => all.map(({ text }) => text.length);");
      await fromFile(`${path}#long`);
      expect(column("rewards/long/mean")).to.deep.equal(column("reward"));
    });
  });

  describe("in prompts and answers", () => {
    it("drops prompts that leave no room for an answer, and counts them", async () => {
      const long = { prompt: "x".repeat(300) };
      const { rows } = await train({ data: [...questions, long] });
      expect(rows).to.deep.include({ read: 5, kept: 4 });
      expect(rows.dropped).to.deep.equal({ prompt_too_long: 1 });
    });

    it("says so where all of them were dropped", () =>
      expectFailure(
        () => train({ data: [{ prompt: "x".repeat(300) }] }),
        "ATTUNE_NO_ROWS",
        "A prompt may have 251 tokens here: 256 less the 5 of an answer",
      ));

    it("has no room for answers longer than the context", () =>
      expectFailure(() => train({ maxNewTokens: 256 }), "ATTUNE_OPTION", "max-new-tokens below the 256"));

    it("replaces the score of an answer that did not end, and counts those that did", async () => {
      await train({ missingEos: "replace", maxSteps: 1 });
      expect(column("objective/scores")).to.deep.equal([-1]);
      expect(column("val/num_eos_tokens")).to.deep.equal([0]);
      expect(column("completions/clipped_ratio")).to.deep.equal([1]);
    });

    it("or takes something off it", async () => {
      await train({ missingEos: "subtract", missingEosValue: 0.25, maxSteps: 1 });
      expect(column("objective/scores")[0]).to.be.closeTo((column("reward")[0] ?? 0) - 0.25, 1e-12);
    });
  });

  describe("in the policy", () => {
    it("raises the alarm of a KL over its budget, as event and line", async () => {
      const events: Alarm[] = [];
      const run = ppo(ppoOptions(place, { learningRate: 0.3, klBudget: 2 }));
      for await (const event of run) if (event.type === "alarm") events.push(event);
      expect(events.map(({ name }) => name)).to.include("kl-budget");
      expect(alarms().map(({ name, step }) => [name, step])).to.deep.equal(
        events.map(({ name, step }) => [name, step]),
      );
    });

    it("ends the run with its model saved where that alarm is to stop it", async () => {
      const { status, steps, endedEarly } = await train({
        learningRate: 0.3,
        klBudget: 2,
        stopOn: ["kl-budget"],
        maxSteps: 20,
      });
      expect([status, steps]).to.deep.equal(["done", alarms()[0]?.step]);
      expect(steps).to.be.below(20);
      expect(endedEarly).to.deep.equal({ by: "stop-on", step: steps, why: "alarm kl-budget" });
      expect(weightBytes(place.output()).length).to.be.above(0);
    });

    it("raises the alarm of answers that are all the same", async () => {
      await train({
        learningRate: 3e-2,
        samples: 8,
        maxNewTokens: 2,
        beta: 0,
        maxSteps: 40,
        rewards: (all) =>
          all.map(
            ({ completion }) => Number(completion[0] === completion[1]) + (completion[0] === 65 ? 1 : 0),
          ),
      });
      expect(alarms().map(({ name }) => name)).to.include("equal-answers");
    });

    it("names the step that has no finite loss, and goes on from the last good checkpoint", async () => {
      await train({ output: place.output("whole") });
      // Finite in itself, but with it as a rate the next forward pass overflows.
      const stop = ppo({
        ...ppoOptions(place),
        onStep: ({ step }) => {
          if (step === 2) void stop.stop();
        },
      });
      await stop.result;
      const wrong = { resume: true, allowChanges: true, learningRate: 1e18, saveEvery: 1 };
      const error = await failureOf(() => train(wrong));
      expect(error.code).to.equal("ATTUNE_NOT_FINITE");
      expect(error.message).to.include("of step 3 is");
      expect(error.details).to.deep.include({ step: 3 });
      expect(readdirSync(join(place.output(), "checkpoints"))).to.deep.equal(["step-2"]);
      expect(place.record()).to.deep.include({ status: "failed", stepsDone: 2 });
      await train({ resume: true });
      expectSameRun(place.output(), place.output("whole"));
    });

    it("keeps the last checkpoint from before the first alarm, however many come after it", async () => {
      const all = { saveEvery: 1, keepCheckpoints: 2, maxSteps: 6, learningRate: 1e-2, klBudget: 0.4 };
      await train(all);
      const [first] = alarms();
      expect(first?.step).to.be.within(2, 4);
      const kept = readdirSync(join(place.output(), "checkpoints")).toSorted();
      expect(kept).to.deep.equal([`step-${(first?.step ?? 0) - 1}`, "step-4", "step-5"]);
    });

    it("names the step for which a ruined policy could not sample, and what to do", async () => {
      const rates = { learningRate: 1e12, valueLearningRate: 1e-3, updateEpochs: 1, minibatches: 1 };
      const error = await failureOf(() => train({ ...rates, saveEvery: 1 }));
      expect(error.code).to.equal("ATTUNE_NOT_FINITE");
      expect(error.message).to.match(/^While answers were sampled for step \d: .*lower the learning rate/);
    });

    it("names the value network where it is that one whose gradient overflows", async () => {
      const error = await failureOf(() => train({ valueLearningRate: 1e30, maxGradNorm: 0 }));
      expect(error.code).to.equal("ATTUNE_NOT_FINITE");
      expect(error.message).to.include(" of the value network of step").and.include("--value-learning-rate");
    });

    it("ends in a result or in that error, whatever the rate", async () => {
      for (const learningRate of [1, 1e3, 1e6, 1e12, 1e18, 1e38]) {
        const output = place.output(String(learningRate));
        const run = train({ learningRate, output, maxGradNorm: 0, maxSteps: 6 });
        const ended = await run.then(
          ({ status }) => status,
          ({ code }: { readonly code: string }) => code,
        );
        expect(["done", "ATTUNE_NOT_FINITE"], String(learningRate)).to.include(ended);
      }
    });
  });

  describe("in the models beside the policy", () => {
    const at = (name: string) => join(place.folder, name);
    const options = (more: Partial<PpoOptions>) => {
      const { rewards: _, valueModel: __, ...others } = ppoOptions(place);
      return { ...others, ...more };
    };
    /** A reward model whose tokenizer has the ids of "a" and "b" the other way round. */
    const rewardOfOtherTokens = () => {
      writeTinyModel({ folder: at("reward"), kind: "reward", seed: 6 });
      const path = join(at("reward"), "tokenizer.json");
      const tokenizer = JSON.parse(readFileSync(path, "utf8")) as {
        model: { vocab: Record<string, number> };
      };
      const { vocab } = tokenizer.model;
      Object.assign(vocab, { a: vocab.b, b: vocab.a });
      writeFileSync(path, JSON.stringify(tokenizer));
      return at("reward");
    };
    const refused = (more: Partial<PpoOptions>, text: string, code: ErrorCode = "ATTUNE_MODEL") =>
      expectFailure(() => ppo(options(more)).result, code, text).then(() =>
        expect(existsSync(place.output()), "nothing was written").to.equal(false),
      );

    it("says once that a reward model has another tokenizer, and scores the text", async () => {
      const warnings: string[] = [];
      const run = ppo(options({ rewardModel: [rewardOfOtherTokens()], valueModel: "policy" }));
      for await (const event of run) if (event.type === "warning") warnings.push(event.message);
      expect(warnings).to.deep.equal([
        '"reward model" has another tokenizer than the policy: it scores the text of prompts and answers, in tokens of its own.',
      ]);
      expect(column("reward_std").every((value) => value > 0)).to.equal(true);
    });

    it("refuses prompts of token ids where a model of other tokens would have to read them", () =>
      refused(
        {
          rewardModel: [rewardOfOtherTokens()],
          valueModel: "policy",
          data: [...questions, { prompt: [104, 105] }],
        },
        "has token ids. Give texts, or a reward model that reads the policy's tokens.",
        "ATTUNE_TOKENIZER",
      ));

    it("refuses a model beside the policy that could not read the longest answer", async () => {
      writeTinyModel({
        folder: at("reward"),
        kind: "reward",
        seed: 6,
        config: { max_position_embeddings: 24 },
      });
      const text = "positions, as many tokens as prompt and answer may have, but the reward model has 24";
      await refused({ rewardModel: [at("reward")], valueModel: "policy" }, text, "ATTUNE_OPTION");
      const only = { rewards: lowIds, valueModel: at("reward") };
      await refused(only, "but the value network has 24. Give --max-length 24 or less", "ATTUNE_OPTION");
      await ppo(options({ ...only, maxLength: 24, maxSteps: 1 })).result;
    });

    it("says nothing where reward model and policy share their tokens", async () => {
      writeTinyModel({ folder: at("reward"), kind: "reward", seed: 6 });
      const run = ppo(options({ rewardModel: [at("reward")], maxSteps: 1 }));
      for await (const event of run) expect(event.type).to.not.equal("warning");
    });

    it("refuses such a model as value network, which reads the policy's ids", () =>
      refused({ rewardModel: [rewardOfOtherTokens()] }, 'token 97 is "a" to the policy and "b" to'));

    it("refuses a policy where a reward model is needed, and the reverse", async () => {
      writeTinyModel({ folder: at("reward"), kind: "reward", seed: 6 });
      const reward = { rewardModel: [at("reward")] };
      await refused({ rewardModel: [place.model] }, "scores answers (attune reward) but");
      await refused({ ...reward, valueModel: place.model }, "scores answers (attune reward) but");
      await refused({ ...reward, model: at("reward") }, "predicts tokens but this one scores answers");
      await refused({ ...reward, reference: at("reward") }, "reference that predicts tokens but");
    });

    it("refuses a value network of several heads, by path and in memory", async () => {
      await using engine = await createEngine({ threads: 1 });
      const many = await engine.loadModel(place.model, { scoreHead: { init: "normal", heads: 3, seed: 1 } });
      await many.save(at("many"));
      const text = "one score head but";
      await refused({ rewardModel: [at("many")] }, text);
      await refused({ rewards: lowIds, valueModel: many }, text);
      await refused({ rewards: lowIds, valueModel: await engine.loadModel(place.model) }, "predicts tokens");
      // As a reward alone it is welcome.
      await ppo(options({ rewardModel: [at("many")], valueModel: "policy", maxSteps: 1 })).result;
    });

    it("refuses a value network of another vocabulary", async () => {
      writeTinyModel({ folder: at("reward"), kind: "reward", seed: 6, vocabularySize: 300 });
      await refused({ rewardModel: [at("reward")] }, "vocabulary of 259 tokens but");
    });

    it("refuses a value network that another run trains", async () => {
      await using engine = await createEngine({ threads: 1 });
      const value = await engine.loadModel(place.model, { scoreHead: { init: "zero", heads: 1, seed: 1 } });
      const given = { rewards: lowIds, valueModel: value };
      const first = ppo(options({ ...given, output: place.output("first") }));
      for await (const event of first) {
        if (event.type !== "start") continue;
        await refused(given, "no other run trains", "ATTUNE_OPTION");
      }
      await ppo(options(given)).result;
    });

    it("asks for a reward, and for the start of a value network", async () => {
      await refused({ valueModel: "policy" }, "something that scores answers", "ATTUNE_OPTION");
      await refused({ rewards: lowIds }, "value network starts from", "ATTUNE_OPTION");
    });
  });
});
