// Every call of the service over real HTTP, held against what the OpenAPI document says of its answer.

import { expect } from "chai";
import { SESSION_COOKIE } from "../../lib/server/session.js";
import { PROJECT } from "../feedback/sample-project.js";
import { describeStores } from "../feedback/stores.js";
import { callNames, holdAnswer } from "./documented-answers.js";
import { type Answer, type Call, type RealService, withService } from "./real-service.js";

type Body = Readonly<Record<string, string>>;

const choice = (side: "left" | "right" | "tie") => ({ kind: "pair", choice: side, strength: 1 });
/** What a first call of someone who asks would wait for. */
const quick = "draws=100";

/** Makes calls, and holds each answer against the document. */
class Checked {
  readonly names = new Set<string>();
  private keys = 0;

  constructor(private readonly service: RealService) {}

  /** `name` = `get /v1/items/:id`, whose parts that are named are filled in from `ids` in order. */
  async call(name: string, token: string, { body, query = "", ids = [], headers = {} }: Asked = {}) {
    const [method = "", template = ""] = name.split(" ");
    const rest = [...ids];
    const path = template.replace(/:\w+/g, () => rest.shift() ?? "");
    this.keys += 1;
    const call: Call = {
      ...{ method: method.toUpperCase(), headers: { "idempotency-key": `${this.keys}`, ...headers } },
      ...(token === "" ? {} : { token }),
      ...(body === undefined ? {} : { body }),
    };
    return this.hold(name, await this.service.call(`${path}${query}`, call));
  }

  hold(name: string, answer: Pick<Answer, "status" | "text"> & { readonly body?: unknown }): Body {
    holdAnswer(name, answer);
    this.names.add(name);
    return (answer.body ?? {}) as Body;
  }
}

interface Asked {
  readonly body?: unknown;
  readonly query?: string;
  readonly ids?: readonly (string | undefined)[];
  readonly headers?: Readonly<Record<string, string>>;
}

async function ownersCalls(checked: Checked, owner: string, trainer: string): Promise<void> {
  await checked.call("put /v1/guidelines", owner, { body: { text: "Be kind." } });
  await checked.call("get /v1/guidelines", trainer, { query: "?version=1" });
  await checked.call("put /v1/settings", owner, { body: { gold: 0, overlap: { share: 1, shared: 2 } } });
  await checked.call("get /v1/settings", owner);
  const people = ["a", "b"].map((annotator) => ({ annotator, name: "Ada", group: "experts" }));
  for (const body of people) await checked.call("post /v1/annotators", owner, { body });
  const { id } = await checked.call("post /v1/tokens", owner, { body: { role: "reader", name: "r" } });
  await checked.call("post /v1/tokens/:id/revoke", owner, { ids: [id] });
  await checked.call("get /v1/tokens", owner);
  const added = await checked.call("post /v1/webhooks", owner, { body: { url: "https://example.com/" } });
  await checked.call("get /v1/webhooks", owner);
  await checked.call("get /v1/webhooks/:id/dead", owner, { ids: [added.id] });
  await checked.call("post /v1/webhooks/:id/replay", owner, { body: {}, ids: [added.id] });
  await checked.call("post /v1/webhooks/:id/remove", owner, { ids: [added.id] });
}

async function trainersCalls(checked: Checked, trainer: string): Promise<void> {
  const items = ["p", "q", "r"].map((prompt, i) => ({
    ...{ prompt, externalId: `own-${i}`, asks: [{ kind: "pair" }, { kind: "comment" }] },
    answers: [{ content: "a", model: "m" }, { content: [{ role: "assistant", content: "b" }] }],
  }));
  await checked.call("post /v1/items", trainer, { body: { items } });
  await checked.call("post /v1/priorities", trainer, { body: { priorities: [["item-0", 9]] } });
  await checked.call("post /v1/policies", trainer, { body: { policy: "p", model: "m" } });
  const said = { user: "u", prompt: "p", answers: [{ content: "a" }], value: { kind: "thumb", up: true } };
  await checked.call("post /v1/captures", trainer, { body: said });
  const rows = [{ prompt: "p", chosen: "c", rejected: "d" }];
  await checked.call("post /v1/import", trainer, { body: rows, query: "?format=rows" });
}

