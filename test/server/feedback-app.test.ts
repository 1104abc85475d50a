// The HTTP service: who may call, what it refuses, what it answers. In one process, by requests as a network brings them.

import { expect } from "chai";
import type { Hono } from "hono";
import { type FeedbackStore, makeToken, type NewToken } from "../../lib/feedback/index.js";
import { createFeedbackApp, type FeedbackAppOptions } from "../../lib/server/feedback-app.js";
import { SESSION_COOKIE } from "../../lib/server/session.js";
import { PROJECT, pairItem, personName, sampleProject } from "../feedback/sample-project.js";
import { describeStores, START, type StoreUnderTest } from "../feedback/stores.js";

const HOST = "127.0.0.1:8130";

interface Service {
  readonly app: Hono;
  readonly owner: string;
  readonly trainer: string;
  readonly reader: string;
  /** Of two people. */
  readonly people: readonly string[];
}

async function tokenOf(store: FeedbackStore, token: NewToken): Promise<string> {
  const { text, row } = await makeToken(token, START);
  await store.write(PROJECT, "keepToken", { row });
  return text;
}

async function service(test: StoreUnderTest, options: Partial<FeedbackAppOptions> = {}): Promise<Service> {
  const { store } = test;
  await sampleProject(store, { items: 3 });
  const of = (role: NewToken["role"], annotator?: string) =>
    tokenOf(store, { role, project: PROJECT, name: role, ...(annotator === undefined ? {} : { annotator }) });
  const app = createFeedbackApp({ store, clock: () => test.now, hosts: [HOST], ...options });
  const people = [await of("annotator", personName(0)), await of("annotator", personName(1))];
  return { app, people, owner: await of("owner"), trainer: await of("trainer"), reader: await of("reader") };
}

