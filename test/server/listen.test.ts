// The service on a port of its own: where it listens, what it refuses, how it ends. By real connections.

import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { makeToken } from "../../lib/feedback/index.js";
import { type ServedFeedback, type ServeFeedbackOptions, serveFeedback } from "../../lib/server/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { PROJECT, sampleProject } from "../feedback/sample-project.js";
import { describeStores, type StoreUnderTest } from "../feedback/stores.js";

type Options = Omit<ServeFeedbackOptions, "store">;

async function served(
  { store }: StoreUnderTest,
  options: Options,
  run: (server: ServedFeedback) => Promise<void>,
): Promise<void> {
  const server = await serveFeedback({ store, port: 0, ...options });
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

async function ownerToken({ store, now }: StoreUnderTest): Promise<string> {
  await sampleProject(store, { items: 2 });
  const { text, row } = await makeToken({ role: "owner", project: PROJECT, name: "owner" }, now);
  await store.write(PROJECT, "keepToken", { row });
  return text;
}

describeStores("the listening service", (withStore) => {
  it(
    "takes a free port, answers there and is gone when it is closed",
    withStore(async (test) => {
      let url = "";
      await served(test, {}, async (server) => {
        url = server.url;
        expect(server.port).to.be.above(0);
        expect(url).to.equal(`http://127.0.0.1:${server.port}`);
        expect((await fetch(url)).headers.get("content-type")).to.include("text/html");
      });
      const gone = await fetch(url).then(
        () => false,
        () => true,
      );
      expect(gone).to.equal(true);
    }),
  );

  it(
    "says which port is in use, and what to do",
    withStore(async (test) => {
      const other = createServer();
      await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", () => resolve()));
      const { port } = other.address() as AddressInfo;
      const error = await failureOf(() => serveFeedback({ store: test.store, port }));
      other.close();
      expect(error).to.include({ code: "ATTUNE_OPTION" });
      expect(error.message).to.include(`${port} is in use`).and.include("port 0");
    }),
  );

  it(
    "refuses an address that others reach without TLS, unless it is allowed and said aloud",
    withStore(async (test) => {
      const error = await failureOf(() => serveFeedback({ store: test.store, port: 0, host: "0.0.0.0" }));
      expect(error).to.include({ code: "ATTUNE_OPTION" });
      const warnings: string[] = [];
      const onWarning = (text: string) => warnings.push(text);
      await served(test, { host: "0.0.0.0", allowInsecure: true, onWarning }, async ({ url }) => {
        expect(url).to.match(/^http:\/\/127\.0\.0\.1:\d+$/);
        expect(warnings.join("\n")).to.include("Without TLS");
      });
      const publicUrl = "http://feedback.example.com";
      expect((await failureOf(() => serveFeedback({ store: test.store, port: 0, publicUrl }))).code).to.equal(
        "ATTUNE_OPTION",
      );
    }),
  );

  it(
    "answers to this machine's names and to that of the server in front, and to no other",
    withStore(async (test) => {
      const publicUrl = "https://feedback.example.com";
      await served(test, { publicUrl }, async ({ port, url }) => {
        expect(url).to.equal(publicUrl);
        const status = async (host: string) => await statusOf(port, "/", host);
        for (const host of [
          `127.0.0.1:${port}`,
          `localhost:${port}`,
          `[::1]:${port}`,
          "feedback.example.com",
        ])
          expect(await status(host), host).to.equal(200);
        for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1:1"])
          expect(await status(host), host).to.equal(421);
      });
    }),
  );

  it(
    "lets the public page write by its cookie, and no other page",
    withStore(async (test) => {
      const token = await ownerToken(test);
      await served(test, { publicUrl: "https://feedback.example.com/judge" }, async ({ port }) => {
        const begin = (origin: string) =>
          fetch(`http://127.0.0.1:${port}/judge/v1/session`, {
            method: "POST",
            headers: { origin, "x-attune": "1", "content-type": "application/json" },
            body: JSON.stringify({ token }),
          });
        expect((await begin("https://evil.example")).status).to.equal(403);
        const begun = await begin("https://feedback.example.com");
        expect(begun.status).to.equal(200);
        expect(begun.headers.get("set-cookie"))
          .to.include("Path=/judge")
          .and.include("Secure")
          .and.include("HttpOnly");
      });
    }),
  );

  it(
    "ends streams of events when it closes, and lets a call that runs be answered",
    withStore(async (test) => {
      const token = await ownerToken(test);
      const server = await serveFeedback({ store: test.store, port: 0, clock: () => test.now });
      const authorization = `Bearer ${token}`;
      const stream = await fetch(`${server.url}/v1/events`, { headers: { authorization } });
      const reader = stream.body?.getReader();
      await reader?.read();
      const call = fetch(`${server.url}/v1/ratings?draws=100`, { headers: { authorization } });
      await new Promise((resolve) => setTimeout(resolve, 20));
      const closing = server.close();
      const ended = await reader?.read().then(
        ({ done }) => done,
        () => true,
      );
      expect(ended).to.equal(true);
      expect((await call).status).to.equal(200);
      await closing;
    }),
  );
});

/** fetch sets the header by itself. */
function statusOf(port: number, path: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}
