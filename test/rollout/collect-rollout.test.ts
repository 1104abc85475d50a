// Rollouts of tiny models on the real engine: what they hold is what the models say of the same tokens, bit for bit.

import { expect } from "chai";
import { packRows, packStep } from "../../lib/data/index.js";
import { createEngine, type Engine } from "../../lib/engine/index.js";
import {
  type CollectRollout,
  collectRollout,
  type Rollout,
  type RolloutProgress,
  rolloutRows,
  sampleIds,
  valuesOfTargets,
} from "../../lib/rollout/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { expectSameBits } from "../invariant/same-bits.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { TINY_EOS } from "../support/tiny-tokenizer.js";
import { openRolloutWorld, type RolloutWorld } from "./rollout-world.js";

const byLength = (samples: readonly { readonly text: string }[]) => samples.map(({ text }) => text.length);

/** Frequent enough that some answers end and some do not. */
const stopTokens = [TINY_EOS, ...Array.from({ length: 16 }, (_, i) => 16 * i)];

function expectSameRollouts(actual: Rollout, expected: Rollout): void {
  for (const name of ["tokens", "starts", "finish", "promptTokens", "promptRows"] as const)
    expect(Array.from(actual[name]), name).to.deep.equal(Array.from(expected[name]));
  for (const name of ["logprobs", "referenceLogprobs", "values", "scores"] as const)
    expectSameBits(actual[name] ?? [], expected[name] ?? []);
}

