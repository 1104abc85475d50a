// Faults of the loop on the engine: a model that is gone, a disk that is full, a loss that is no number. People are served all
// the while, are told of by `GET /v1/loop`, and lose nothing.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { type CreateTrainingLoop, createTrainingLoop } from "../../lib/cli/feedback-loop.js";
import { createEngine, type Engine } from "../../lib/engine/index.js";
import {
  type LoopError,
  type LoopStatus,
  makeToken,
  openFeedbackStore,
  type RunningLoop,
} from "../../lib/feedback/index.js";
import { createFeedbackApp } from "../../lib/server/feedback-app.js";
import { expectFailure } from "../errors/expect-failure.js";
import { judgeSome } from "../feedback/digits.js";
import { PROJECT, personName, sampleProject } from "../feedback/sample-project.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { generation, loopPrompts, trainers, wordModel, wordRaters } from "./word-loop.js";

interface Faulty {
  readonly loop: RunningLoop;
  readonly judge: (votes: number) => Promise<number>;
  /** What readers are told of the last error. */
  readonly fault: () => Promise<LoopError | null>;
  /** Status of a call for the next item. */
  readonly next: () => Promise<number>;
}

describe("faults of a feedback loop on the engine", () => {
  const at = suiteFolder();
  let engine: Engine;
  before(async () => {
    engine = await createEngine({ threads: 1 });
  });
  after(() => engine.dispose());

  async function faulty(
    name: string,
    own: Partial<CreateTrainingLoop>,
    run: (test: Faulty) => Promise<void>,
  ) {
    const store = await openFeedbackStore({ store: at(name, "store") });
    await sampleProject(store, { items: 0, people: 3, settings: { asks: [{ kind: "pair" }] } });
    const policy = await wordModel(at(name, "start"));
    const options: CreateTrainingLoop = {
      ...{ store, project: PROJECT, policy, train: "dpo", output: at(name, "rounds"), engine },
      ...{ prompts: loopPrompts, generation, trainers },
      settings: { settleMs: 60_000, queue: 60, trainAfter: 10 },
      ...own,
    };
    const loop = await createTrainingLoop(options);
    const app = createFeedbackApp({ store, loopStatus: () => loop.status() });
    const call = async (path: string) => {
      const whose = { role: "owner" as const, project: PROJECT, annotator: personName(0), name: "owner" };
      const { text, row } = await makeToken(whose, Date.now());
      await store.write(PROJECT, "keepToken", { row });
      return app.request(`http://localhost${path}`, { headers: { authorization: `Bearer ${text}` } });
    };
    const panel = wordRaters(3);
    try {
      await expectFailure(() => createTrainingLoop(options), "ATTUNE_LOOP", "Stop that one first");
      await loop.check();
      await run({
        loop,
        judge: (votes) => judgeSome(store, panel, votes),
        fault: async () => ((await (await call("/v1/loop")).json()) as LoopStatus).lastError,
        next: async () => (await call("/v1/next")).status,
      });
    } finally {
      await loop.stop();
      await store.close();
    }
  }

  it("a policy's folder that is gone: told, and answered from again when it is back", () =>
    faulty("gone", {}, async ({ loop, judge, fault, next }) => {
      await judge(25);
      renameSync(at("gone", "start"), at("gone", "away"));
      await loop.check();
      expect(await fault()).to.deep.include({ stage: "training", code: "ATTUNE_FILE" });
      expect(await next()).to.equal(200);
      expect(await judge(3)).to.equal(3);
      renameSync(at("gone", "away"), at("gone", "start"));
      await loop.check();
      expect(await fault()).to.equal(null);
      expect(loop.status().rounds).to.equal(1);
    }));

  it("a loss that is no number: nothing of the round stays, and the next try has all judgements", () =>
    faulty("nan", { trainers: { dpo: { ...trainers.dpo, learningRate: 1e30 } } }, async (test) => {
      const { loop, judge, fault, next } = test;
      await judge(25);
      for (let tries = 0; tries < 2; tries++) {
        await loop.check();
        expect(await fault()).to.deep.include({ stage: "training", code: "ATTUNE_NOT_FINITE" });
        expect(readdirSync(at("nan", "rounds"))).to.deep.equal([]);
      }
      expect(await next()).to.equal(200);
      expect(loop.status().policy?.policy).to.equal("round-0");
      expect(loop.status().waiting).to.be.at.least(10);
    }));

  it("an output folder that is none: told with what to do", () => {
    mkdirSync(at("file"));
    writeFileSync(at("file", "rounds"), "");
    return faulty("file", {}, async ({ loop, judge, fault, next }) => {
      await judge(25);
      await loop.check();
      expect(await fault()).to.deep.include({ stage: "training", code: "ATTUNE_OUTPUT" });
      expect((await fault())?.message).to.include("give another output folder");
      expect(await next()).to.equal(200);
      rmSync(at("file", "rounds"));
      await loop.check();
      expect([await fault(), loop.status().rounds]).to.deep.equal([null, 1]);
    });
  });

  it("a disk that fills while a policy is saved: told, cleared of the rest, and saved when there is room", function () {
    const disk = at("disk");
    mkdirSync(disk);
    // As in test/long/full-disk.test.ts: only where this process may mount one.
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", disk]).status !== 0) return this.skip();
    const output = at("disk", "rounds");
    let fill = true;
    const onStep = ({ step }: { readonly step: number }) => {
      if (step !== 2 || !fill) return;
      fill = false;
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(at("disk", "filler"), new Uint8Array(bavail * bsize - 400_000));
    };
    const own = { output, trainers: { dpo: { ...trainers.dpo, onStep } } };
    return faulty("full", own, async ({ loop, judge, fault, next }) => {
      await judge(25);
      await loop.check();
      expect(await fault()).to.deep.include({ stage: "training", code: "ATTUNE_OUTPUT" });
      expect(fill).to.equal(false);
      expect(readdirSync(output)).to.deep.equal([]);
      expect(await next()).to.equal(200);
      rmSync(at("disk", "filler"));
      await loop.check();
      expect([await fault(), loop.status().rounds]).to.deep.equal([null, 1]);
      expect(existsSync(at("disk", "rounds", "round-1", "policy", "model"))).to.equal(true);
    }).finally(() => spawnSync("umount", [disk]));
  });
});
