// The queue of rollouts: what overlaps, what is stale, what happens when a step fails, and real rollouts that repeat.

import { expect } from "chai";
import { packStep } from "../../lib/data/index.js";
import { createEngine, type Engine } from "../../lib/engine/index.js";
import {
  type NextSamples,
  type Rollout,
  RolloutQueue,
  type RolloutQueueOptions,
  rolloutRows,
  type SampledRollout,
  sampleRollout,
  scoreRollout,
} from "../../lib/rollout/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { expectSameBits } from "../invariant/same-bits.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { madeRollout } from "./made-rollout.js";
import { openRolloutWorld } from "./rollout-world.js";

/** What happened, in order; scoring waits until it is let go. */
class Collector {
  readonly events: string[] = [];
  readonly #waiting: (() => void)[] = [];
  held = false;
  failing = new Set<number>();

  readonly sample = async ({ number, policyStep }: NextSamples): Promise<SampledRollout> => {
    this.events.push(`sample ${number} at ${policyStep}`);
    return madeRollout({ number, policyStep });
  };

  readonly score = async (sampled: SampledRollout): Promise<Rollout> => {
    if (this.held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.failing.delete(sampled.number)) throw new Error(`no scores of ${sampled.number}`);
    this.events.push(`scored ${sampled.number}`);
    return { ...madeRollout(), ...sampled };
  };

