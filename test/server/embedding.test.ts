// The service inside another server: Hono, node:http, and what takes handlers as Express does. Pages and calls work below a path.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { Hono } from "hono";
import { makeToken } from "../../lib/feedback/index.js";
import { createFeedbackApp, feedbackHandler } from "../../lib/server/index.js";
import { PROJECT, sampleProject } from "../feedback/sample-project.js";
import { describeStores, type StoreUnderTest } from "../feedback/stores.js";

const basePath = "/feedback";

async function ownerToken({ store, now }: StoreUnderTest): Promise<string> {
  await sampleProject(store, { items: 2 });
  const { text, row } = await makeToken({ role: "owner", project: PROJECT, name: "owner" }, now);
  await store.write(PROJECT, "keepToken", { row });
  return text;
}

type Fetch = (path: string, init?: RequestInit) => Promise<Response>;

/** Every file that the page names is there, below the path; so are the calls. */
async function worksBelow(get: Fetch, token: string): Promise<void> {
  const page = await get(basePath);
  const text = await page.text();
  expect(page.headers.get("content-security-policy")).to.include("default-src 'none'");
  const files = [...text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, file = ""]) => file);
  expect(files).to.include(`${basePath}/web/base.css`);
  const base = await get(`${basePath}/web/base.css`);
  expect([base.status, base.headers.get("content-type")]).to.deep.equal([200, "text/css; charset=utf-8"]);
  const script = await get(`${basePath}/web/api.js`);
  expect(script.status).to.equal(200);
  expect((await get(`${basePath}/dashboard`)).status).to.equal(200);
  const progress = await get(`${basePath}/v1/progress`, { headers: { authorization: `Bearer ${token}` } });
  expect(((await progress.json()) as { items: { open: number } }).items.open).to.equal(2);
  const nobody = await get(`${basePath}/v1/progress`);
  expect([nobody.status, ((await nobody.json()) as { code: string }).code]).to.deep.equal([
    401,
    "ATTUNE_AUTH",
  ]);
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

async function listening(listener: Listener, run: (get: Fetch) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  try {
    await run((path, init) => fetch(`http://127.0.0.1:${port}${path}`, init));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describeStores("the service inside another server", (withStore) => {
  it(
    "works below a path of a Hono app",
    withStore(async (test) => {
      const token = await ownerToken(test);
      const app = new Hono();
      app.get("/", (context) => context.text("the product"));
      app.route(basePath, createFeedbackApp({ store: test.store, clock: () => test.now, basePath }));
      await worksBelow(async (path, init) => app.request(`http://shop.example${path}`, init), token);
      expect(await (await app.request("http://shop.example/")).text()).to.equal("the product");
      const slash = await app.request(`http://shop.example${basePath}/`);
      expect([slash.status, slash.headers.get("location")]).to.deep.equal([308, basePath]);
    }),
  );

  it(
    "works below a path of a server of node:http, and hands other paths on",
    withStore(async (test) => {
      const token = await ownerToken(test);
      const handle = feedbackHandler({ store: test.store, clock: () => test.now, basePath });
      const listener: Listener = (request, response) =>
        handle(request, response, () => response.end("the product"));
      await listening(listener, async (get) => {
        await worksBelow(get, token);
        expect(await (await get("/feedbacks")).text()).to.equal("the product");
      });
    }),
  );

  it(
    "works where the path was taken off before, as Express does",
    withStore(async (test) => {
      const token = await ownerToken(test);
      const handle = feedbackHandler({ store: test.store, clock: () => test.now, basePath });
      // What Express' router does for app.use(basePath, handle).
      const listener: Listener = (request, response) => {
        const originalUrl = request.url ?? "/";
        if (!originalUrl.startsWith(basePath)) return response.end("the product");
        const rest = originalUrl.slice(basePath.length);
        request.url = rest.startsWith("/") ? rest : `/${rest}`;
        handle(Object.assign(request, { originalUrl, baseUrl: basePath }), response, () =>
          response.end("next"),
        );
      };
      await listening(listener, (get) => worksBelow(get, token));
    }),
  );

  it(
    "gives a session's cookie to its own path alone",
    withStore(async (test) => {
      const token = await ownerToken(test);
      const app = new Hono();
      app.route(basePath, createFeedbackApp({ store: test.store, clock: () => test.now, basePath }));
      const begun = await app.request(`http://shop.example${basePath}/v1/session`, {
        method: "POST",
        headers: {
          ...{ host: "shop.example", origin: "http://shop.example", "x-attune": "1" },
          "content-type": "application/json",
        },
        body: JSON.stringify({ token }),
      });
      expect(begun.status).to.equal(200);
      expect(begun.headers.get("set-cookie")).to.include(`Path=${basePath};`);
    }),
  );
});
