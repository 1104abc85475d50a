// What nobody should send, over real HTTP: each is refused with its status and code, changes nothing, and the service goes on.

import { expect } from "chai";
import { lease, PROJECT, pairItem, personName } from "../feedback/sample-project.js";
import { describeStores, type StoreUnderTest } from "../feedback/stores.js";
import { type Call, type RealService, tokenOf, withService } from "./real-service.js";

const LONE = "\ud83d";
const MINUTE = 60_000;

interface Refused {
  readonly name: string;
  readonly path?: string;
  readonly as?: "owner" | "trainer" | "reader" | "person" | "nobody";
  readonly call?: Call;
  readonly status: number;
  readonly code: string;
  readonly field?: string;
}

const pair = [{ kind: "pair", choice: "left" }];
const key = { "idempotency-key": "one" };
const item = (more: object) => ({ body: { items: [{ ...pairItem(9), ...more }] } });
const items = { path: "/v1/items", as: "trainer", code: "ATTUNE_REQUEST" } as const;
const judgements = { path: "/v1/judgements", code: "ATTUNE_REQUEST" } as const;
const people = { path: "/v1/annotators", as: "owner", code: "ATTUNE_REQUEST", status: 400 } as const;

const bodies: readonly Refused[] = [
  { ...judgements, name: "no JSON", call: { body: "{" }, status: 400 },
  { ...judgements, name: "no body", call: { method: "POST" }, status: 400 },
  { ...judgements, name: "null", call: { body: "null" }, status: 400 },
  { ...judgements, name: "a list", call: { body: "[]" }, status: 400 },
  {
    ...judgements,
    name: "a form",
    call: { body: "a=b", headers: { "content-type": "text/plain" } },
    status: 415,
  },
  { ...judgements, name: "broken UTF-8", call: { body: Buffer.from([0x22, 0xc3, 0x28, 0x22]) }, status: 400 },
  { ...judgements, name: "more than 1 MiB", call: { body: " ".repeat(2 ** 20 + 1) }, status: 413 },
  {
    ...judgements,
    name: "more than 1 MiB in pieces of no known number",
    call: { body: " ".repeat(3 * 2 ** 20), headers: { "transfer-encoding": "chunked" } },
    status: 413,
  },
  { ...items, name: "more than 16 MiB of items", call: { body: " ".repeat(2 ** 24 + 1) }, status: 413 },
  {
    ...judgements,
    name: "500,000 lists inside each other",
    call: { body: "[".repeat(500_000) },
    status: 400,
  },
  {
    ...items,
    name: "100 objects inside each other",
    call: item({ metadata: JSON.parse(`${'{"a":'.repeat(100)}1${"}".repeat(100)}`) }),
    status: 400,
  },
  {
    ...items,
    name: "a prototype",
    call: { body: `{"items":[{"prompt":"p","answers":[{"content":"a"}],"__proto__":{"unsafe":true}}]}` },
    status: 400,
    field: "__proto__",
  },
  {
    ...items,
    name: "a prototype in escapes, deep inside",
    call: { body: `{"items":[{"prompt":"p","answers":[],"metadata":{"a":{"\\u005f_proto__":1}}}]}` },
    status: 400,
    field: "__proto__",
  },
  {
    ...items,
    name: "a constructor",
    call: item({ constructor: { prototype: { a: 1 } } }),
    status: 400,
    field: "items.0",
  },
  {
    ...items,
    name: "a number without end",
    call: { body: `{"items":[{"prompt":"p","answers":[{"content":"a"}],"priority":1e999}]}` },
    status: 400,
    field: "items.0.priority",
  },
  {
    ...items,
    name: "NUL in an id",
    call: item({ externalId: "a\0b" }),
    status: 400,
    field: "items.0.externalId",
  },
  {
    ...items,
    name: "half a character in an id",
    call: item({ externalId: LONE }),
    status: 400,
    field: "items.0.externalId",
  },
  {
    ...items,
    name: "a long id",
    call: item({ externalId: "x".repeat(301) }),
    status: 400,
    field: "items.0.externalId",
  },
  { ...people, name: "NUL in a name", call: { body: { annotator: "a", name: "\0" } }, field: "name" },
  {
    ...people,
    name: "a name of two lines",
    call: { body: { annotator: "a\nb", name: "b" } },
    field: "annotator",
  },
  {
    ...{ name: "NUL in guidelines", path: "/v1/guidelines", as: "owner", status: 400, code: "ATTUNE_DATA" },
    ...{ call: { method: "PUT", body: { text: "Be\0kind" } }, field: "text" },
  },
  {
    ...{ name: "a lease of years", path: "/v1/settings", as: "owner", status: 400, code: "ATTUNE_OPTION" },
    ...{ call: { method: "PUT", body: { leaseMinutes: 1e300 } }, field: "leaseMinutes" },
  },
  {
    ...{
      name: "a number of the future",
      path: "/v1/tokens",
      as: "owner",
      status: 400,
      code: "ATTUNE_REQUEST",
    },
    ...{ call: { body: { role: "reader", name: "r", expires: 2 ** 60 } }, field: "expires" },
  },
  {
    ...judgements,
    name: "an id of 1 MB",
    call: { body: { lease: "x".repeat(1_000_000), values: pair }, headers: key },
    status: 400,
    field: "lease",
  },
  {
    ...judgements,
    name: "no key",
    call: { body: { lease: "x", values: pair } },
    status: 400,
    field: "idempotency-key",
  },
];

