// Images and clips in both stores: what a lease carries, who gets frames, what is judged of them, which rows they become, and
// that nothing stays of what is redacted.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { measureAgreement } from "../../lib/feedback/agreement.js";
import { type ExportKind, exportRows, leftOutItems } from "../../lib/feedback/export-rows.js";
import { checkSegmentRow } from "../../lib/feedback/exports/segment-rows.js";
import type { ItemInput, JudgementValue } from "../../lib/feedback/judgement.js";
import { exportLog } from "../../lib/feedback/log/export-log.js";
import { importLog } from "../../lib/feedback/log/import-log.js";
import type { ClipContent } from "../../lib/feedback/media/answer-content.js";
import {
  answerOfJudgement,
  answerOfLease,
  framesOf,
  segmentOf,
} from "../../lib/feedback/media/read-media.js";
import { progressOf } from "../../lib/feedback/progress.js";
import { openEmbeddedStore } from "../../lib/feedback/store/embedded-store.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { expectFailure } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { clipItem, dotClip, imageItem, plainPicture } from "./pictures.js";
import { projectionsOf } from "./projections.js";
import { lease, PROJECT, pairItem, personName, sampleProject, say } from "./sample-project.js";
import { describeStores, START } from "./stores.js";

const ann = personName(0);

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const rowsOf = (store: FeedbackStore, kind: ExportKind, more = {}) =>
  all(exportRows({ reading: store.reading, project: PROJECT, kind, ...more }));

/** Where each answer, as it was added, is shown. */
async function shownAt(store: FeedbackStore, leased: string): Promise<readonly number[]> {
  const { shown } = await store.reading
    .selectFrom("assignments")
    .select("shown")
    .where("assignment", "=", leased)
    .executeTakeFirstOrThrow();
  return (JSON.parse(shown) as number[]).map((_, answer, order: number[]) => order.indexOf(answer));
}

async function add(store: FeedbackStore, people: number, ...items: ItemInput[]): Promise<void> {
  const overlap = { least: people, most: people, share: 0 };
  await sampleProject(store, { items: 0, people, settings: { overlap } });
  await store.write(PROJECT, "addItems", { items });
}

/** One person after another judges the one item that there is. */
async function judge(store: FeedbackStore, ...said: ("first" | "second" | "tie" | "cannot_compare")[]) {
  const judgements: string[] = [];
  for (const [person, best] of said.entries()) {
    const { lease: leased } = await lease(store, personName(person));
    const places = await shownAt(store, leased);
    const sided = best === "first" ? places[0] : best === "second" ? places[1] : undefined;
    const choice = sided === undefined ? (best as "tie") : sided === 0 ? "left" : "right";
    judgements.push((await say(store, personName(person), leased, [{ kind: "pair", choice }])).judgement);
  }
  return judgements;
}

