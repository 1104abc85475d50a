// Events over real HTTP: whole, in order, for readers that are cut off, slow, or of another process's writes.

import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { expect } from "chai";
import { lastSeq, openFeedbackStore, pseudonymsOf } from "../../lib/feedback/index.js";
import { eventStream } from "../../lib/server/event-stream.js";
import { lease, PROJECT, pairItem, personName, sampleProject, say } from "../feedback/sample-project.js";
import { describeStores, withDatabase } from "../feedback/stores.js";
import { expectNoGaps } from "./cut-readers.js";
import { withService } from "./real-service.js";

describeStores("the event stream", (withStore) => {
  it(
    "gives 10 readers that are cut off at random every event once, in order, while some are written",
    withStore(async (test) => {
      const cuts = await expectNoGaps(test, { readers: 10, events: 60 });
      expect(cuts).to.be.greaterThan(20);
    }),
  );

  it(
    "waits for a reader that does not read, holds little for it, and ends when it goes",
    withStore(async (test) => {
      let asked = 0;
      const { store } = test;
      await sampleProject(store, { items: 0 });
      const large = { ...pairItem(0), metadata: { text: "x".repeat(500_000) } };
      for (let i = 0; i < 60; i++) {
        const { externalId: _, ...item } = large;
        await store.write(PROJECT, "addItems", { items: [item] });
      }
      // Counts what is asked of the log while nobody takes it.
      const reading = new Proxy(store.reading, {
        get(target, name) {
          if (name === "selectFrom") asked += 1;
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      const counted = new Proxy(store, {
        get: (target, name) => (name === "reading" ? reading : Reflect.get(target, name, target)),
      });
      await withSlowReader(counted, async (response, ended) => {
        let before = -1;
        while (asked !== before) {
          before = asked;
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
        // Twice for each large event. The sockets' buffers take some megabytes; all of the log is 30.
        expect(asked).to.be.within(2, 60);
        const ids: number[] = [];
        let rest = "";
        for await (const piece of response) {
          const text = rest + String(piece);
          const whole = text.lastIndexOf("\n") + 1;
          // Bodies have no line that begins so; of a long one the beginning is enough.
          ids.push(...[...text.slice(0, whole).matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id)));
          rest = text.slice(whole, whole + 100);
          if (ids.at(-1) === 63) break;
        }
        expect(ids).to.deep.equal(Array.from({ length: 63 }, (_, i) => i + 1));
        await ended;
      });
    }),
  );

  it(
    "names people to owners alone, and to trainers as rows do",
    withStore((test) =>
      withService(test, async ({ trainer, owner, port }) => {
        const { lease: id } = await lease(test.store, personName(0));
        const { judgement } = await say(test.store, personName(0), id);
        await test.store.write(PROJECT, "undo", { judgement, annotator: personName(0) });
        const pseudonym = (await pseudonymsOf(test.store.reading, PROJECT))(personName(0));
        const last = await lastSeq(test.store.reading, PROJECT);
        const read = async (token: string) => {
          const headers = { authorization: `Bearer ${token}` };
          const request = httpRequest({ host: "127.0.0.1", port, path: "/v1/events", agent: false, headers });
          const [response] = (await once(request.end(), "response")) as [IncomingMessage];
          let text = "";
          for await (const piece of response) {
            text += String(piece);
            if (text.includes(`id: ${last}\n`) && text.endsWith("\n\n")) break;
          }
          return text;
        };
        const seen = await read(trainer);
        expect(seen).to.not.include("person-0").and.to.not.include("Name of");
        expect(seen.split(pseudonym).length).to.be.greaterThan(6);
        expect(await read(owner))
          .to.include('"name":"Name of person-0"')
          .and.to.include('"annotator":"person-0"');
      }),
    ),
  );

  it(
    "ends within seconds when its token is revoked, and when its time is over",
    withStore((test) =>
      withService(test, async ({ owner, call, port }) => {
        for (const end of ["revoke", "expire"] as const) {
          const expires = test.now + 60_000;
          const made = await call("/v1/tokens", {
            token: owner,
            body: { role: "trainer", name: end, expires },
          });
          const { token, id } = made.body as unknown as { token: string; id: string };
          const headers = { authorization: `Bearer ${token}` };
          const request = httpRequest({ host: "127.0.0.1", port, path: "/v1/events", agent: false, headers });
          const [response] = (await once(request.end(), "response")) as [IncomingMessage];
          response.resume();
          const ended = once(response, "end");
          if (end === "revoke") await call(`/v1/tokens/${id}/revoke`, { method: "POST", token: owner });
          else test.now += 61_000;
          const seconds = new Promise((resolve) => setTimeout(() => resolve("open"), 8_000).unref());
          expect(await Promise.race([ended, seconds]), end).to.not.equal("open");
          response.destroy();
        }
      }),
    ),
  );

  it(
    "takes what is no number for no place in the log",
    withStore((test) =>
      withService(test, async ({ call, trainer, port }) => {
        for (const path of ["/v1/events?after=-1", "/v1/events?after=1e400", "/v1/events?after=x"]) {
          const { status, body } = await call(path, { token: trainer });
          expect([status, body.field], path).to.deep.equal([400, "?after"]);
        }
        for (const last of ["", "-3", "9".repeat(30), "Infinity", "1;2"]) {
          const headers = { authorization: `Bearer ${trainer}`, "last-event-id": last };
          const path = "/v1/events?after=4";
          const request = httpRequest({ host: "127.0.0.1", port, path, agent: false, headers }).end();
          const [response] = (await once(request, "response")) as [IncomingMessage];
          const [piece] = (await once(response, "data")) as [Buffer];
          expect(piece.toString(), last).to.match(/^id: 5\n/);
          response.destroy();
        }
      }),
    ),
  );
});

/** A server of one stream, and a reader that takes nothing. */
async function withSlowReader(
  store: Parameters<typeof eventStream>[0]["store"],
  run: (response: IncomingMessage, ended: Promise<unknown>) => Promise<void>,
): Promise<void> {
  const { createServer } = await import("node:http");
  const { getRequestListener } = await import("@hono/node-server");
  let over: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    over = resolve;
  });
  const watching = new Proxy(store, {
    get(target, name) {
      if (name !== "watch") return Reflect.get(target, name, target);
      return (listener: (project: string) => void) => {
        const unwatch = target.watch(listener);
        return () => {
          unwatch();
          over();
        };
      };
    },
  });
  const listener = getRequestListener(
    (request) => eventStream({ store: watching, project: PROJECT, after: 0, signal: request.signal }),
    { overrideGlobalObjects: false },
  );
  const server = createServer(listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const request = httpRequest({ host: "127.0.0.1", port, agent: false }).end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.pause();
  try {
    await run(response, ended);
  } finally {
    response.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe("events of other processes on one PostgreSQL", () => {
  it("are heard of, also behind a connection that was lost", async function () {
    const server = process.env.ATTUNE_TEST_POSTGRES_URL;
    if (server === undefined) return this.skip();
    await withDatabase(server, async (url) => {
      const writing = await openFeedbackStore({ store: url });
      const listening = await openFeedbackStore({ store: url });
      try {
        await sampleProject(writing, { items: 0 });
        const heard = (write: () => Promise<unknown>) =>
          new Promise<string>((resolve, reject) => {
            const unwatch = listening.watch((project) => {
              unwatch();
              resolve(project);
            });
            write().catch(reject);
          });
        const write = () => writing.write(PROJECT, "setGuidelines", { text: "Be kind." });
        expect(await heard(write)).to.equal(PROJECT);
        const { default: pg } = await import("pg");
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        const cut = async () => {
          const { rowCount } = await client.query(
            `select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and query like 'listen%'`,
          );
          expect(rowCount).to.equal(2);
        };
        // Nothing is written: it is told that something may have been.
        expect(await heard(cut)).to.equal(PROJECT);
        expect(await heard(write)).to.equal(PROJECT);
        await client.end();
      } finally {
        await listening.close();
        await writing.close();
      }
    });
  });
});
