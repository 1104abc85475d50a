// Imports that come again, are broken, packed or in the wrong place. Must not look at what formats say.

import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { importRows } from "../../lib/feedback/imports/import-rows.js";
import { readEvents } from "../../lib/feedback/store/event-log.js";
import { expectFailure, failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { arenaRow, argillaRow, hhRow, imported, studioRow, summarizeRow } from "./imported-rows.js";
import { projectionsOf } from "./projections.js";
import { PROJECT, sampleProject } from "./sample-project.js";
import { describeStores } from "./stores.js";

describeStores("imports that come again or are broken", (withStore) => {
  const at = suiteFolder();

  it(
    "add nothing the second time, and fold to the same again",
    withStore(async (test) => {
      const { store } = test;
      await sampleProject(store, { items: 0 });
      const all = [hhRow, summarizeRow, arenaRow, argillaRow, studioRow, { prompt: "p" }];
      for (const row of all) await imported(store, [row]);
      const events = await readEvents(store.reading, { project: PROJECT, after: 0, most: 1000 });
      for (const row of all) {
        const again = await imported(store, [row]);
        expect(again).to.include({ items: 0, judgements: 0, aiJudgements: 0, annotators: 0, gold: 0 });
      }
      expect(await readEvents(store.reading, { project: PROJECT, after: 0, most: 1000 })).to.deep.equal(
        events,
      );
      const before = await projectionsOf(store);
      expect(await store.rebuild()).to.equal(events.length);
      expect(await projectionsOf(store)).to.equal(before);
    }),
  );

  it(
    "name line and column of a bad row, or pass over so many",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const file = at("bad.jsonl");
      const bad = { ...arenaRow, winner: "nobody" };
      const lines = [JSON.stringify(arenaRow), "", JSON.stringify(bad), "{", JSON.stringify({ a: 1 })];
      writeFileSync(file, lines.join("\n"));
      const failure = await failureOf(() => importRows({ store, project: PROJECT, source: file }));
      expect([failure.code, failure.message]).to.deep.equal([
        "ATTUNE_DATA_COLUMN",
        `${file}:3: expected one of model_a, model_b, tie, tie (bothbad), both_bad in column "winner" but found ` +
          '"nobody". Correct the row, or pass over it with --skip-bad-rows.',
      ]);
      expect(failure.details).to.include({ line: 3, column: "winner" });
      const report = await importRows({ store, project: PROJECT, source: file, skipBadRows: 3 });
      expect([report.rows, report.bad, report.judgements]).to.deep.equal([4, 3, 1]);
      expect(report.badMessages[1]).to.include("bad.jsonl:4");
      await expectFailure(
        () => importRows({ store, project: PROJECT, source: file, skipBadRows: 2 }),
        "ATTUNE_DATA_COLUMN",
        "bad.jsonl:5",
      );
    }),
  );

  it(
    "refuse what is of no known format, a rating outside the scale, and a project that is not there",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      await expectFailure(() => imported(store, [{ a: 1 }]), "ATTUNE_DATA_COLUMN", "Name the format");
      const rated = { prompt: "q", completion: "c", rating: 9 };
      await expectFailure(() => imported(store, [rated]), "ATTUNE_DATA_COLUMN", "from 1 to 5");
      await expectFailure(
        () => imported(store, [{ ...rated, completion: [1, 2], rating: 1 }]),
        "ATTUNE_DATA_COLUMN",
        "token ids",
      );
      const one = { prompt: "p", answers: [{ content: "a" }] };
      await expectFailure(
        () => imported(store, [one]),
        "ATTUNE_DATA",
        "rows:1: expected two answers for a pair",
      );
      await expectFailure(
        () => imported(store, [hhRow], { skipBadRows: -1 }),
        "ATTUNE_OPTION",
        "skipBadRows",
      );
      await expectFailure(
        () => importRows({ store, project: "other", source: { rows: [hhRow] } }),
        "ATTUNE_NOT_FOUND",
        "other",
      );
    }),
  );

  it(
    "read one large list, on one line or many, packed or not, and say where it breaks off",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const rows = Array.from({ length: 50 }, (_, i) => ({
        ...studioRow,
        data: { ...studioRow.data, prompt: `Which, "${i}" \\ [or {more}]?` },
      }));
      writeFileSync(at("flat.json"), JSON.stringify(rows));
      writeFileSync(at("spread.json.gz"), gzipSync(`\ufeff${JSON.stringify(rows, null, 2)}`));
      const flat = await importRows({ store, project: PROJECT, source: at("flat.json") });
      expect(flat).to.include({ rows: 50, items: 50 });
      const spread = await importRows({ store, project: PROJECT, source: at("spread.json.gz") });
      expect(spread).to.include({ rows: 50, items: 0, itemsKnown: 50 });
      writeFileSync(at("cut.json"), JSON.stringify(rows, null, 1).slice(0, -30));
      await expectFailure(
        () => importRows({ store, project: PROJECT, source: at("cut.json") }),
        "ATTUNE_DATA_JSON",
        "breaks off",
      );
      writeFileSync(at("two.json"), '[{"prompt": "p"},\n{"prompt": 3}]');
      await expectFailure(
        () => importRows({ store, project: PROJECT, source: at("two.json") }),
        "ATTUNE_DATA_COLUMN",
        "two.json:2",
      );
    }),
  );

  it(
    "do not say by the order of an item's answers which one had won",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const rows = Array.from({ length: 60 }, (_, i) => ({
        ...{ prompt: `p${i}`, chosen: `good ${i}`, rejected: `bad ${i}` },
      }));
      await imported(store, rows);
      const items = await store.reading.selectFrom("items").select("answers").execute();
      const first = items.filter(({ answers }) => /^good/.test(JSON.parse(answers)[0].content)).length;
      expect(first).to.be.within(15, 45);
      const other = rows.map((row) => ({ ...row, chosen: row.rejected, rejected: row.chosen }));
      expect(await imported(store, other)).to.include({ items: 0, itemsKnown: 60, judgements: 60 });
    }),
  );
});
