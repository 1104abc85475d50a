// 1,000 races for a last slot, over HTTP: four people ask at once, one gets it. On PostgreSQL they ask two processes.

import { expect } from "chai";
import { makeFilledStore } from "../../../bench/feedback/filled-store.js";
import { callerOf } from "../../../bench/feedback/http-calls.js";
import { type Service, startService } from "../../../bench/feedback/processes.js";
import type { Lease } from "../../../lib/feedback/index.js";
import { pairItem } from "../../feedback/sample-project.js";
import { withDatabase } from "../../feedback/stores.js";
import { suiteFolder } from "../../support/temporary-folder.js";

const RACES = 1000;

async function race(place: string, processes: number): Promise<void> {
  const settings = { overlap: { share: 0 }, gold: 0, repeat: 0 };
  const { tokens } = await makeFilledStore({ store: place, people: 4, judgements: 0, open: 0, settings });
  const services: Service[] = [];
  for (let i = 0; i < processes; i++) services.push(await startService({ store: place }));
  const portOf = (i: number) => services[i % processes]?.port ?? 0;
  const owner = callerOf(portOf(0), tokens.owner);
  const people = tokens.people.map((token, i) => callerOf(portOf(i), token));
  const wins = people.map(() => 0);
  try {
    for (let i = 0; i < RACES; i++) {
      await owner.call("/v1/items", { body: { items: [pairItem(i)] } });
      // Another one is first each time: a process answers in the order in which it was asked.
      const order = people.map((_, person) => (person + i) % people.length);
      const answers = await Promise.all(order.map((person) => people[person]?.call("/v1/next")));
      const asked = people.map((_, person) => answers[order.indexOf(person)]);
      const winners = asked.flatMap((answer, person) => (answer?.status === 200 ? [person] : []));
      expect(winners, `race ${i}: ${asked.map((answer) => answer?.status).join(" ")}`).to.have.length(1);
      const [winner = 0] = winners;
      wins[winner] = (wins[winner] ?? 0) + 1;
      const { lease } = (asked[winner]?.body ?? {}) as Partial<Lease>;
      const body = { lease, values: [{ kind: "pair", choice: "tie" }], activeMs: 1, keysUsed: true };
      const said = await people[winner]?.call("/v1/judgements", {
        body,
        headers: { "idempotency-key": `${i}` },
      });
      expect(said?.status).to.equal(200);
    }
  } finally {
    for (const caller of [owner, ...people]) caller.close();
    for (const service of services) await service.stop();
  }
  console.log(`      won: ${wins.join(", ")}`);
  expect(wins.filter((count) => count === 0)).to.deep.equal([]);
}

describe("1,000 races for a last slot", () => {
  const at = suiteFolder();

  it("have one winner each, embedded", () => race(at("store"), 1));

  it("have one winner each, two processes on PostgreSQL", async function () {
    const server = process.env.ATTUNE_TEST_POSTGRES_URL;
    if (server === undefined) return this.skip();
    await withDatabase(server, (url) => race(url, 2));
  });
});
