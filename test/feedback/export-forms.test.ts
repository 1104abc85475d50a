// Every form of rows that judgements become, by the options that choose it; and that our own readers take each as it is.

import { writeFileSync } from "node:fs";
import { expect } from "chai";
import { type Row, type RowType, readRows } from "../../lib/data/index.js";
import { type ExportedRow, type ExportOptions, exportRows } from "../../lib/feedback/export-rows.js";
import { importRows } from "../../lib/feedback/imports/import-rows.js";
import type { ItemInput, JudgementValue } from "../../lib/feedback/judgement.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { expectFailure } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { lease, PROJECT, personName, sampleProject, say } from "./sample-project.js";
import { describeStores } from "./stores.js";

async function exported(store: FeedbackStore, options: ExportOptions): Promise<ExportedRow[]> {
  const rows: ExportedRow[] = [];
  for await (const row of exportRows({ reading: store.reading, project: PROJECT, ...options }))
    rows.push(row);
  return rows;
}

/** Values by the answers' places in the item, whatever is shown where. */
type Say = (shownAt: readonly number[]) => readonly JudgementValue[];

/** Adds items of which each is judged by one person as it says. */
async function judge(
  store: FeedbackStore,
  items: readonly (readonly [ItemInput, ...Say[]])[],
): Promise<void> {
  const people = Math.max(...items.map(([, ...said]) => said.length));
  const overlap = { least: people, share: 0, most: people };
  await sampleProject(store, { items: 0, people, settings: { overlap } });
  for (const [item, ...said] of items) {
    await store.write(PROJECT, "addItems", { items: [item] });
    for (const [person, own] of said.entries()) {
      const leased = await lease(store, personName(person));
      const shownAt = item.answers.map(({ content }) =>
        (leased.answers as readonly unknown[]).indexOf(content),
      );
      await say(store, personName(person), leased.lease, own(shownAt));
    }
  }
}

const abc: ItemInput = {
  prompt: "Which?",
  answers: ["a", "b", "c"].map((content) => ({ content })),
  asks: [{ kind: "ranking" }],
};
const helpful = { kind: "rating", axis: "helpful", low: 1, high: 7 } as const;

const text = (chat: unknown) => (chat as { content: string }[]).at(-1)?.content;
const sides = (rows: readonly ExportedRow[]) =>
  rows.map(({ chosen, rejected }) => [text(chosen), text(rejected)]);