const unknown = { status: 404, code: "ATTUNE_NOT_FOUND" } as const;
const broken = { status: 400, code: "ATTUNE_REQUEST", field: "id" } as const;
const addresses: readonly Refused[] = [
  {
    ...unknown,
    name: "an unknown lease",
    path: "/v1/judgements",
    call: { body: { lease: "x", values: pair }, headers: key },
  },
  { ...unknown, name: "an unknown lease to keep", path: "/v1/leases/x/renew", call: { method: "POST" } },
  {
    ...unknown,
    name: "an unknown lease to fill",
    path: "/v1/leases/x/draft",
    call: { method: "PUT", body: { draft: 1 } },
  },
  {
    ...unknown,
    name: "an unknown lease to skip",
    path: "/v1/skips",
    call: { body: { lease: "x", reason: "other" } },
  },
  { ...unknown, name: "an unknown judgement", path: "/v1/judgements/x/undo", call: { method: "POST" } },
  {
    ...unknown,
    name: "an unknown judgement to revise",
    path: "/v1/judgements/x/revise",
    call: { body: { values: pair }, headers: key },
  },
  { ...unknown, name: "an unknown item", path: "/v1/items/x/close", as: "owner", call: { method: "POST" } },
  {
    ...unknown,
    name: "an unknown token",
    path: "/v1/tokens/x/revoke",
    as: "owner",
    call: { method: "POST" },
  },
  { ...unknown, name: "an unknown webhook", path: "/v1/webhooks/x/dead", as: "owner" },
  { ...unknown, name: "an unknown path", path: "/v1/%2e%2e/etc/passwd" },
  { ...unknown, name: "a broken escape", path: "/v1/leases/%E0%A4%A/renew", call: { method: "POST" } },
  { ...broken, name: "NUL in a path", path: "/v1/leases/%00/renew", call: { method: "POST" } },
  {
    ...broken,
    name: "a long id in a path",
    path: `/v1/leases/${"x".repeat(3000)}/renew`,
    call: { method: "POST" },
  },
  { ...broken, name: "NUL in a query", path: "/v1/progress?project=%00", as: "reader", field: "project" },
  {
    ...broken,
    name: "a query of another type",
    path: "/v1/agreement?draws=1e9",
    as: "reader",
    field: "?draws",
  },
  { name: "a project of others", path: "/v1/next?project=other", status: 403, code: "ATTUNE_AUTH" },
  { name: "a call of others", path: "/v1/export?kind=preference", status: 403, code: "ATTUNE_AUTH" },
  { name: "no token", path: "/v1/next", as: "nobody", status: 401, code: "ATTUNE_AUTH" },
  {
    ...{ name: "a token that is none", path: "/v1/next", as: "nobody", status: 401, code: "ATTUNE_AUTH" },
    call: { token: `attune_${"0".repeat(16)}_${"A".repeat(43)}` },
  },
];

