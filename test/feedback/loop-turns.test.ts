// Two loops of one project: the second of a process is refused; that of another process on PostgreSQL waits, and takes over
// when the first has ended, was killed, or was silent for long.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { openFeedbackStore } from "../../lib/feedback/store/open-store.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { expectFailure } from "../errors/expect-failure.js";
import { digitLoop, digitWork, judgeSome, raters } from "./digits.js";
import { PROJECT, sampleProject } from "./sample-project.js";
import { describeStores, withDatabase } from "./stores.js";

const people = 3;
const empty = { items: 0, people, settings: { asks: [{ kind: "pair" as const }] } };

describeStores("two loops of one project", (withStore) => {
  it(
    "in one process: the second is refused until the first was stopped, and another project has its own",
    withStore(async ({ store }) => {
      await sampleProject(store, empty);
      const first = digitLoop(store);
      const second = async () => digitLoop(store);
      await expectFailure(second, "ATTUNE_LOOP", `"${PROJECT}" but this process runs one already`);
      await store.write("other", "createProject", { project: "other", name: "Other", settings: {} });
      const other = digitLoop(store, { project: "other" });
      await other.stop();
      await first.stop();
      const again = await second();
      await again.check();
      expect(again.status().lastError).to.equal(null);
      await again.stop();
    }),
  );
});

