// Readers of a project's events over real HTTP that are cut off at random and begin again behind what they have.

import { request as httpRequest } from "node:http";
import { expect } from "chai";
import { PROJECT } from "../feedback/sample-project.js";
import type { StoreUnderTest } from "../feedback/stores.js";
import { normalNumbers } from "../support/tiny-model.js";
import { withService } from "./real-service.js";

interface Reading {
  readonly port: number;
  readonly token: string;
  /** What it has read before. */
  readonly ids: number[];
  /** It is cut off behind so many more events, or behind this one. */
  readonly most: number;
  readonly last: number;
}

/** One connection; it adds to `ids` what came whole. */
function readOnce({ port, token, ids, most, last }: Reading): Promise<void> {
  return new Promise((resolve, reject) => {
    const begun = ids.length;
    const headers = { authorization: `Bearer ${token}`, "last-event-id": String(ids.at(-1) ?? 0) };
    const request = httpRequest({ host: "127.0.0.1", port, path: "/v1/events", agent: false, headers });
    request.on("error", reject);
    request.on("response", (response) => {
      let rest = "";
      response.on("error", () => undefined);
      response.on("close", () => resolve());
      response.on("data", (piece: Buffer) => {
        const parts = (rest + piece.toString()).split("\n\n");
        rest = parts.pop() ?? "";
        for (const part of parts) {
          const id = /^id: (\d+)/.exec(part)?.[1];
          if (id === undefined || ids.length - begun >= most || ids.at(-1) === last) continue;
          ids.push(Number(id));
        }
        if (ids.length - begun >= most || ids.at(-1) === last) response.destroy();
      });
    });
    request.end();
  });
}

/** Events are written meanwhile; each reader must have every one, once, in order. Number of times that one was cut off. */
export async function expectNoGaps(
  test: StoreUnderTest,
  { readers, events }: { readonly readers: number; readonly events: number },
): Promise<number> {
  let cuts = 0;
  await withService(
    test,
    async ({ port, trainer }) => {
      const { seq } = await test.store.reading
        .selectFrom("sequences")
        .select("seq")
        .executeTakeFirstOrThrow();
      const last = Number(seq) + events;
      const random = normalNumbers(readers);
      const read = async (): Promise<readonly number[]> => {
        const ids: number[] = [];
        while (ids.at(-1) !== last) {
          const most = 1 + Math.floor(Math.abs(random()) * 20);
          await readOnce({ port, token: trainer, ids, most, last });
          cuts += 1;
        }
        return ids;
      };
      const reading = Promise.all(Array.from({ length: readers }, read));
      for (let i = 0; i < events; i++)
        await test.store.write(PROJECT, "setGuidelines", { text: `Rule ${i}` });
      const wanted = Array.from({ length: last }, (_, i) => i + 1);
      for (const ids of await reading) expect(ids).to.deep.equal(wanted);
    },
    { callsPerMinute: 1_000_000 },
  );
  return cuts;
}
