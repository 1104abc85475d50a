// A project's log as lines: out of one store, into another of either kind, with the same fold, and what is no such log.

import { writeFileSync } from "node:fs";
import { expect } from "chai";
import { exportRows } from "../../lib/feedback/export-rows.js";
import { exportLog } from "../../lib/feedback/log/export-log.js";
import { importLog } from "../../lib/feedback/log/import-log.js";
import { openEmbeddedStore } from "../../lib/feedback/store/embedded-store.js";
import { openPostgresStore } from "../../lib/feedback/store/postgres-store.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { makeToken, TokenCheck } from "../../lib/feedback/tokens.js";
import { expectFailure } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { projectionsOf } from "./projections.js";
import { addPerson, lease, PROJECT, personName, sampleProject, say } from "./sample-project.js";
import { describeStores, START, withDatabase } from "./stores.js";

const ann = personName(0);

async function linesOf(store: FeedbackStore, installation = false): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportLog({ reading: store.reading, project: PROJECT, installation }))
    lines.push(line);
  return lines;
}

async function rowsOf(store: FeedbackStore): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const row of exportRows({ reading: store.reading, project: PROJECT, kind: "preference" }))
    rows.push(row);
  return rows;
}

async function filled(store: FeedbackStore): Promise<string> {
  await sampleProject(store, { items: 4 });
  for (let i = 0; i < 2; i++) await say(store, ann, (await lease(store, ann)).lease);
  const { judgement } = await say(store, ann, (await lease(store, ann)).lease);
  await store.write(PROJECT, "undo", { judgement, annotator: ann });
  await lease(store, personName(1));
  const { row, text } = await makeToken({ role: "trainer", project: PROJECT, name: "t" }, START);
  await store.write(PROJECT, "keepToken", { row });
  return text;
}

describeStores("a project's log", (withStore) => {
  const at = suiteFolder();
  let number = 0;

  /** Of the other kind where there is a server: the way from one to the other. */
  async function withOther(kind: string, run: (store: FeedbackStore) => Promise<void>): Promise<void> {
    const server = process.env.ATTUNE_TEST_POSTGRES_URL;
    const use = async (store: FeedbackStore) => {
      try {
        await run(store);
      } finally {
        await store.close();
      }
    };
    number += 1;
    if (kind === "embedded" && server !== undefined)
      await withDatabase(server, async (url) => use(await openPostgresStore({ url })));
    else await use(await openEmbeddedStore({ folder: at(`other-${kind}-${number}`) }));
  }

  it(
    "goes to another store with all that it means, pseudonyms and tokens where asked",
    withStore(async ({ store, kind }) => {
      const token = await filled(store);
      const file = at(`log-${kind}.jsonl`);
      writeFileSync(file, (await linesOf(store, true)).map((line) => `${line}\n`).join(""));
      await withOther(kind, async (other) => {
        const done = await importLog({ store: other, source: file });
        expect(done).to.include({ project: PROJECT }).and.to.have.property("added", done.events);
        expect(await projectionsOf(other)).to.equal(await projectionsOf(store));
        expect(await rowsOf(other)).to.deep.equal(await rowsOf(store));
        expect(await new TokenCheck({ store: other, clock: () => START }).callerOf(token, "here")).to.include(
          { role: "trainer" },
        );
        const before = await projectionsOf(other);
        expect(await other.rebuild()).to.equal(done.events);
        expect(await projectionsOf(other)).to.equal(before);
        // It goes on from there, and the same log adds nothing.
        expect((await importLog({ store: other, source: file })).added).to.equal(0);
        await addPerson(other, "late");
        expect(await lease(other, "late")).to.have.property("lease");
      });
    }),
  );

  it(
    "goes on where it was cut off, and holds no key unless somebody wants it",
    withStore(async ({ store, kind }) => {
      await filled(store);
      const lines = await linesOf(store);
      expect(lines.join("")).to.not.match(/"secrets"|"hash"/);
      await withOther(kind, async (other) => {
        await expectFailure(
          () => importLog({ store: other, source: lines.slice(0, 8) }),
          "ATTUNE_DATA",
          "breaks off after 7",
        );
        const { added, events } = await importLog({ store: other, source: lines });
        expect([added, events]).to.deep.equal([lines.length - 8, lines.length - 1]);
        expect(await projectionsOf(other)).to.equal(await projectionsOf(store));
        expect(await rowsOf(other)).to.have.length(2);
      });
    }),
  );

  it(
    "is refused where it is none, has a gap, is newer, or another project has the name",
    withStore(async ({ store }) => {
      await filled(store);
      const lines = await linesOf(store);
      const [head = "", first = "", second = "", ...rest] = lines;
      const take = (source: readonly string[]) => () => importLog({ store, source });
      await expectFailure(take([first]), "ATTUNE_DATA", "first line");
      await expectFailure(take([head, first, ...rest]), "ATTUNE_DATA", "event 2");
      await expectFailure(take([head, "{"]), "ATTUNE_DATA_JSON", "log:2");
      await expectFailure(take([head, '{"type":"nothing"}']), "ATTUNE_DATA", "log:2");
      await expectFailure(take([head, first.replace('"v":1', '"v":9')]), "ATTUNE_STORE", "newer");
      const other = second.replace(/"id":"[^"]+"/, '"id":"another"');
      await expectFailure(take([head, first, other, ...rest]), "ATTUNE_EXISTS", PROJECT);
    }),
  );
});