/** Judges what each of two people gets, and shows one's own work. */
async function judgesCalls(checked: Checked, owner: string, people: readonly string[]): Promise<void> {
  for (const [i, token] of people.entries())
    for (const values of [[choice("left")], [choice("right")], [choice(i === 0 ? "tie" : "left")]]) {
      const { lease } = await checked.call("get /v1/next", token);
      await checked.call("post /v1/judgements", token, { body: { lease, values, activeMs: 2000 } });
    }
  const [token = ""] = people;
  const { lease } = await checked.call("get /v1/next", token);
  await checked.call("put /v1/leases/:id/draft", token, { body: { draft: { a: 1 } }, ids: [lease] });
  await checked.call("get /v1/next", token);
  await checked.call("post /v1/leases/:id/renew", token, { ids: [lease] });
  const body = { lease, values: [choice("left")] };
  const { judgement } = await checked.call("post /v1/judgements", token, { body });
  await checked.call("get /v1/judgements/:id", token, { ids: [judgement] });
  const values = [choice("right")];
  const revised = await checked.call("post /v1/judgements/:id/revise", token, {
    ...{ body: { values }, ids: [judgement] },
  });
  await checked.call("post /v1/judgements/:id/undo", token, { ids: [revised.judgement] });
  const next = await checked.call("get /v1/next", token);
  await checked.call("post /v1/skips", token, { body: { lease: next.lease, reason: "other" } });
  await checked.call("get /v1/mine", token);
  await checked.call("post /v1/items/:id/gold", owner, { body: { right: values }, ids: ["item-2"] });
  await checked.call("post /v1/items/:id/close", owner, { ids: ["item-2"] });
}

async function readersCalls(checked: Checked, owner: string, reader: string): Promise<void> {
  await checked.call("get /v1/progress", reader);
  await checked.call("get /v1/rate", reader, { query: "?by=hour&last=3" });
  await checked.call("get /v1/agreement", reader, { query: `?${quick}` });
  await checked.call("get /v1/ratings", reader, { query: `?${quick}&styles=length&ties=davidson` });
  await checked.call("get /v1/ratings", reader, { query: `?${quick}` });
  await checked.call("get /v1/annotators", reader);
  await checked.call("get /v1/annotators", owner);
  await checked.call("get /v1/items", owner, { query: "?most=3" });
  await checked.call("get /v1/items", owner, { query: "?gold=true" });
  await checked.call("get /v1/export", owner, { query: "?kind=preference" });
  await checked.call("get /v1/export", owner, { query: "?kind=unpaired" });
  await checked.call("get /v1/withdrawn", owner);
}

async function redactions(checked: Checked, { call }: RealService, owner: string): Promise<void> {
  const { body } = await call("/v1/items?most=200", { token: owner });
  const items = body.items as unknown as readonly { item: string; judged: number }[];
  const judged = items.filter((one) => one.judged > 0).map(({ item }) => item);
  expect(judged.length).to.be.greaterThan(1);
  const [first, second] = judged;
  const said = await checked.call("get /v1/items/:id/judgements", owner, { ids: [first] });
  const [one] = said.judgements as unknown as readonly { judgement: string }[];
  await checked.call("post /v1/judgements/:id/redact", owner, { ids: [one?.judgement] });
  await checked.call("post /v1/items/:id/redact", owner, { ids: [second] });
}

async function sessionsCalls(checked: Checked, { port }: RealService, owner: string): Promise<void> {
  const headers = { origin: `http://127.0.0.1:${port}`, "x-attune": "1" };
  await checked.call("post /v1/session", "", { headers, body: { token: owner } });
  await checked.call("get /v1/me", "", { headers: { cookie: `${SESSION_COOKIE}=${owner}` } });
  await checked.call("delete /v1/session", "", { headers });
  await checked.call("get /v1/openapi.json", "");
}

/** The log from its beginning, until something of it has come. */
async function eventsOf({ port }: RealService, token: string) {
  const reading = new AbortController();
  const response = await fetch(`http://127.0.0.1:${port}/v1/events`, {
    ...{ headers: { authorization: `Bearer ${token}` }, signal: reading.signal },
  });
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece as Uint8Array, { stream: true });
    if (text.endsWith("\n\n")) break;
  }
  reading.abort();
  return { status: response.status, text };
}

describeStores("answers of the service", (withStore) => {
  it(
    "are what the OpenAPI document says, of every call",
    withStore((test) =>
      withService(test, async (service) => {
        const { owner, trainer, reader, people } = service;
        const checked = new Checked(service);
        await ownersCalls(checked, owner, trainer);
        await trainersCalls(checked, trainer);
        await judgesCalls(checked, owner, people);
        await readersCalls(checked, owner, reader);
        checked.hold("get /v1/events", await eventsOf(service, trainer));
        await redactions(checked, service, owner);
        await sessionsCalls(checked, service, owner);
        const body = { project: PROJECT, name: "again" };
        const again = await service.call("/v1/projects", { token: owner, body });
        expect([again.status, again.body.code]).to.deep.equal([409, "ATTUNE_EXISTS"]);
        // Held where there is a token of every project, and where a loop runs.
        const elsewhere = ["post /v1/projects", "get /v1/loop"];
        expect([...checked.names, ...elsewhere].toSorted()).to.deep.equal(callNames.toSorted());
      }),
    ),
  );
});