describe("a rollout", () => {
  const at = suiteFolder();
  let engine: Engine;
  let world: RolloutWorld;
  let options: CollectRollout;
  let rollout: Rollout;

  before(async () => {
    engine = await createEngine({ threads: 1 });
    world = await openRolloutWorld(engine, at());
    const { policy, reference, reward, tokenizer, prompts } = world;
    options = {
      policy,
      reference,
      value: reward,
      tokenizer,
      prompts,
      sampling: { maxNewTokens: 12, temperature: 0.7, samples: 3, stopTokens },
      rewards: byLength,
      seed: 7,
      number: 2,
      policyStep: 40,
    };
    rollout = await collectRollout(options);
  });
  after(() => engine?.dispose());

  it("has samples of every prompt, ended and cut ones, and says where it comes from", () => {
    expect(rollout).to.include({ number: 2, seed: 7n, policyStep: 40, temperature: 0.7, samples: 3 });
    expect(rollout.starts).to.have.lengthOf(10);
    expect(Array.from(rollout.promptRows)).to.deep.equal([0, 1, 2]);
    expect(new Set(rollout.finish)).to.deep.equal(new Set([1, 2]));
    for (const [sample, code] of rollout.finish.entries()) {
      const { completion } = sampleIds(rollout, sample);
      if (code === 2) expect(completion).to.have.lengthOf(12);
      else expect(stopTokens).to.include(completion.at(-1));
    }
  });

  for (const temperature of [0.7, 1]) {
    it(`has the log-probs of the trainer's forward pass at temperature ${temperature}, bit for bit`, async () => {
      const found = await collectRollout({ ...options, sampling: { ...options.sampling, temperature } });
      const rows = rolloutRows(found);
      const batch = packRows({ data: rows, rows: Array.from(found.finish.keys()), sharePrompts: true });
      const { logprobs } = await world.policy.forward(batch, { temperature });
      expectSameBits(found.logprobs, logprobs);
      const reference = await world.reference.forward(batch, { temperature });
      expectSameBits(found.referenceLogprobs ?? [], reference.logprobs);
    });
  }

  it("draws for n samples of a prompt what it draws for n prompts of one sample", async () => {
    const prompts = options.prompts.flatMap((prompt) => [prompt, prompt, prompt]);
    const apart = await collectRollout({
      ...options,
      prompts,
      sampling: { ...options.sampling, samples: 1 },
    });
    expectSameBits(apart.tokens, rollout.tokens);
    expectSameBits(apart.logprobs, rollout.logprobs);
    expectSameBits(apart.values ?? [], rollout.values ?? []);
  });

  it("does not depend on what is decoded or computed together, nor on threads", async () => {
    const sampling = { ...options.sampling, batchSize: 2 };
    expectSameRollouts(await collectRollout({ ...options, sampling, microBatchTokens: 40 }), rollout);
    await using other = await createEngine({ threads: 3 });
    const { policy, reference, reward } = await openRolloutWorld(other, at("again"));
    expectSameRollouts(await collectRollout({ ...options, policy, reference, value: reward }), rollout);
  });

  it("of another number or seed draws other samples", async () => {
    for (const change of [{ number: 3 }, { seed: 8 }]) {
      const { tokens } = await collectRollout({ ...options, ...change });
      expect(tokens.join()).to.not.equal(rollout.tokens.join());
    }
  });

  it("reads a value where its token is predicted, and adds the head's bias", async () => {
    const { prompt, completion } = sampleIds(rollout, 4);
    const heads = [0, 1, completion.length - 1].map(async (t) => {
      const scored = { prompt, completions: [completion.slice(0, t)] };
      const [score] = await world.reward.scores(packRows({ data: [scored], rows: [0], score: true }));
      return Math.fround((score ?? Number.NaN) + 0.75);
    });
    const first = rollout.starts[4] ?? 0;
    const found = [0, 1, completion.length - 1].map((t) => rollout.values?.[first + t]);
    expect(found).to.deep.equal(await Promise.all(heads));
  });

  it("has exact divergences where they are asked for, at temperature 1", async () => {
    const sampling = { ...options.sampling, temperature: 1 };
    const found = await collectRollout({ ...options, sampling, exactKl: true });
    const batch = packRows({ data: rolloutRows(found), rows: Array.from(found.finish.keys()) });
    const { kl } = await world.policy.kl(batch, world.reference);
    expectSameBits(found.exactKl ?? [], kl);
    await expectFailure(
      () => collectRollout({ ...options, exactKl: true }),
      "ATTUNE_OPTION",
      "temperature 1",
    );
  });

  it("gives the tokens of any minibatch their values", () => {
    const rows = [7, 2, 5];
    for (const batch of packStep({
      data: rolloutRows(rollout),
      rows,
      microBatchTokens: 60,
      sharePrompts: true,
    })) {
      const wanted = [...batch.rows].flatMap((sample) =>
        Array.from(rollout.logprobs.slice(rollout.starts[sample], rollout.starts[sample + 1])),
      );
      expect(Array.from(valuesOfTargets(batch, rollout.starts, rollout.logprobs))).to.deep.equal(wanted);
    }
  });

  it("tells its progress, phase by phase", async () => {
    const told: RolloutProgress[] = [];
    await collectRollout({ ...options, onProgress: (progress) => told.push(progress) });
    expect([...new Set(told.map(({ phase }) => phase))]).to.deep.equal([
      "samples",
      "reference",
      "values",
      "rewards",
    ]);
    for (const phase of ["samples", "reference", "values", "rewards"]) {
      const last = told.findLast((progress) => progress.phase === phase);
      expect(last?.done).to.equal(last?.total);
    }
  });

  it("without reference and value model has neither", async () => {
    const { reference: _reference, value: _value, ...rest } = options;
    const found = await collectRollout(rest);
    expect(found).to.not.have.any.keys("referenceLogprobs", "values");
    expectSameBits(found.logprobs, rollout.logprobs);
  });

  it("refuses filters, greedy sampling, no prompts and a value model that is none", async () => {
    const refused = (
      change: object,
      code: "ATTUNE_OPTION" | "ATTUNE_NO_ROWS" | "ATTUNE_MODEL",
      text: string,
    ) => expectFailure(() => collectRollout({ ...options, ...change } as CollectRollout), code, text);
    await refused({ sampling: { topK: 5 } }, "ATTUNE_OPTION", "topK");
    await refused({ sampling: { temperature: 0 } }, "ATTUNE_OPTION", "temperature above 0");
    await refused({ prompts: [] }, "ATTUNE_NO_ROWS", "at least one prompt");
    await refused({ value: world.policy }, "ATTUNE_MODEL", "one score head");
    await refused({ rewards: [] }, "ATTUNE_OPTION", "at least one reward source");
  });

  it("rejects with the reason of its signal", async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error("enough"));
    const { signal } = controller;
    const reason = await collectRollout({ ...options, signal, onProgress }).catch((error) => error);
    expect(reason).to.have.property("message", "enough");
  });
});
