// Judgements as rows of every kind: columns, labels, who is behind them, and that the data room reads them back.

import { writeFileSync } from "node:fs";
import { expect } from "chai";
import { type Row, readRows } from "../../lib/data/index.js";
import { type ExportedRow, type ExportOptions, exportRows } from "../../lib/feedback/export-rows.js";
import type { ItemInput, JudgementValue } from "../../lib/feedback/judgement.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { addPerson, lease, PROJECT, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

async function exported(store: FeedbackStore, options: ExportOptions): Promise<ExportedRow[]> {
  const rows: ExportedRow[] = [];
  for await (const row of exportRows({ reading: store.reading, project: PROJECT, ...options }))
    rows.push(row);
  return rows;
}

/** One item that asks for this, judged by these people. */
async function judged(
  store: FeedbackStore,
  item: ItemInput,
  values: readonly ((first: number) => readonly JudgementValue[])[],
): Promise<void> {
  const overlap = { least: values.length, share: 0, most: values.length };
  await sampleProject(store, { items: 0, people: 0, settings: { overlap } });
  await store.write(PROJECT, "addItems", { items: [item] });
  const [first] = item.answers;
  for (const [person, say1] of values.entries()) {
    await addPerson(store, personName(person));
    const leased = await lease(store, personName(person));
    await say(
      store,
      personName(person),
      leased.lease,
      say1((leased.answers as readonly unknown[]).indexOf(first?.content)),
    );
  }
}

const two: ItemInput = {
  prompt: "Which?",
  answers: [
    { content: "good", policy: "p1" },
    { content: "bad", policy: "p1" },
  ],
};

/** For the item's first answer, wherever it is shown. */
const forFirst = (first: number): readonly JudgementValue[] => [
  { kind: "pair", choice: first === 0 ? "left" : "right" },
];
const forSecond = (first: number): readonly JudgementValue[] => [
  { kind: "pair", choice: first === 0 ? "right" : "left" },
];

describeStores("exports", (withStore) => {
  const at = suiteFolder();

  it(
    "give one row of what several say together, by pseudonyms",
    withStore(async ({ store }) => {
      await judged(store, two, [forFirst, forFirst, forSecond]);
      const [row, ...rest] = await exported(store, { kind: "preference" });
      expect(rest).to.be.empty;
      expect(row).to.deep.include({
        prompt: [{ role: "user", content: "Which?" }],
        chosen: [{ role: "assistant", content: "good" }],
        rejected: [{ role: "assistant", content: "bad" }],
        margin: 0,
        policy: "p1",
      });
      expect(row?.label).to.be.within(0.55, 0.97);
      expect(row?.source).to.have.length(3);
      expect(row?.annotators).to.have.length(3);
      expect(JSON.stringify(row)).to.not.include("person-");
      const [majority] = await exported(store, { kind: "preference", consensus: "majority" });
      expect(majority?.label).to.equal(1);
      const each = await exported(store, { kind: "preference", consensus: "each" });
      expect(each.map(({ chosen }) => JSON.stringify(chosen).includes("good"))).to.deep.equal([
        true,
        true,
        false,
      ]);
    }),
  );

  it(
    "keep ties for reward models, and strengths as margins",
    withStore(async ({ store }) => {
      await judged(store, { ...two, asks: [{ kind: "pair", strength: true }] }, [
        () => [{ kind: "pair", choice: "tie", strength: 2 }],
      ]);
      expect(await exported(store, { kind: "preference" })).to.be.empty;
      const [row] = await exported(store, { kind: "reward", margins: [0, 1, 2, 3] });
      expect(row).to.include({ label: 0.5, margin: 2 });
    }),
  );

  it(
    "give rows of every other kind, which the data room reads",
    withStore(async ({ store }) => {
      const asks: ItemInput["asks"] = [
        { kind: "ranking" },
        { kind: "rating", axis: "helpful", low: 1, high: 7 },
        { kind: "thumb" },
        { kind: "edit" },
        { kind: "comment" },
      ];
      await judged(store, { ...two, asks }, [
        (first) => [
          { kind: "ranking", tiers: [[first], [1 - first]] },
          { kind: "rating", answer: 0, axis: "helpful", value: 6 },
          { kind: "rating", answer: 1, axis: "helpful", value: 2 },
          { kind: "thumb", answer: 0, up: true },
          { kind: "thumb", answer: 1, up: false },
          { kind: "edit", answer: first, text: "better" },
          { kind: "comment", text: "a reason" },
        ],
      ]);
      const rowsOf = async (kind: ExportOptions["kind"]) => exported(store, { kind });
      const [ranking] = await rowsOf("ranking");
      const order =
        JSON.stringify(ranking?.completions).indexOf("good") <
        JSON.stringify(ranking?.completions).indexOf("bad");
      expect(ranking?.ranks).to.deep.equal(order ? [1, 2] : [2, 1]);
      expect((await rowsOf("rating")).map(({ rating, axis }) => [rating, axis])).to.deep.equal([
        [6, "helpful"],
        [2, "helpful"],
      ]);
      expect((await rowsOf("unpaired")).map(({ label }) => label)).to.deep.equal([true, false]);
      expect((await rowsOf("prompt-completion"))[0]?.completion).to.deep.equal([
        { role: "assistant", content: "better" },
      ]);
      const [edit] = await rowsOf("preference");
      expect([edit?.chosen, edit?.rejected]).to.deep.equal([
        [{ role: "assistant", content: "better" }],
        [{ role: "assistant", content: "good" }],
      ]);
      expect((await rowsOf("critique"))[0]?.critique).to.equal("a reason");
      for (const kind of ["preference", "ranking", "rating", "unpaired", "prompt-completion"] as const) {
        const file = at(`${kind}.jsonl`);
        writeFileSync(file, (await rowsOf(kind)).map((row) => `${JSON.stringify(row)}\n`).join(""));
        const rows: Row[] = [];
        for await (const row of readRows({ data: file })) rows.push(row);
        expect(rows[0]?.type, kind).to.equal(kind);
        expect(rows[0]?.source, kind).to.have.length(1);
      }
    }),
  );

  it(
    "leave out other splits and policies, what is older, and what was taken back",
    withStore(async ({ store }) => {
      await judged(store, { ...two, split: "valid" }, [forFirst]);
      const count = async (options: Partial<ExportOptions>) =>
        (await exported(store, { kind: "preference", ...options })).length;
      expect(await count({})).to.equal(1);
      expect(await count({ split: "valid" })).to.equal(1);
      expect(await count({ split: "train" })).to.equal(0);
      expect(await count({ policy: "p2" })).to.equal(0);
      expect(await count({ since: 1000 })).to.equal(0);
      const { judgement } = await store.reading
        .selectFrom("judgements")
        .select("judgement")
        .executeTakeFirstOrThrow();
      await store.write(PROJECT, "undo", { judgement, annotator: personName(0) });
      expect(await count({})).to.equal(0);
    }),
  );
});
