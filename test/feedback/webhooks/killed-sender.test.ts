// Senders that are killed, and several on one PostgreSQL: every event arrives, in order, at least once.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { openFeedbackStore } from "../../../lib/feedback/index.js";
import { suiteFolder } from "../../support/temporary-folder.js";
import { PROJECT, sampleProject } from "../sample-project.js";
import { START, withDatabase } from "../stores.js";
import type { Receiver } from "./receiver.js";
import { withReceiver } from "./sent-webhooks.js";

const script = fileURLToPath(new URL("sender-process.ts", import.meta.url));

async function begin(place: string, what: "write" | "send"): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--import", "tsx", script, place, what], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

async function prepare(place: string, url: string): Promise<void> {
  const store = await openFeedbackStore({ store: place, clock: () => START });
  await sampleProject(store, { items: 0, people: 0 });
  await store.write(PROJECT, "addWebhook", { url, types: [], texts: false, allowPrivate: true, after: 0 });
  await store.close();
}

async function lastEvent(place: string): Promise<number> {
  const store = await openFeedbackStore({ store: place });
  const { seq } = await store.reading.selectFrom("sequences").select("seq").executeTakeFirstOrThrow();
  await store.close();
  return Number(seq);
}

async function arrived(receiver: Receiver, last: number): Promise<void> {
  while (receiver.seqs().at(-1) !== last) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Each number once where it came first, and none was left out. */
function expectAll(receiver: Receiver, last: number): void {
  const first = [...new Set(receiver.seqs())];
  expect(first).to.deep.equal(Array.from({ length: last }, (_, i) => i + 1));
}

describe("a sender of webhooks", () => {
  const at = suiteFolder();

  it("that is killed again and again loses nothing and keeps the order", () =>
    withReceiver({}, async (receiver) => {
      const place = at("killed");
      await prepare(place, receiver.url);
      for (let i = 0; i < 5; i++) {
        const child = await begin(place, "write");
        const before = receiver.received.length;
        // In the middle of its work, elsewhere each time.
        while (receiver.received.length < before + 3 + 4 * i)
          await new Promise((done) => setTimeout(done, 3));
        await kill(child);
      }
      const last = await lastEvent(place);
      const child = await begin(place, "send");
      await arrived(receiver, last);
      await kill(child);
      expectAll(receiver, last);
    }));

  it("is one of several on one PostgreSQL, and another begins when it is killed", async function () {
    const server = process.env.ATTUNE_TEST_POSTGRES_URL;
    if (server === undefined) return this.skip();
    await withDatabase(server, (place) =>
      withReceiver({}, async (receiver) => {
        await prepare(place, receiver.url);
        const children = [await begin(place, "write"), await begin(place, "write")];
        while (receiver.received.length < 30) await new Promise((done) => setTimeout(done, 5));
        const twice = receiver.seqs().length - new Set(receiver.seqs()).size;
        for (const child of children) await kill(child);
        expect(twice, "both would send all").to.equal(0);
        const last = await lastEvent(place);
        // The one that was killed counts as silent after half a minute.
        const child = await begin(place, "send");
        await arrived(receiver, last);
        await kill(child);
        expectAll(receiver, last);
      }),
    );
  });
});