/** The log's last number and every row that a call could change. */
async function stateOf({ store }: StoreUnderTest): Promise<string> {
  const { reading } = store;
  const rows = [];
  for (const table of ["events", "items", "assignments", "tokens", "webhooks", "replies", "drafts"] as const)
    rows.push(await reading.selectFrom(table).selectAll().execute());
  return JSON.stringify(rows);
}

async function expectRefused(test: StoreUnderTest, service: RealService, all: readonly Refused[]) {
  const before = await stateOf(test);
  for (const { name, path = "/v1/judgements", as = "person", call = {}, status, code, field } of all) {
    const token = as === "person" ? service.people[0] : as === "nobody" ? undefined : service[as];
    const answer = await service.call(path, { ...(token === undefined ? {} : { token }), ...call });
    const { headers, body } = answer;
    expect([answer.status, body.code, body.field], name).to.deep.equal([status, code, field]);
    expect(headers["x-content-type-options"], name).to.equal("nosniff");
    expect(headers["content-type"], name).to.equal("application/json");
  }
  expect(await stateOf(test)).to.equal(before);
  expect((await service.call("/v1/next", { token: service.people[0] })).status).to.equal(200);
}

describeStores("bad input", (withStore) => {
  it(
    "in bodies is refused by a code and the field, and changes nothing",
    withStore((test) =>
      withService(test, async (service) => {
        await expectRefused(test, service, bodies);
        expect(({} as { unsafe?: boolean }).unsafe).to.equal(undefined);
      }),
    ),
  );

  it(
    "in addresses and of people without the right is refused, and changes nothing",
    withStore((test) => withService(test, (service) => expectRefused(test, service, addresses))),
  );

  it(
    "in contents is kept as it is and goes out as JSON that nothing runs",
    withStore((test) =>
      withService(
        test,
        async ({ call, people: [token], trainer }) => {
          const hostile = `<script>alert(1)</script><img src=x onerror=alert(1)>\0${LONE} \u202e \u2028</html>`;
          const answers = [{ content: hostile }, { content: [{ role: "assistant", content: hostile }] }];
          const added = await call("/v1/items", {
            token: trainer,
            body: { items: [{ prompt: hostile, answers }] },
          });
          expect(added.status).to.equal(200);
          const { body, headers } = await call("/v1/next", { token });
          expect(headers["content-type"]).to.equal("application/json");
          expect(headers["x-content-type-options"]).to.equal("nosniff");
          expect(headers["content-security-policy"]).to.include("default-src 'none'");
          expect(body.prompt).to.equal(hostile);
          expect(JSON.stringify(body.answers)).to.include(JSON.stringify(hostile));
          const values = [
            { kind: "pair", choice: "left" },
            { kind: "comment", text: hostile },
          ];
          const judged = await call("/v1/judgements", {
            ...{ token, headers: key },
            body: { lease: body.lease, values },
          });
          expect(judged.status).to.equal(200);
          const { text } = await call("/v1/export?kind=preference", { token: trainer });
          expect(JSON.stringify(JSON.parse(text))).to.include(JSON.stringify(hostile));
        },
        { items: 0 },
      ),
    ),
  );

  it(
    "of leases that are over and of calls that come twice loses nothing and counts nothing twice",
    withStore((test) =>
      withService(
        test,
        async ({ call, people: [first, second] }) => {
          const leased = (await call("/v1/next", { token: first })).body.lease as unknown as string;
          test.now += 11 * MINUTE;
          const late = await call(`/v1/leases/${leased}/renew`, { token: first, method: "POST" });
          expect([late.status, late.body.code]).to.deep.equal([409, "ATTUNE_LEASE"]);
          const other = (await call("/v1/next", { token: second })).body.lease as unknown as string;
          const judge = (token: string, lease: string, name: string, choice = "left") =>
            call("/v1/judgements", {
              ...{ token, headers: { "idempotency-key": name } },
              body: { lease, values: [{ kind: "pair", choice }] },
            });
          const stranger = await judge(second, leased, "s");
          expect([stranger.status, stranger.body.code]).to.deep.equal([409, "ATTUNE_LEASE"]);
          // Both at once: one judges, the other is told the same.
          const twice = await Promise.all([judge(second, other, "a"), judge(second, other, "a")]);
          expect(twice.map(({ status }) => status)).to.deep.equal([200, 200]);
          expect(twice[0]?.body).to.deep.equal(twice[1]?.body);
          const conflict = await judge(second, other, "a", "right");
          expect([conflict.status, conflict.body.code]).to.deep.equal([409, "ATTUNE_CONFLICT"]);
          const again = await judge(second, other, "b");
          expect([again.status, again.body.code]).to.deep.equal([409, "ATTUNE_LEASE"]);
          // Its slot is gone; what the person said is kept.
          const kept = await judge(first, leased, "c");
          expect([kept.status, kept.body.counts]).to.deep.equal([200, false]);
          const rows = await test.store.reading.selectFrom("judgements").select("counts").execute();
          expect(rows.map(({ counts }) => counts).sort()).to.deep.equal([0, 1]);
        },
        { items: 1 },
      ),
    ),
  );

  it(
    "of clocks that jump takes no lease, judgement or order of events away",
    withStore((test) =>
      withService(test, async ({ call, people: [token], owner, reader }) => {
        const judge = async (name: string) => {
          const { lease: leased } = await lease(test.store, personName(0));
          const body = { lease: leased, values: pair };
          return call("/v1/judgements", { token, body, headers: { "idempotency-key": name } });
        };
        const expires = test.now + 60 * MINUTE;
        const { body: made } = await call("/v1/tokens", {
          ...{ token: owner, body: { role: "reader", name: "r", expires } },
        });
        const limited = made.token as unknown as string;
        for (const [i, jump] of [-86_400_000, 2 * 86_400_000, -86_400_000].entries()) {
          test.now += jump;
          expect((await judge(`jump-${i}`)).body, String(jump)).to.include({ counts: true });
          expect((await call("/v1/progress", { token: reader })).status).to.equal(200);
          const status = (await call("/v1/progress", { token: limited })).status;
          expect(status, "by the clock as it is").to.equal(test.now < expires ? 200 : 401);
        }
        const events = await test.store.reading.selectFrom("events").select("time").orderBy("seq").execute();
        const times = events.map(({ time }) => Number(time));
        expect(times).to.deep.equal(times.toSorted((a, b) => a - b));
      }),
    ),
  );

  it(
    "of tokens: revoked ones open nothing, and guesses at one are slowed down without keeping its owner out",
    withStore((test) =>
      withService(test, async ({ call, owner, reader, trainer }) => {
        const progress = (token: string) => call("/v1/progress", { token });
        expect((await progress(trainer)).status).to.equal(200);
        const made = await tokenOf(test.store, { role: "reader", project: PROJECT, name: "r" }, test.now);
        // Another letter before the number: one token in a hundred ends in a number that is tried.
        const other = made.at(-3) === "A" ? "B" : "A";
        const wrong = (i: number) => `${made.slice(0, -3)}${other}${String(i).padStart(2, "0")}`;
        const statuses = [];
        for (let i = 0; i < 12; i++) statuses.push((await progress(wrong(i))).status);
        expect(statuses).to.deep.equal([...Array(10).fill(401), 429, 429]);
        const { body, headers } = await progress(wrong(50));
        expect([body.code, Number(headers["retry-after"]) > 0]).to.deep.equal(["ATTUNE_RATE", true]);
        expect((await progress(reader)).status, "another token").to.equal(200);
        test.now += MINUTE;
        expect((await progress(made)).status).to.equal(200);
        for (let i = 0; i < 30; i++) await progress(wrong(i));
        expect((await progress(made)).status, "one that was shown lately").to.equal(200);
        const id = made.split("_")[1];
        await call(`/v1/tokens/${id}/revoke`, { token: owner, method: "POST" });
        expect((await progress(made)).status).to.equal(401);
      }),
    ),
  );
});