interface Call {
  readonly method?: string;
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

async function call(app: Hono, path: string, { method, token, body, headers = {} }: Call = {}) {
  const response = await app.request(`http://${HOST}${path}`, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      host: HOST,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = /^application\/json/.test(response.headers.get("content-type") ?? "");
  return {
    status: response.status,
    text,
    body: json ? JSON.parse(text) : undefined,
    headers: response.headers,
  };
}

describeStores("the feedback service", (withStore) => {
  it(
    "takes a person from an item to a judgement and back",
    withStore(async (test) => {
      const { app, people, reader } = await service(test);
      const [token = ""] = people;
      const { body: leased } = await call(app, "/v1/next", { token });
      expect(Object.keys(leased).sort()).to.deep.equal(
        ["answers", "asks", "guidelines", "lease", "prompt", "unsafe", "until"].sort(),
      );
      const judgement = { lease: leased.lease, values: [{ kind: "pair", choice: "left" }], activeMs: 900 };
      const headers = { "idempotency-key": "one" };
      const { status, body } = await call(app, "/v1/judgements", { token, body: judgement, headers });
      expect([status, body.counts]).to.deep.equal([200, true]);
      const again = await call(app, "/v1/judgements", { token, body: judgement, headers });
      expect(again.body).to.deep.equal(body);
      const other = { ...judgement, activeMs: 901 };
      const conflict = await call(app, "/v1/judgements", { token, body: other, headers });
      expect([conflict.status, conflict.body.code]).to.deep.equal([409, "ATTUNE_CONFLICT"]);
      const undone = await call(app, `/v1/judgements/${body.judgement}/undo`, { token, method: "POST" });
      expect(undone.status).to.equal(204);
      const { body: progress } = await call(app, "/v1/progress", { token: reader });
      expect(progress).to.deep.include({ judgements: 0, lastHour: 0 });
      expect(progress.items).to.deep.equal({ open: 3, enough: 0, closed: 0, disputed: 0 });
    }),
  );

  it(
    "lets in who has a right token, of the right role and project",
    withStore(async (test) => {
      const { app, people, reader, owner } = await service(test);
      const [token = ""] = people;
      const wrong = `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`;
      for (const bad of [undefined, "", "x", wrong, token.slice(0, 30), `${token}x`]) {
        const { status, body } = await call(app, "/v1/next", bad === undefined ? {} : { token: bad });
        expect([status, body.code], bad).to.deep.equal([401, "ATTUNE_AUTH"]);
      }
      expect((await call(app, "/v1/next", { token: reader })).status).to.equal(403);
      expect((await call(app, "/v1/items", { token, body: { items: [pairItem(9)] } })).status).to.equal(403);
      expect((await call(app, "/v1/next?project=other", { token })).status).to.equal(403);
      const { body: made } = await call(app, "/v1/tokens", {
        token: owner,
        body: { role: "reader", name: "r" },
      });
      expect((await call(app, "/v1/progress", { token: made.token })).status).to.equal(200);
      await call(app, `/v1/tokens/${made.id}/revoke`, { token: owner, method: "POST" });
      expect((await call(app, "/v1/progress", { token: made.token })).status).to.equal(401);
      const expiring = { role: "reader", name: "r", expires: START + 1000 };
      const { body: short } = await call(app, "/v1/tokens", { token: owner, body: expiring });
      expect((await call(app, "/v1/progress", { token: short.token })).status).to.equal(200);
      test.now += 1001;
      expect((await call(app, "/v1/progress", { token: short.token })).status).to.equal(401);
    }),
  );

  it(
    "refuses what is too large, no JSON, broken UTF-8 or of other fields, naming the field",
    withStore(async (test) => {
      const { app, people, trainer } = await service(test);
      const [token = ""] = people;
      const send = (body: unknown, more: Call = {}) => call(app, "/v1/judgements", { token, body, ...more });
      expect((await send("x".repeat(2 ** 20 + 1))).status).to.equal(413);
      expect((await send("{")).body).to.include({ code: "ATTUNE_REQUEST" });
      expect((await send("{}", { headers: { "content-type": "text/plain" } })).status).to.equal(415);
      const bytes = await app.request(`http://${HOST}/v1/judgements`, {
        method: "POST",
        headers: { host: HOST, authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]),
      });
      const refused = (await bytes.json()) as { message: string };
      expect([bytes.status, refused.message]).to.deep.equal([
        400,
        "Expected UTF-8 text but the body holds other bytes.",
      ]);
      expect((await send({ lease: "l", values: [{ kind: "pair", choice: "up" }] })).body.field).to.equal(
        "values.0.choice",
      );
      expect((await send({ lease: "l", values: [{ kind: "pair", choice: "left" }] })).body.field).to.equal(
        "idempotency-key",
      );
      const headers = { "idempotency-key": "k" };
      const unknown = await send({ lease: "l", values: [{ kind: "pair", choice: "left" }] }, { headers });
      expect([unknown.status, unknown.body.code]).to.deep.equal([404, "ATTUNE_NOT_FOUND"]);
      expect((await call(app, "/v1/export", { token: trainer })).body.field).to.equal("?kind");
      expect((await call(app, "/v1/nothing", { token })).status).to.equal(404);
    }),
  );

  it(
    "answers to its own hosts, and lets pages of others write nothing by a cookie",
    withStore(async (test) => {
      const { app, owner } = await service(test);
      const evil = await call(app, "/v1/progress", { token: owner, headers: { host: "evil.example:8130" } });
      expect([evil.status, evil.body.field]).to.deep.equal([421, "host"]);
      const cookie = `${SESSION_COOKIE}=${owner}`;
      const body = { text: "Be kind." };
      const put = (headers: Record<string, string>) =>
        call(app, "/v1/guidelines", { method: "PUT", body, headers: { cookie, ...headers } });
      expect((await call(app, "/v1/progress", { headers: { cookie } })).status).to.equal(200);
      expect((await put({})).status).to.equal(403);
      expect((await put({ origin: "http://evil.example", "x-attune": "1" })).status).to.equal(403);
      expect((await put({ origin: `http://${HOST}` })).status).to.equal(403);
      expect((await put({ origin: `http://${HOST}`, "x-attune": "1" })).body).to.deep.equal({ version: 1 });
    }),
  );

  it(
    "says in every answer that nothing but its own files may run",
    withStore(async (test) => {
      const { app, owner } = await service(test);
      for (const { headers } of [
        await call(app, "/v1/progress", { token: owner }),
        await call(app, "/v1/progress"),
        await call(app, "/nothing"),
        await call(app, "/v1/progress", { headers: { host: "other" } }),
      ]) {
        expect(headers.get("content-security-policy"))
          .to.include("default-src 'none'")
          .and.to.include("script-src 'self'");
        expect(headers.get("x-content-type-options")).to.equal("nosniff");
        expect(headers.get("cache-control")).to.equal("no-store");
      }
    }),
  );

  it(
    "slows down a token that calls too often, and says for how long",
    withStore(async (test) => {
      const { app, owner, reader } = await service(test, { callsPerMinute: 3 });
      for (let i = 0; i < 3; i++)
        expect((await call(app, "/v1/progress", { token: owner })).status).to.equal(200);
      const { status, body, headers } = await call(app, "/v1/progress", { token: owner });
      expect([status, body.code, headers.get("retry-after")]).to.deep.equal([429, "ATTUNE_RATE", "20"]);
      expect((await call(app, "/v1/progress", { token: reader })).status).to.equal(200);
      test.now += 20_000;
      expect((await call(app, "/v1/progress", { token: owner })).status).to.equal(200);
    }),
  );

  it(
    "exports rows line by line, and names of people to owners alone",
    withStore(async (test) => {
      const { app, people, trainer, reader, owner } = await service(test);
      const [token = ""] = people;
      const { body: leased } = await call(app, "/v1/next", { token });
      const values = [{ kind: "pair", choice: "left" }];
      await call(app, "/v1/judgements", {
        token,
        body: { lease: leased.lease, values },
        headers: { "idempotency-key": "k" },
      });
      const { text, headers } = await call(app, "/v1/export?kind=preference", { token: trainer });
      expect(headers.get("content-type")).to.include("application/x-ndjson");
      expect(
        text
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line).source.length),
      ).to.deep.equal([1]);
      expect(JSON.stringify((await call(app, "/v1/annotators", { token: reader })).body)).to.not.include(
        "person-",
      );
      expect(JSON.stringify((await call(app, "/v1/annotators", { token: owner })).body)).to.include(
        "Name of person-0",
      );
      for (const path of ["/v1/ratings?draws=100", "/v1/agreement?draws=100"])
        expect((await call(app, path, { token: reader })).status).to.equal(200);
    }),
  );