describeStores("images and clips in a store", (withStore) => {
  const at = suiteFolder();
  let number = 0;

  it(
    "are leased without bytes or names, and their frames go to whoever holds the lease, by place",
    withStore(async ({ store }) => {
      await add(store, 2, clipItem());
      const leased = await lease(store, ann);
      expect(leased.answers).to.deep.equal(Array(2).fill({ type: "clip", fps: 12, frames: 6 }));
      const shown = { reading: store.reading, project: PROJECT, annotator: ann };
      const contents = clipItem().answers.map(({ content }) => content as ClipContent);
      const places = await shownAt(store, leased.lease);
      for (const [answer, place] of places.entries()) {
        const of = await answerOfLease({ ...shown, place }, leased.lease);
        const { frames, next } = await framesOf(shown, of, 0);
        const { frames: added, segment } = contents[answer] ?? dotClip({ speed: 0 });
        expect(frames).to.deep.equal(added.map((data) => ({ type: "image/png", data })));
        expect(next).to.equal(undefined);
        expect(await segmentOf(shown, of)).to.deep.equal(segment);
        expect((await framesOf(shown, of, 4)).frames).to.deep.equal(frames.slice(4));
      }
      const other = { ...shown, annotator: personName(1), place: 0 };
      await expectFailure(() => answerOfLease(other, leased.lease), "ATTUNE_LEASE", "somebody else");
      await expectFailure(() => answerOfLease({ ...shown, place: 2 }, leased.lease), "ATTUNE_NOT_FOUND", "2");
      const { judgement } = await say(store, ann, leased.lease);
      await expectFailure(
        () => answerOfLease({ ...shown, place: 0 }, leased.lease),
        "ATTUNE_LEASE",
        "submitted",
      );
      const again = await answerOfJudgement({ ...shown, place: 0 }, judgement);
      expect((await framesOf(shown, again, 0)).frames).to.have.length(6);
      await expectFailure(() => answerOfJudgement(other, judgement), "ATTUNE_NOT_FOUND", judgement);
    }),
  );

  it(
    "come in pieces where they are large",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 1 });
      const data = "A".repeat(1_500_000);
      const parts = Array.from({ length: 6 }, (_, part) => ({ answer: 0, part, type: "image/png", data }));
      await store.write(PROJECT, "restoreMedia", { media: [{ item: "item-0", parts }] });
      const of = { item: "item-0", answer: 0 };
      const shown = { reading: store.reading, project: PROJECT };
      const pieces = [];
      for (let from: number | undefined = 0; from !== undefined; ) {
        const { frames, next }: Awaited<ReturnType<typeof framesOf>> = await framesOf(shown, of, from);
        pieces.push(frames.length);
        from = next;
      }
      expect(pieces).to.deep.equal([2, 2, 2]);
    }),
  );

  it(
    "are judged as texts are, but not edited or marked, and only clips cannot be compared",
    withStore(async ({ store }) => {
      const kinds = [
        { kind: "ranking" },
        { kind: "rating", axis: "warm", low: 1, high: 5 },
        { kind: "thumb" },
      ];
      await add(store, 1, imageItem([{ kind: "pair", strength: true }, ...kinds] as never));
      const leased = await lease(store, ann);
      const values: JudgementValue[] = [
        { kind: "pair", choice: "left", strength: 2 },
        { kind: "ranking", tiers: [[0], [1]] },
        ...[0, 1].flatMap((answer): JudgementValue[] => [
          { kind: "rating", answer, axis: "warm", value: 3 },
          { kind: "thumb", answer, up: true },
        ]),
      ];
      const not: JudgementValue[] = [{ kind: "pair", choice: "cannot_compare" }, ...values.slice(1)];
      await expectFailure(() => say(store, ann, leased.lease, not), "ATTUNE_JUDGEMENT", "answers of image");
      const edit: JudgementValue[] = [...values, { kind: "edit", answer: 0, text: "x" }];
      await expectFailure(() => say(store, ann, leased.lease, edit), "ATTUNE_JUDGEMENT", "edit");
      await say(store, ann, leased.lease, values);
      for (const ask of [{ kind: "edit" as const }, { kind: "span" as const, tags: ["odd"] }])
        await expectFailure(
          () => store.write(PROJECT, "addItems", { items: [{ ...imageItem([ask]), externalId: ask.kind }] }),
          "ATTUNE_DATA",
          `text for ${ask.kind} but received image`,
        );
      await store.write(PROJECT, "addItems", { items: [pairItem(1)] });
      const text = await lease(store, ann);
      const choice: JudgementValue[] = [{ kind: "pair", choice: "cannot_compare" }];
      await expectFailure(
        () => say(store, ann, text.lease, choice),
        "ATTUNE_JUDGEMENT",
        "which is for clips",
      );
    }),
  );

  it(
    "that cannot be compared are counted, make no row, and are neither a tie nor a disagreement",
    withStore(async ({ store }) => {
      await sampleProject(store, {
        items: 0,
        settings: { overlap: { least: 2, shared: 2, share: 1, most: 5 } },
      });
      await store.write(PROJECT, "addItems", { items: [clipItem()] });
      const [, judgement = ""] = await judge(store, "first", "cannot_compare");
      const { state } = await store.reading.selectFrom("items").select("state").executeTakeFirstOrThrow();
      expect(state).to.equal("enough");
      const progress = await progressOf(store.reading, PROJECT, START);
      expect(progress).to.include({ judgements: 2, cannotCompare: 1 });
      expect(await measureAgreement({ reading: store.reading, project: PROJECT, seed: 0 })).to.be.empty;
      const [row, ...more] = await rowsOf(store, "segments", { consensus: "each" });
      expect([row?.label, more.length, row?.source.includes(judgement)]).to.deep.equal([1, 0, false]);
      const before = await projectionsOf(store);
      await store.rebuild();
      expect(await projectionsOf(store)).to.equal(before);
      await store.write(PROJECT, "redactJudgement", { judgement });
      expect((await progressOf(store.reading, PROJECT, START)).cannotCompare).to.equal(0);
    }),
  );

  for (const [said, label] of [
    [["first"], 1],
    [["second"], 0],
    [["tie"], 0.5],
    [["second", "second", "first"], 0],
  ] as const)
    it(
      `become rows of segments: ${said.join(", ")} is label ${label}`,
      withStore(async ({ store }) => {
        await add(store, said.length, clipItem());
        const judgements = await judge(store, ...said);
        const rows = await rowsOf(store, "segments", { consensus: "majority" });
        expect(rows).to.have.length(1);
        const row = checkSegmentRow(rows[0]);
        const contents = clipItem().answers.map(({ content }) => (content as { segment?: unknown }).segment);
        expect(row).to.deep.include({ segments: contents, label, source: judgements });
        expect(Object.keys(row).sort()).to.deep.equal(
          ["annotators", "item", "label", "policy", "segments", "source", "split"].sort(),
        );
      }),
    );

  it(
    "are left out of rows of text, and counted",
    withStore(async ({ store }) => {
      await add(store, 1, clipItem(), imageItem(), pairItem(0));
      for (let i = 0; i < 3; i++) await say(store, ann, (await lease(store, ann)).lease);
      const left = (kind: ExportKind) => leftOutItems({ reading: store.reading, project: PROJECT, kind });
      expect(await rowsOf(store, "preference")).to.have.length(1);
      expect([await left("preference"), await left("unpaired")]).to.deep.equal([2, 2]);
      expect(await rowsOf(store, "segments")).to.have.length(1);
      expect(await left("segments")).to.equal(1);
      const since = { kind: "preference", since: 1_000 } as const;
      expect(await leftOutItems({ reading: store.reading, project: PROJECT, ...since })).to.equal(0);
    }),
  );

  it(
    "go along with a project's log, whole or not at all",
    withStore(async ({ store }) => {
      await add(store, 1, clipItem(), imageItem());
      await store.write(PROJECT, "redactItem", { item: "item-1" });
      const lines = await all(exportLog({ reading: store.reading, project: PROJECT }));
      number += 1;
      const other = await openEmbeddedStore({ folder: at(`log-${number}`), clock: () => START });
      try {
        const media = lines.flatMap((line, i) => (line.startsWith('{"media"') ? [i] : []));
        expect(media).to.have.length(2 * 7);
        const short = lines.filter((_, i) => i !== media[3]);
        await expectFailure(() => importLog({ store: other, source: short }), "ATTUNE_DATA", "1 more frames");
        const early = [...lines.slice(0, 1), lines[media[0] ?? 0] ?? "", ...lines.slice(1)];
        await expectFailure(
          () => importLog({ store: other, source: early }),
          "ATTUNE_DATA",
          "the item before",
        );
        await importLog({ store: other, source: lines });
        const [here, there] = await Promise.all(
          [store, other].map((one) =>
            one.reading.selectFrom("media").selectAll().orderBy("part").orderBy("answer").execute(),
          ),
        );
        expect(there).to.deep.equal(here);
        expect(await projectionsOf(other)).to.equal(await projectionsOf(store));
      } finally {
        await other.close();
      }
    }),
  );

  it(
    "are gone when their item is redacted",
    withStore(async ({ store }) => {
      await add(store, 1, clipItem(), imageItem());
      await store.write(PROJECT, "redactItem", { item: "item-1" });
      const left = await store.reading.selectFrom("media").select("item").distinct().execute();
      expect(left).to.deep.equal([{ item: "item-0" }]);
      const events = await store.reading.selectFrom("events").select("body").execute();
      expect(JSON.stringify(events)).to.not.include("plain orange");
    }),
  );

  it(
    "are captured from a product once, and known again",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const answers = imageItem().answers.map(({ content }) => ({ content }));
      const given = { user: "u", id: "p-1", prompt: "Which?", answers };
      const capture = (choice: "left" | "right") =>
        store.write(PROJECT, "capture", { ...given, value: { kind: "pair", choice } });
      const [first, second] = [await capture("left"), await capture("right")];
      expect([first.isNew, second.isNew, first.item === second.item]).to.deep.equal([true, true, true]);
      const changed = { type: "image" as const, data: plainPicture([9, 9, 9]), alt: "A plain orange area." };
      const other = { ...given, answers: [{ content: changed }, ...answers.slice(1)] };
      await expectFailure(
        () => store.write(PROJECT, "capture", { ...other, value: { kind: "pair", choice: "left" } }),
        "ATTUNE_CONFLICT",
        "p-1",
      );
    }),
  );
});

describe("a redacted image", () => {
  const at = suiteFolder();

  it("is in no file of the embedded store any more", async () => {
    const folder = at("redacted");
    const store = await openEmbeddedStore({ folder, clock: () => START });
    const data = plainPicture([201, 137, 73]);
    const item = { ...imageItem(), answers: [{ content: { type: "image", data, alt: "An area." } }] };
    const isHeld = () =>
      readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes(data.slice(0, 60)));
    try {
      await add(store, 1, { ...item, asks: [{ kind: "thumb" }] } as ItemInput);
      expect(isHeld()).to.equal(true);
      await store.write(PROJECT, "redactItem", { item: "item-0" });
    } finally {
      await store.close();
    }
    expect(isHeld()).to.equal(false);
  });
});