describe("two loops of one project, in two processes on PostgreSQL", () => {
  const server = process.env.ATTUNE_TEST_POSTGRES_URL;
  before(function () {
    if (server === undefined) this.skip();
  });

  /** Each with a connection of its own, as two processes have. */
  async function withStores(run: (stores: readonly FeedbackStore[], url: string) => Promise<void>) {
    await withDatabase(server ?? "", async (url) => {
      const stores = [await openFeedbackStore({ store: url }), await openFeedbackStore({ store: url })];
      try {
        await sampleProject(stores[0] as FeedbackStore, empty);
        await run(stores, url);
      } finally {
        for (const store of stores) await store.close();
      }
    });
  }

  it("the second trains nothing, says why once, and begins when the first has ended", () =>
    withStores(async ([ours, theirs]) => {
      const first = digitLoop(ours as FeedbackStore);
      await first.check();
      const told: string[] = [];
      const second = digitLoop(theirs as FeedbackStore, {
        onEvent: (event) => event.type === "error" && told.push(event.error.code),
        generate: () => Promise.reject(new Error("it must not generate")),
      });
      await second.check();
      await second.check();
      expect(second.status()).to.deep.include({ policy: null, rounds: 0 });
      expect(second.status().lastError).to.deep.include({ stage: "opening", code: "ATTUNE_LOOP" });
      expect(told).to.deep.equal(["ATTUNE_LOOP"]);
      await first.stop();
      await second.check();
      expect(second.status().policy?.policy).to.equal("round-0");
      expect(second.status().lastError).to.equal(null);
      await second.stop();
    }));

  it("goes on for one that was killed when that was silent for half a minute, not before", () =>
    withStores(async ([store], url) => {
      await killedLoop(url);
      let now = Date.now();
      const loop = digitLoop(store as FeedbackStore, { clock: () => now });
      for (const later of [0, 29_000]) {
        now += later;
        await loop.check();
        expect(loop.status().lastError?.code).to.equal("ATTUNE_LOOP");
      }
      now += 1_000;
      await loop.check();
      const { lastError, policy, rounds } = loop.status();
      await loop.stop();
      expect(lastError).to.equal(null);
      expect([policy?.policy, rounds]).to.deep.equal(["round-1", 1]);
    }));

  it("gives signs of life through a round, however long that is", () =>
    withStores(async ([ours, theirs]) => {
      let now = Date.now();
      let [began, end] = [() => {}, () => {}];
      const training = new Promise<void>((resolve) => {
        began = resolve;
      });
      const first = digitLoop(ours as FeedbackStore, {
        clock: () => now,
        train: async (request) => {
          began();
          await new Promise<void>((resolve) => {
            end = resolve;
          });
          return digitWork.train(request);
        },
      });
      const second = digitLoop(theirs as FeedbackStore, { clock: () => now });
      const beats = async () => Number((await rowOf(ours as FeedbackStore)).beat);
      const ticks = caughtIntervals();
      try {
        await first.check();
        await judgeSome(ours as FeedbackStore, raters(people), 40);
        const round = first.check();
        await training;
        for (let seconds = 0; seconds < 60; seconds += 10) {
          const before = await beats();
          now += 10_000;
          for (const tick of ticks.all) tick();
          while ((await beats()) === before);
          await second.check();
          expect(second.status().lastError?.code).to.equal("ATTUNE_LOOP");
        }
        end();
        await round;
      } finally {
        ticks.reset();
      }
      expect(first.status()).to.deep.include({ rounds: 1, lastError: null });
      await first.stop();
      await second.stop();
    }));

  it("one that was held up and comes back overwrites nothing, and waits", () =>
    withStores(async ([ours, theirs]) => {
      let now = Date.now();
      let taken = async () => {};
      const first = digitLoop(ours as FeedbackStore, {
        clock: () => now,
        train: async (request) => {
          await taken();
          return digitWork.train(request);
        },
      });
      await first.check();
      let later = now;
      const second = digitLoop(theirs as FeedbackStore, { clock: () => later });
      await second.check();
      // While the first one trains, it is taken for dead, and the other one trains the same round.
      taken = async () => {
        later += 30_000;
        await second.check();
        now += 60_000;
      };
      await judgeSome(ours as FeedbackStore, raters(people), 40);
      await first.check();
      expect(second.status().history.map(({ policy }) => policy)).to.deep.equal(["round-1"]);
      expect(first.status().lastError?.code).to.equal("ATTUNE_LOOP");
      expect(first.status().policy).to.equal(null);
      const policies = await (ours as FeedbackStore).reading
        .selectFrom("policies")
        .select("policy")
        .execute();
      expect(policies).to.have.deep.members([{ policy: "round-0" }, { policy: "round-1" }]);
      await second.stop();
      await first.check();
      expect(first.status().history).to.deep.equal(second.status().history);
      await first.stop();
    }));

  it("one whose turn has gone cannot keep what it has learned, also where it has not noticed", () =>
    withStores(async ([ours, theirs]) => {
      const first = digitLoop(ours as FeedbackStore);
      await first.check();
      let later = Date.now();
      const second = digitLoop(theirs as FeedbackStore, { clock: () => later });
      await second.check();
      later += 30_000;
      await second.check();
      expect(second.status().lastError).to.equal(null);
      await judgeSome(ours as FeedbackStore, raters(people), 10);
      await first.check();
      expect(first.status().lastError?.message).to.include("another process has begun meanwhile");
      await second.check();
      await second.stop();
      await first.stop();
    }));
});

/** Timers that a test runs by hand: nobody waits a minute. */
function caughtIntervals() {
  const original = globalThis.setInterval;
  const all: (() => void)[] = [];
  globalThis.setInterval = ((tick: () => void) => {
    all.push(tick);
    return original(() => undefined, 600_000);
  }) as typeof setInterval;
  return {
    all,
    reset: () => {
      globalThis.setInterval = original;
    },
  };
}

function rowOf({ reading }: FeedbackStore) {
  return reading.selectFrom("turns").selectAll().executeTakeFirstOrThrow();
}

/** A process that has trained one round, and then gives no more sign of life. */
async function killedLoop(url: string): Promise<void> {
  const file = fileURLToPath(new URL("./loop-process.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", file, url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = new Promise((resolve) => child.on("close", (_, signal) => resolve(signal)));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGKILL");
  expect(await closed).to.equal("SIGKILL");
}