  it(
    "sends events in order, from where a reader was cut off",
    withStore(async (test) => {
      const { app, trainer } = await service(test);
      const read = async (
        count: number,
        headers: Record<string, string>,
        meanwhile?: () => Promise<unknown>,
      ) => {
        const aborting = new AbortController();
        const response = await app.request(`http://${HOST}/v1/events`, {
          headers: { host: HOST, authorization: `Bearer ${trainer}`, ...headers },
          signal: aborting.signal,
        });
        const ids: number[] = [];
        const decoder = new TextDecoder();
        let rest = "";
        const reader = (response.body as ReadableStream<Uint8Array>).getReader();
        while (ids.length < count) {
          const { value, done } = await reader.read();
          if (done) break;
          rest += decoder.decode(value, { stream: true });
          const parts = rest.split("\n\n");
          rest = parts.pop() ?? "";
          ids.push(...parts.flatMap((part) => (/^id: (\d+)/.exec(part)?.[1] ?? "").split(" ").map(Number)));
          await meanwhile?.();
        }
        await reader.cancel();
        aborting.abort();
        return ids;
      };
      // The project, two people, three items.
      expect(await read(6, {})).to.deep.equal([1, 2, 3, 4, 5, 6]);
      let written = 0;
      const write = async () => {
        if (written < 3) await test.store.write(PROJECT, "setGuidelines", { text: `version ${written++}` });
      };
      await write();
      expect(await read(5, { "last-event-id": "4" }, write)).to.deep.equal(
        [5, 6, 7, 9, 11].map((_, i) => 5 + i),
      );
    }),
  );

  it(
    "describes itself as OpenAPI, every call with its schema",
    withStore(async (test) => {
      const { app } = await service(test);
      const { body } = await call(app, "/v1/openapi.json");
      expect(body.openapi).to.equal("3.1.0");
      const submit = body.paths["/v1/judgements"].post;
      expect(submit.requestBody.content["application/json"].schema.required).to.include.members([
        "lease",
        "values",
      ]);
      expect(body.paths["/v1/leases/{id}/renew"].post.parameters[0]).to.include({ name: "id", in: "path" });
      for (const methods of Object.values(body.paths as Record<string, Record<string, { summary: string }>>))
        for (const { summary } of Object.values(methods)) expect(summary).to.not.be.empty;
    }),
  );
});