describeStores("forms of exported rows", (withStore) => {
  const at = suiteFolder();

  async function readBack(name: string, rows: readonly ExportedRow[]): Promise<readonly Row[]> {
    const file = at(`${name}.jsonl`);
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const read: Row[] = [];
    for await (const row of readRows({ data: file })) read.push(row);
    return read;
  }

  it(
    "take a ranking apart into all strict pairs of one group, where somebody asks",
    withStore(async ({ store }) => {
      await judge(store, [[abc, ([a = 0, b = 0, c = 0]) => [{ kind: "ranking", tiers: [[b], [a, c]] }]]]);
      expect(await exported(store, { kind: "reward" })).to.be.empty;
      const rows = await exported(store, { kind: "reward", rankingPairs: true });
      expect(sides(rows).sort()).to.deep.equal([
        ["b", "a"],
        ["b", "c"],
      ]);
      expect(new Set(rows.map(({ group }) => group)).size).to.equal(1);
      const [whole] = await exported(store, { kind: "ranking" });
      const { completions, ranks } = whole as { completions: unknown[]; ranks: number[] } & ExportedRow;
      const byAnswer = completions.map((chat, i) => [text(chat), ranks[i]]);
      expect(byAnswer.sort()).to.deep.equal([
        ["a", 2],
        ["b", 1],
        ["c", 2],
      ]);
    }),
  );

  it(
    "put answers without a place behind those that have one, in no order among themselves",
    withStore(async ({ store }) => {
      const best = { ...abc, asks: [{ kind: "ranking", top: 1 }] as const };
      await judge(store, [
        [{ ...best, asks: [...best.asks] }, ([, b = 0]) => [{ kind: "ranking", tiers: [[b]] }]],
      ]);
      const rows = await exported(store, { kind: "preference", rankingPairs: true });
      expect(sides(rows).sort()).to.deep.equal([
        ["b", "a"],
        ["b", "c"],
      ]);
      const [whole] = await exported(store, { kind: "ranking" });
      const { ranks } = whole as { ranks: (number | null)[] } & ExportedRow;
      expect(ranks.filter((rank) => rank === null)).to.have.length(2);
    }),
  );

  it(
    "make good and bad answers of ratings at the ends, and pairs of those far enough apart by one person",
    withStore(async ({ store }) => {
      const rated = (content: string) => ({ prompt: "Which?", answers: [{ content }], asks: [helpful] });
      const rate = (value: number) => () => [{ kind: "rating", answer: 0, axis: "helpful", value } as const];
      await judge(store, [
        [rated("a"), rate(7), rate(2)],
        [rated("b"), rate(4), rate(1)],
        [rated("c"), rate(2), rate(2)],
      ]);
      const unpaired = await exported(store, { kind: "unpaired", ratingHigh: 6, ratingLow: 2 });
      expect(unpaired.map(({ completion, label }) => [text(completion), label])).to.deep.equal([
        ["a", true],
        ["a", false],
        ["b", false],
        ["c", false],
        ["c", false],
      ]);
      const pairs = await exported(store, { kind: "preference", ratingGap: 3 });
      expect(
        pairs.map(({ chosen, rejected, margin }) => [text(chosen), text(rejected), margin]),
      ).to.deep.equal([
        ["a", "b", 3],
        ["a", "c", 5],
      ]);
      expect(pairs[0]?.source).to.have.length(2);
      expect(await exported(store, { kind: "preference", ratingGap: 3, axis: "other" })).to.be.empty;
      expect(await exported(store, { kind: "unpaired" })).to.be.empty;
    }),
  );

  it(
    "give ties to reward models, two answers of both good and both bad, and preferences where asked",
    withStore(async ({ store }) => {
      const two = (prompt: string) => ({ prompt, answers: [{ content: "a" }, { content: "b" }] });
      await judge(store, [
        [two("tie"), () => [{ kind: "pair", choice: "tie" }]],
        [two("good"), () => [{ kind: "pair", choice: "both_good" }]],
        [two("bad"), () => [{ kind: "pair", choice: "both_bad" }]],
      ]);
      const reward = await exported(store, { kind: "reward" });
      expect(reward.map(({ label }) => label)).to.deep.equal([0.5, 0.5, 0.5]);
      const unpaired = await exported(store, { kind: "unpaired" });
      expect(unpaired.map(({ label }) => label)).to.deep.equal([true, true, false, false]);
      expect(await exported(store, { kind: "preference" })).to.be.empty;
      expect(await exported(store, { kind: "preference", ties: true })).to.have.length(3);
    }),
  );

  it(
    "carry comments and marked spans, by the names that the row gives to answers",
    withStore(async ({ store }) => {
      const asks: ItemInput["asks"] = [
        { kind: "pair" },
        { kind: "comment" },
        { kind: "span", tags: ["wrong"] },
        { kind: "edit" },
      ];
      const item = { prompt: "Which?", answers: [{ content: "good" }, { content: "bad" }], asks };
      await judge(store, [
        [
          item,
          ([good = 0, bad = 0]) => [
            { kind: "pair", choice: good === 0 ? "left" : "right" },
            { kind: "comment", text: "of both" },
            { kind: "comment", answer: bad, text: "of one" },
            { kind: "span", answer: bad, start: 0, end: 2, tag: "wrong" },
            { kind: "edit", answer: bad, text: "better" },
          ],
        ],
      ]);
      const [edit, pair] = await exported(store, { kind: "preference" });
      expect(sides(edit === undefined ? [] : [edit])).to.deep.equal([["better", "bad"]]);
      expect(pair?.metadata).to.deep.equal({
        comments: [{ text: "of both" }, { answer: "rejected", text: "of one" }],
        spans: [{ answer: "rejected", start: 0, end: 2, tag: "wrong" }],
      });
      const critiques = await exported(store, { kind: "critique" });
      const said = critiques.map(({ completion, critique }) => [text(completion), critique]).sort();
      expect(said).to.deep.equal([
        ["bad", "of both"],
        ["bad", "of one"],
        ["good", "of both"],
      ]);
    }),
  );

  it(
    "mark rows of policies that are too far behind their model's newest, and leave them out where asked",
    withStore(async ({ store }) => {
      const of = (policy: string) => ({
        prompt: policy,
        answers: [
          { content: "a", policy },
          { content: "b", policy: "other-0" },
        ],
      });
      await sampleProject(store, { items: 0, people: 1, settings: { maxLag: 1 } });
      for (const policy of ["tuned-0", "other-0", "tuned-1", "tuned-2"])
        await store.write(PROJECT, "registerPolicy", { policy, model: policy.slice(0, 5) });
      await store.write(PROJECT, "addItems", { items: ["tuned-0", "tuned-1", "tuned-2"].map(of) });
      for (let i = 0; i < 3; i++) await say(store, personName(0), (await lease(store, personName(0))).lease);
      const rows = await exported(store, { kind: "preference" });
      const stale = rows.filter((row) => row.stale === true).map(({ policy }) => policy);
      expect(stale.map((policy) => [policy].flat().sort())).to.deep.equal([["other-0", "tuned-0"]]);
      expect(await exported(store, { kind: "preference", stale: "leave-out" })).to.have.length(2);
    }),
  );

  it(
    "say what came from elsewhere, and give programs' judgements where asked alone",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0, people: 1 });
      const take = (prompt: string, by: "people" | "ai") =>
        importRows({
          store,
          project: PROJECT,
          source: { rows: [{ prompt, chosen: "a", rejected: "b" }] },
          by,
        });
      await take("people", "people");
      await take("program", "ai");
      const [row, ...rest] = await exported(store, { kind: "preference" });
      expect(rest).to.be.empty;
      expect(row).to.include({ imported: true });
      expect(sides(row === undefined ? [] : [row])).to.deep.equal([["a", "b"]]);
      const all = await exported(store, { kind: "preference", ai: true });
      expect(all.map(({ ai = false }) => ai)).to.deep.equal([false, true]);
    }),
  );

  it(
    "are rows that our readers take for every trainer, with their sources, awkward texts and all",
    withStore(async ({ store }) => {
      const asks: ItemInput["asks"] = [
        { kind: "pair" },
        helpful,
        { kind: "thumb" },
        { kind: "edit" },
        { kind: "ranking" },
      ];
      const answers = ["a \ud800 half", "line\nbreak", " "].map((content) => ({ content }));
      const answer: Say = ([a = 0, b = 0]) => [
        { kind: "pair", choice: a === 0 ? "left" : "right" },
        ...[0, 1].flatMap((place): JudgementValue[] => [
          { kind: "rating", answer: place, axis: "helpful", value: place === a ? 7 : 1 },
          { kind: "thumb", answer: place, up: place === a },
        ]),
        { kind: "edit", answer: b, text: "repaired" },
        { kind: "ranking", tiers: [[a], [b]] },
      ];
      const chat = [
        { role: "system", content: "Be kind." },
        { role: "user", content: "Hm?" },
      ];
      await judge(store, [
        [{ prompt: chat, answers: answers.slice(0, 2), asks }, answer],
        [{ prompt: "same", answers: [{ content: "a" }, { content: "a " }], asks }, answer],
        [{ prompt: "empty", answers: [{ content: "" }, { content: "b" }], asks }, answer],
      ]);
      const forms: readonly (readonly [RowType, ExportOptions, number])[] = [
        ["preference", { kind: "preference", rankingPairs: true, ratingGap: 1 }, 9],
        ["preference", { kind: "reward" }, 5],
        ["unpaired", { kind: "unpaired", ratingHigh: 6, ratingLow: 2 }, 10],
        ["ranking", { kind: "ranking" }, 2],
        ["rating", { kind: "rating" }, 5],
        ["prompt-completion", { kind: "prompt-completion" }, 3],
      ];
      for (const [type, options, least] of forms) {
        const rows = await exported(store, options);
        const read = await readBack(options.kind, rows);
        expect(read.length, options.kind).to.equal(rows.length).and.to.be.at.least(least);
        for (const row of read) {
          expect(row.type, options.kind).to.equal(type);
          expect(row.source, options.kind).to.not.be.empty;
        }
      }
    }),
  );

  it(
    "are refused for options that contradict each other",
    withStore(async ({ store }) => {
      await sampleProject(store);
      const asked = (options: ExportOptions) => () => exported(store, options);
      await expectFailure(asked({ kind: "unpaired", ratingHigh: 3 }), "ATTUNE_OPTION", "both");
      await expectFailure(asked({ kind: "unpaired", ratingHigh: 3, ratingLow: 4 }), "ATTUNE_OPTION", "below");
      await expectFailure(asked({ kind: "reward", margins: [0, 1, -1, 0] }), "ATTUNE_OPTION", "margins.2");
    }),
  );
});
