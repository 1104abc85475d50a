// The loop on the engine, in each of its trainings: a tiny model answers, simulated people judge, the model learns from them,
// and people judge what it has learned.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { createTrainingLoop, type LoopTrainer, loopTrainers } from "../../lib/cli/feedback-loop.js";
import { createEngine, type Engine } from "../../lib/engine/index.js";
import {
  type FeedbackAnswer,
  type FeedbackStore,
  type LoopStatus,
  openFeedbackStore,
  type RunningLoop,
} from "../../lib/feedback/index.js";
import { judgeSome } from "../feedback/digits.js";
import { PROJECT, sampleProject } from "../feedback/sample-project.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { generation, loopPrompts, meanWorth, trainers, wordModel, wordRaters } from "./word-loop.js";

interface LoopTest {
  readonly store: FeedbackStore;
  readonly loop: RunningLoop;
  readonly folder: string;
}

describe("a feedback loop on the engine", () => {
  const at = suiteFolder();
  let engine: Engine;
  let start = "";
  before(async () => {
    engine = await createEngine({ threads: 1 });
    start = await wordModel(at("start"));
  });
  after(() => engine.dispose());

  async function withLoop(train: LoopTrainer, run: (test: LoopTest) => Promise<void>): Promise<void> {
    const folder = at(train);
    const store = await openFeedbackStore({ store: join(folder, "store") });
    const selector = train === "reward+ppo" ? ("disagreement" as const) : ("gap" as const);
    const settings = { asks: [{ kind: "pair" as const }], selector, random: 0.5 };
    await sampleProject(store, { items: 0, people: 3, settings });
    const loop = await createTrainingLoop({
      ...{ store, project: PROJECT, policy: start, train, output: folder, engine },
      ...{ prompts: loopPrompts, generation, trainers },
      settings: { settleMs: 60_000, queue: 48, trainAfter: 20 },
    });
    try {
      await run({ store, loop, folder });
    } finally {
      await loop.stop();
      await store.close();
    }
  }

  for (const train of loopTrainers)
    it(`${train} makes policies and asks about the newest one's answers`, () =>
      withLoop(train, async ({ store, loop, folder }) => {
        const panel = wordRaters(3);
        await loop.check();
        for (let round = 0; round < 2; round++) {
          await judgeSome(store, panel, 44);
          await loop.check();
        }
        // What was queued before the last round is a policy behind.
        await judgeSome(store, panel, 6);
        await loop.check();
        const { history, lastError, policy, lag, prequential, openOfNewest } = loop.status();
        expect(lastError).to.equal(null);
        expect(history.map(({ policy: name, start: from }) => [name, from])).to.deep.equal([
          ["round-1", "round-0"],
          ["round-2", "round-1"],
        ]);
        for (const { kl, metrics } of history) {
          expect(kl).to.be.above(0.01);
          expect(metrics["policy/steps"]).to.be.above(0);
        }
        expect(policy).to.include({ policy: "round-2", model: "start@round-2" });
        expect(policy?.place).to.equal(join(folder, "round-2", "policy", "model"));
        expect(
          [openOfNewest, lag.mean, prequential.all?.votes].every((figure) => (figure ?? 0) > 0),
        ).to.equal(true);
        const rises = (await meanWorth(engine, policy?.place ?? start)) - (await meanWorth(engine, start));
        // A hundred judgements are few, and what PPO and KTO make of them is chance; examples/11-feedback-loop.ts has enough.
        if (train === "dpo") expect(rises).to.be.above(1);
        expectScored(train, prequential, folder);
        await expectAsked(store);
      }));

  /** A policy predicts from its own first answers on, a reward model once it is there. */
  function expectScored(train: LoopTrainer, { all, versions }: LoopStatus["prequential"], folder: string) {
    const scorers = train === "reward+ppo" ? ["round-1", "round-2"] : ["round-0", "round-1", "round-2"];
    expect(versions.map(({ version }) => version)).to.deep.equal(scorers);
    expect(all?.loss).to.be.within(0.1, 3);
    const rewards = ["round-1", "round-2"].map((round) => existsSync(join(folder, round, "reward", "model")));
    expect(rewards).to.deep.equal(Array(2).fill(train === "reward+ppo"));
  }
});

/** The newest policy's answers came with what is known of them, and the questions with what they are worth. */
async function expectAsked(store: FeedbackStore): Promise<void> {
  const rows = await store.reading.selectFrom("items").selectAll().where("state", "=", "open").execute();
  const newest = rows.filter(({ external_id: id }) => id?.startsWith("round-2/"));
  expect(new Set(newest.map(({ priority }) => priority))).to.have.length.above(newest.length / 2);
  const answers = newest.flatMap(({ answers: text }) => JSON.parse(text) as FeedbackAnswer[]);
  expect(newest).to.have.length.above(10);
  for (const { policy, model, tokens, logProb, content, seed } of answers) {
    expect(model).to.equal(policy === "round-0" ? "start@round-0" : `start@${policy}`);
    expect(tokens).to.have.length.within(1, generation.maxNewTokens);
    expect([logProb, seed, content].map((value) => typeof value)).to.deep.equal([
      "number",
      "number",
      "string",
    ]);
    expect(logProb).to.be.below(0);
  }
}
