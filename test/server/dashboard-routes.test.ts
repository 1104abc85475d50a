// The calls of the owner's dashboard: what they tell, and to whom. In one process, by requests as a network brings them.

import { expect } from "chai";
import { makeToken, type NewToken } from "../../lib/feedback/index.js";
import { createFeedbackApp } from "../../lib/server/feedback-app.js";
import { lease, PROJECT, pairItem, personName, sampleProject, say } from "../feedback/sample-project.js";
import { describeStores, START, type StoreUnderTest } from "../feedback/stores.js";

const HOUR = 3_600_000;

type Ask = (
  path: string,
  init?: { method?: string; body?: unknown; as?: NewToken["role"] },
) => Promise<Answer>;
interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what came over the network
  readonly body: any;
}

/** Made once: what a token costs is not what is tested here. */
const made = new Map<NewToken["role"], ReturnType<typeof makeToken>>();

function tokenFor(role: NewToken["role"]): ReturnType<typeof makeToken> {
  const whose = role === "annotator" ? { annotator: personName(0) } : {};
  const known = made.get(role) ?? makeToken({ role, project: PROJECT, name: `of ${role}`, ...whose }, START);
  made.set(role, known);
  return known;
}

/** Asks the service of a store, as its owner unless told otherwise. */
async function serviceOf(test: StoreUnderTest): Promise<Ask> {
  const app = createFeedbackApp({ store: test.store, clock: () => test.now });
  const tokens = new Map<string, string>();
  for (const role of ["owner", "trainer", "reader", "annotator"] as const) {
    const { text, row } = await tokenFor(role);
    await test.store.write(PROJECT, "keepToken", { row });
    tokens.set(role, text);
  }
  return async (path, { method, body, as = "owner" } = {}) => {
    const response = await app.request(`http://127.0.0.1${path}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: { authorization: `Bearer ${tokens.get(as)}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  };
}

async function judgeOnce({ store }: StoreUnderTest, person = 0, choice: "left" | "right" = "left") {
  const leased = await lease(store, personName(person));
  return say(store, personName(person), leased.lease, [{ kind: "pair", choice }]);
}

describeStores("the dashboard's calls", (withStore) => {
  it(
    "count judgements hour by hour, without gaps, and what is still wanted",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 5 });
      const ask = await serviceOf(test);
      await judgeOnce(test);
      await judgeOnce(test);
      test.now += 2 * HOUR;
      await judgeOnce(test);
      const { body } = await ask("/v1/rate?by=hour&last=4");
      expect(body.buckets.map(({ judgements }: { judgements: number }) => judgements)).to.deep.equal([
        0, 2, 0, 1,
      ]);
      expect(body.wanted).to.equal(2);
      const last = body.buckets.at(-1).from;
      expect(last)
        .to.be.at.most(test.now)
        .and.above(test.now - HOUR);
      const days = await ask("/v1/rate?by=day&last=2", { as: "reader" });
      const all = days.body.buckets.reduce(
        (sum: number, one: { judgements: number }) => sum + one.judgements,
        0,
      );
      expect(all).to.equal(3);
    }),
  );

  it(
    "count no judgement that was withdrawn, and tell hidden checks from work",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 3, settings: { gold: 1 } });
      await test.store.write(PROJECT, "setGold", {
        item: "item-0",
        right: [{ kind: "pair", choice: "left" }],
      });
      const ask = await serviceOf(test);
      await judgeOnce(test);
      const { judgement } = await judgeOnce(test, 1);
      await test.store.write(PROJECT, "undo", { judgement, annotator: personName(1) });
      const { body } = await ask("/v1/rate?last=1");
      expect(body.buckets).to.deep.equal([{ from: body.buckets[0].from, judgements: 1, counted: 0 }]);
    }),
  );

  it(
    "list items page by page, by state and by whether their answer is known",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 5 });
      await test.store.write(PROJECT, "closeItem", { item: "item-1" });
      await test.store.write(PROJECT, "setGold", {
        item: "item-3",
        right: [{ kind: "pair", choice: "left" }],
      });
      const ask = await serviceOf(test);
      const seen: string[] = [];
      for (let after = -1, pages = 0; after !== undefined; pages++) {
        const { body } = await ask(`/v1/items?most=2&after=${after}`);
        seen.push(...body.items.map(({ item }: { item: string }) => item));
        after = body.next;
        expect(pages).to.be.below(3);
      }
      expect(seen).to.deep.equal([0, 1, 2, 3, 4].map((i) => `item-${i}`));
      const [closed] = (await ask("/v1/items?state=closed")).body.items;
      expect(closed).to.deep.include({ item: "item-1", state: "closed", slots: 1, judged: 0, unsafe: false });
      expect(closed.answers[0]).to.deep.equal(pairItem(1).answers[0]);
      const gold = (await ask("/v1/items?gold=true")).body.items;
      expect(gold.map(({ item }: { item: string }) => item)).to.deep.equal(["item-3"]);
      expect((await ask("/v1/items?gold=false")).body.items).to.have.length(4);
      expect((await ask("/v1/items?state=lost")).body).to.include({
        code: "ATTUNE_REQUEST",
        field: "?state",
      });
    }),
  );

  it(
    "tell what was said of an item, and by whom",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 1, settings: { overlap: { least: 2, share: 0 } } });
      const ask = await serviceOf(test);
      await judgeOnce(test, 0, "left");
      await judgeOnce(test, 1, "right");
      const { body } = await ask("/v1/items/item-0/judgements");
      expect(
        body.judgements.map(({ annotator, purpose }: Record<string, string>) => [annotator, purpose]),
      ).to.deep.equal([0, 1].map((person) => [personName(person), "work"]));
      expect(body.judgements[1].values[0].choice).to.equal("right");
      expect([...body.judgements[0].shown].sort()).to.deep.equal([0, 1]);
      expect((await ask("/v1/items/item-9/judgements")).body.code).to.equal("ATTUNE_NOT_FOUND");
    }),
  );

  it(
    "tell the settings with a schema that describes each",
    withStore(async (test) => {
      await sampleProject(test.store);
      const ask = await serviceOf(test);
      const { body } = await ask("/v1/settings");
      expect(body).to.deep.include({
        project: PROJECT,
        name: "Corner shop",
        guidelines: 0,
        store: test.kind,
      });
      expect(Object.keys(body.settings).sort()).to.deep.equal(Object.keys(body.schema.properties).sort());
      expect(body.schema.properties.repeat.description).to.include("sides swapped");
      const bad = await ask("/v1/settings", { method: "PUT", body: { gold: 2 } });
      expect([bad.status, bad.body.field]).to.deep.equal([400, "gold"]);
      const overlap = { ...body.settings.overlap, most: 0 };
      expect((await ask("/v1/settings", { method: "PUT", body: { overlap } })).body.field).to.equal(
        "overlap.most",
      );
      await ask("/v1/settings", { method: "PUT", body: { gold: 0.5 } });
      expect((await ask("/v1/settings")).body.settings).to.deep.equal({ ...body.settings, gold: 0.5 });
    }),
  );

  it(
    "list tokens without what opens them, and say which is the caller's",
    withStore(async (test) => {
      await sampleProject(test.store);
      const ask = await serviceOf(test);
      const { body } = await ask("/v1/tokens");
      expect(body.tokens).to.have.length(4);
      expect(JSON.stringify(body)).to.not.match(/hash|salt|attune_/);
      const own = body.tokens.filter(({ own }: { own: boolean }) => own);
      expect(own.map(({ role }: { role: string }) => role)).to.deep.equal(["owner"]);
      const annotator = body.tokens.find(({ role }: { role: string }) => role === "annotator");
      expect(annotator).to.include({ annotator: personName(0), created: START });
      test.now += 5;
      await ask(`/v1/tokens/${annotator.token}/revoke`, { method: "POST" });
      const again = (await ask("/v1/tokens")).body.tokens;
      expect(again.find(({ token }: { token: string }) => token === annotator.token).revoked).to.equal(
        START + 5,
      );
    }),
  );

  it(
    "neither list nor revoke tokens of other projects, or of all",
    withStore(async (test) => {
      await sampleProject(test.store);
      const ask = await serviceOf(test);
      await test.store.write("other", "createProject", { project: "other", name: "Other" });
      const foreign = await makeToken({ role: "reader", project: "other", name: "r" }, START);
      const all = await makeToken({ role: "owner", name: "of all" }, START);
      await test.store.write("other", "keepToken", { row: foreign.row });
      await test.store.write(PROJECT, "keepToken", { row: all.row });
      expect((await ask("/v1/tokens")).body.tokens).to.have.length(4);
      for (const { row } of [foreign, all])
        expect((await ask(`/v1/tokens/${row.token}/revoke`, { method: "POST" })).status).to.equal(404);
      await test.store.write(PROJECT, "revokeToken", { token: all.row.token, every: true });
    }),
  );

  it(
    "are refused to whom they do not concern",
    withStore(async (test) => {
      await sampleProject(test.store);
      const ask = await serviceOf(test);
      const paths = ["/v1/settings", "/v1/tokens", "/v1/items", "/v1/items/item-0/judgements"];
      for (const as of ["annotator", "reader", "trainer"] as const)
        for (const path of paths) expect((await ask(path, { as })).status, `${as} ${path}`).to.equal(403);
      expect((await ask("/v1/rate", { as: "annotator" })).status).to.equal(403);
      for (const as of ["reader", "trainer", "owner"] as const)
        expect((await ask("/v1/rate", { as })).status).to.equal(200);
    }),
  );
});