  release(): void {
    this.held = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function queueOf(collector: Collector, options: Partial<RolloutQueueOptions> = {}): RolloutQueue {
  const { sample, score } = collector;
  return new RolloutQueue({ sample, score, maxStaleness: 4, ...options });
}

describe("the queue of rollouts", () => {
  it("without staleness samples when it is asked, with the policy of then", async () => {
    const collector = new Collector();
    await using queue = queueOf(collector, { maxStaleness: 0 });
    for (const policyStep of [0, 4]) {
      const { rollout, staleness } = await queue.next({ policyStep });
      expect([rollout.policyStep, staleness]).to.deep.equal([policyStep, 0]);
    }
    expect(collector.events).to.deep.equal(["sample 0 at 0", "scored 0", "sample 1 at 4", "scored 1"]);
  });

  it("samples the next one before it returns, scores it meanwhile, and records how stale it is", async () => {
    const collector = new Collector();
    await using queue = queueOf(collector);
    const first = await queue.next({ policyStep: 0 });
    expect(first.staleness).to.equal(0);
    expect(collector.events.slice(0, 2)).to.have.members(["sample 0 at 0", "scored 0"]);
    expect(collector.events).to.include("sample 1 at 0");
    const second = await queue.next({ policyStep: 4, last: true });
    expect([second.rollout.number, second.rollout.policyStep, second.staleness]).to.deep.equal([1, 0, 4]);
    expect(collector.events.filter((event) => event.startsWith("sample"))).to.have.lengthOf(2);
  });

  it("lets the caller go on while the next one waits for its scores", async () => {
    const collector = new Collector();
    const score = (sampled: SampledRollout) => {
      collector.held = sampled.number === 1;
      return collector.score(sampled);
    };
    await using queue = queueOf(collector, { score });
    expect((await queue.next({ policyStep: 0 })).rollout.number).to.equal(0);
    expect(collector.events).to.not.include("scored 1");
    collector.release();
    expect((await queue.next({ policyStep: 1, last: true })).rollout.number).to.equal(1);
  });

  it("samples anew what is staler than allowed, under the same number, and counts it", async () => {
    const collector = new Collector();
    await using queue = queueOf(collector, { maxStaleness: 3 });
    await queue.next({ policyStep: 0 });
    const { rollout, staleness } = await queue.next({ policyStep: 4 });
    expect([rollout.number, rollout.policyStep, staleness, queue.discarded]).to.deep.equal([1, 4, 0, 1]);
  });

  it("throws what scoring threw when the rollout is asked for, and tries it again", async () => {
    const collector = new Collector();
    collector.failing.add(1);
    await using queue = queueOf(collector);
    await queue.next({ policyStep: 0 });
    const reason = await queue.next({ policyStep: 2 }).catch((error) => error);
    expect(reason).to.have.property("message", "no scores of 1");
    const { rollout } = await queue.next({ policyStep: 2 });
    expect([rollout.number, rollout.policyStep]).to.deep.equal([1, 2]);
    expect((await queue.next({ policyStep: 3 })).rollout.number).to.equal(2);
  });

  it("gives away what lies ahead, for a checkpoint, and another one goes on from it", async () => {
    const collector = new Collector();
    const queue = queueOf(collector);
    await queue.next({ policyStep: 0 });
    const pending = await queue.drain();
    expect(pending?.number).to.equal(1);
    await queue.dispose();
    const later = new Collector();
    await using resumed = queueOf(later, { first: 1, pending });
    const { rollout, staleness } = await resumed.next({ policyStep: 4, last: true });
    expect(rollout).to.equal(pending);
    expect([staleness, later.events.length]).to.deep.equal([4, 0]);
    expect((await resumed.next({ policyStep: 8, last: true })).rollout.number).to.equal(2);
  });

  it("is cancelled by its signal and by its end", async () => {
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    const cancelled = queueOf(new Collector(), { signal: controller.signal });
    expect(await cancelled.next({ policyStep: 0 }).catch((error) => error)).to.have.property(
      "message",
      "enough",
    );
    const ended = queueOf(new Collector());
    await ended.dispose();
    await expectFailure(() => ended.next({ policyStep: 0 }), "ATTUNE_ABORTED", "disposed");
    await expectFailure(
      () => queueOf(new Collector(), { maxStaleness: -1 }),
      "ATTUNE_OPTION",
      "maxStaleness",
    );
  });

  describe("with a policy that is trained meanwhile", () => {
    const at = suiteFolder();
    let engine: Engine;
    before(async () => {
      engine = await createEngine({ threads: 1 });
    });
    after(() => engine?.dispose());

    /** Two rollouts with an update between them; the rewards of the second one come when they like. */
    async function run(wait: number): Promise<Rollout[]> {
      const { policy, prompts, tokenizer } = await openRolloutWorld(engine, at(`world-${wait}`));
      const rewards = {
        name: "slow",
        score: async (samples: readonly { readonly text: string }[]) => {
          await new Promise((resolve) => setTimeout(resolve, wait));
          return samples.map(({ text }) => text.length);
        },
      };
      const sampling = { maxNewTokens: 6, samples: 2 };
      await using queue = new RolloutQueue({
        sample: (request) => sampleRollout({ policy, prompts, sampling, seed: 1, ...request }),
        score: (rollout, job) => scoreRollout({ rollout, prompts, tokenizer, rewards, ...job }),
        maxStaleness: 1,
      });
      const first = await queue.next({ policyStep: 0 });
      const data = rolloutRows(first.rollout);
      const rows = Array.from(first.rollout.finish.keys());
      for (const batch of packStep({ data, rows, microBatchTokens: 512, sharePrompts: true }))
        await policy.step(batch, { kind: "nll", normaliser: first.rollout.tokens.length });
      await policy.update({ learningRate: 1e-2 });
      const second = await queue.next({ policyStep: 1, last: true });
      expect(second.staleness).to.equal(1);
      return [first.rollout, second.rollout];
    }

    it("gives the same bits whenever the rewards come", async () => {
      const [early, late] = [await run(0), await run(60)];
      for (const [i, rollout] of early.entries()) {
        expectSameBits(late[i]?.tokens ?? [], rollout.tokens);
        expectSameBits(late[i]?.logprobs ?? [], rollout.logprobs);
      }
      expect(early[0]?.tokens.join()).to.not.equal(early[1]?.tokens.join());
    });
  });
});
