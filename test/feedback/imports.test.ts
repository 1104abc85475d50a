// Files of other programs as items, people and judgements: what each format says, once, and what is no judgement of a person.

import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import type { ImportOptions } from "../../lib/feedback/imports/import-options.js";
import { type ImportReport, importRows } from "../../lib/feedback/imports/import-rows.js";
import type { JudgementValue } from "../../lib/feedback/judgement.js";
import { readItems, readJudgements } from "../../lib/feedback/read-judgements.js";
import { readEvents } from "../../lib/feedback/store/event-log.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { expectFailure, failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { projectionsOf } from "./projections.js";
import { lease, PROJECT, personName, sampleProject } from "./sample-project.js";
import { describeStores } from "./stores.js";

async function imported(
  store: FeedbackStore,
  rows: readonly unknown[],
  options: ImportOptions = {},
): Promise<ImportReport> {
  return importRows({ store, project: PROJECT, source: { rows }, ...options });
}

interface Said {
  readonly prompt: unknown;
  /** Values with the answers' texts for positions. */
  readonly said: unknown;
  readonly who: string;
  readonly models: readonly unknown[];
}

/** What the store holds, by texts: positions are the store's own affair. */
async function saidIn(store: FeedbackStore, purposes: readonly ("import" | "ai")[] = ["import"]) {
  const found: Said[] = [];
  for await (const chunk of readJudgements(store.reading, { project: PROJECT, purposes })) {
    const items = await readItems(
      store.reading,
      PROJECT,
      chunk.map(({ item }) => item),
    );
    for (const { item, annotator, values, shown } of chunk) {
      const { prompt = "", answers = [] } = items.get(item) ?? {};
      const text = (place: number) => answers[shown[place] ?? -1]?.content;
      const said = values.map((value) => inTexts(value, text));
      found.push({ prompt, said, who: annotator, models: shown.map((place) => answers[place]?.model) });
    }
  }
  return found;
}

function inTexts(value: JudgementValue, text: (place: number) => unknown) {
  switch (value.kind) {
    case "pair": {
      const better = value.choice === "left" ? text(0) : value.choice === "right" ? text(1) : value.choice;
      return { better, ...(value.strength === undefined ? {} : { strength: value.strength }) };
    }
    case "ranking":
      return { tiers: value.tiers.map((tier) => tier.map(text)) };
    default:
      return { ...value, ...(value.answer === undefined ? {} : { answer: text(value.answer) }) };
  }
}

const hhRow = {
  chosen: "\n\nHuman: Hello\n\nAssistant: Hi.\n\nHuman: Why?\n\nAssistant: Because.",
  rejected: "\n\nHuman: Hello\n\nAssistant: Hi.\n\nHuman: Why?\n\nAssistant: No.",
};

const summarizeRow = {
  info: { id: "t3_1", post: "A long story.", title: "Story", subreddit: "tifu", site: null, article: null },
  split: "valid2",
  summaries: [
    { text: " short", policy: "sup1", note: "" },
    { text: " shorter", policy: "ppo2", note: "" },
  ],
  choice: 1,
  worker: "w7",
  batch: "batch3.json",
  extra: { confidence: 8 },
};

const turn = (role: string, content: string) => ({ role, content });
const arenaRow = {
  question_id: "q1",
  model_a: "alpha",
  model_b: "beta",
  winner: "model_b",
  judge: "arena_user_9",
  conversation_a: [turn("user", "2+2?"), turn("assistant", "5")],
  conversation_b: [turn("user", "2+2?"), turn("assistant", "4")],
  turn: 1,
  tstamp: 1_682_351_591.5,
};

const argillaRow = {
  external_id: "r1",
  fields: { prompt: "Which?", response1: "one", response2: "two" },
  responses: [
    {
      user_id: "u1",
      status: "submitted",
      values: { preference: { value: "response2" }, mood: { value: "fine" } },
    },
    { user_id: "u2", status: "draft", values: { preference: { value: "response1" } } },
    { user_id: "u3", status: "discarded", values: null },
  ],
  suggestions: [{ question_name: "preference", value: "response1", agent: "gpt-4", type: "model" }],
};

const studioRow = {
  id: 12,
  data: { prompt: "Which?", text1: "a 👍 one", text2: "two" },
  annotations: [
    {
      id: 1,
      completed_by: 5,
      lead_time: 12.5,
      was_cancelled: false,
      ground_truth: false,
      created_at: "2024-01-02T03:04:05Z",
      result: [
        { from_name: "pw", to_name: "text1", type: "pairwise", value: { selected: "left" } },
        { from_name: "stars", to_name: "text2", type: "rating", value: { rating: 4 } },
        { from_name: "why", to_name: "text1", type: "textarea", value: { text: ["clear"] } },
        {
          from_name: "bad",
          to_name: "text1",
          type: "labels",
          value: { start: 5, end: 8, text: "one", labels: ["wrong"] },
        },
      ],
    },
    { id: 2, completed_by: { id: 6 }, was_cancelled: true, ground_truth: false, result: [] },
  ],
  predictions: [
    {
      model_version: "m1",
      result: [{ from_name: "pw", to_name: "text1", type: "pairwise", value: { selected: "right" } }],
    },
  ],
};

describeStores("imports", (withStore) => {
  const at = suiteFolder();

  it(
    "read hh-rlhf: the prompt is what both transcripts share",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const report = await imported(store, [hhRow, { chosen: hhRow.chosen, rejected: hhRow.chosen }]);
      expect(report).to.include({ format: "hh", rows: 2, items: 1, judgements: 1, annotators: 1 });
      expect(report.passed).to.deep.equal({ "identical sides": 1 });
      expect(await saidIn(store)).to.deep.equal([
        {
          prompt: [turn("user", "Hello"), turn("assistant", "Hi."), turn("user", "Why?")],
          said: [{ better: "Because." }],
          who: "hh:unnamed",
          models: [undefined, undefined],
        },
      ]);
    }),
  );

  it(
    "read summarize-from-feedback: post, policies, worker, split, and confidence as strength",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const unsure = { ...summarizeRow, worker: "w8", choice: 0 };
      const report = await imported(store, [summarizeRow, unsure]);
      expect(report).to.include({ format: "summarize", items: 1, itemsKnown: 1, judgements: 2 });
      const prompt = "SUBREDDIT: r/tifu\nTITLE: Story\nPOST: A long story.\nTL;DR:";
      expect(await saidIn(store)).to.deep.equal([
        { prompt, said: [{ better: "shorter", strength: 2 }], who: "summarize:w7", models: ["sup1", "ppo2"] },
        // A confidence that points to the other side says nothing of the strength.
        { prompt, said: [{ better: "short" }], who: "summarize:w8", models: ["sup1", "ppo2"] },
      ]);
      const { split, judged, state } = await store.reading
        .selectFrom("items")
        .select(["split", "judged", "state"])
        .executeTakeFirstOrThrow();
      expect([split, Number(judged), state]).to.deep.equal(["valid", 2, "enough"]);
    }),
  );

  it(
    "read Chatbot Arena: winners, both ways to tie, programs that judge, and when",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const rows = [
        arenaRow,
        { ...arenaRow, question_id: "q2", winner: "tie" },
        { ...arenaRow, question_id: "q3", winner: "tie (bothbad)" },
        { ...arenaRow, question_id: "q4", judge: ["gpt-4", "pair-v2"] },
      ];
      const report = await imported(store, rows);
      expect(report).to.include({ format: "arena", items: 1, judgements: 3, aiJudgements: 1 });
      const said = (await saidIn(store)).map((one) => [one.said, one.who, one.models]);
      const [who, models] = ["arena:arena_user_9", ["alpha", "beta"]];
      expect(said).to.deep.equal([
        [[{ better: "4" }], who, models],
        [[{ better: "tie" }], who, models],
        [[{ better: "both_bad" }], who, models],
      ]);
      expect((await saidIn(store, ["ai"])).map((one) => one.who)).to.deep.equal(["ai:gpt-4"]);
      const { created } = await store.reading
        .selectFrom("judgements")
        .select("created")
        .executeTakeFirstOrThrow();
      expect(Number(created)).to.equal(1_682_351_591_500);
    }),
  );

  it(
    "read Argilla: what was submitted, and suggestions as programs' alone",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const report = await imported(store, [argillaRow]);
      expect(report).to.include({ format: "argilla", items: 1, judgements: 1, aiJudgements: 1 });
      expect(report.passed).to.deep.equal({ "draft response": 1, "discarded response": 1 });
      expect(report.unused).to.deep.equal({ mood: 1 });
      expect((await saidIn(store)).map(({ said, who }) => [said, who])).to.deep.equal([
        [[{ better: "two" }], "argilla:u1"],
      ]);
      expect((await saidIn(store, ["ai"])).map(({ said, who }) => [said, who])).to.deep.equal([
        [[{ better: "one" }], "ai:gpt-4"],
      ]);
    }),
  );

  it(
    "read Argilla's rankings, ratings and texts, by question too, as the mapping says",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const row = {
        fields: { task: "Which?", a: "one", b: "two" },
        responses: {
          order: [
            {
              user_id: "u1",
              value: [
                { value: "b", rank: 1 },
                { value: "a", rank: 1 },
              ],
            },
          ],
          help: [
            { user_id: "u1", value: 7 },
            { user_id: "u2", value: 2 },
          ],
          better: [{ user_id: "u1", value: "one!" }],
          ok: [{ user_id: "u2", value: "yes" }],
        },
      };
      const questions = { help: "rating:1", better: "edit:0", ok: "thumb:0" };
      const mapping = { prompt: "task", answers: ["a", "b"], questions };
      await imported(store, [row], { mapping, ratingScale: [0, 10] });
      expect((await saidIn(store)).map(({ said, who }) => [who, said])).to.deep.equal([
        [
          "argilla:u1",
          [
            { tiers: [["two", "one"]] },
            { kind: "rating", answer: "two", axis: "help", value: 7 },
            { kind: "edit", answer: "one", text: "one!" },
          ],
        ],
        [
          "argilla:u2",
          [
            { kind: "rating", answer: "two", axis: "help", value: 2 },
            { kind: "thumb", answer: "one", up: true },
          ],
        ],
      ]);
    }),
  );

  it(
    "read Label Studio: results of every kind, seconds, code points, truth as a hidden check",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const [first] = studioRow.annotations;
      const truth = {
        ...studioRow,
        data: { ...studioRow.data, prompt: "Which then?" },
        annotations: [{ ...first, ground_truth: true }],
        predictions: [],
      };
      const report = await imported(store, [studioRow, truth]);
      expect(report).to.include({
        format: "label-studio",
        items: 2,
        judgements: 1,
        aiJudgements: 1,
        gold: 1,
      });
      expect(report.passed).to.deep.equal({ "cancelled annotation": 1 });
      expect((await saidIn(store)).map(({ said, who }) => [who, said])).to.deep.equal([
        [
          "label-studio:5",
          [
            { better: "a 👍 one" },
            { kind: "rating", answer: "two", axis: "stars", value: 4 },
            { kind: "comment", answer: "a 👍 one", text: "clear" },
            { kind: "span", answer: "a 👍 one", start: 4, end: 7, tag: "wrong" },
          ],
        ],
      ]);
      const { active_ms: active, created } = await store.reading
        .selectFrom("judgements")
        .select(["active_ms", "created"])
        .where("purpose", "=", "import")
        .executeTakeFirstOrThrow();
      expect([Number(active), Number(created)]).to.deep.equal([12_500, Date.UTC(2024, 0, 2, 3, 4, 5)]);
      const known = await store.reading
        .selectFrom("items")
        .select(["gold", "answers"])
        .where("gold", "is not", null)
        .executeTakeFirstOrThrow();
      const [pair] = JSON.parse(known.gold ?? "[]");
      const better = JSON.parse(known.answers)[pair.choice === "left" ? 0 : 1].content;
      expect(better).to.equal("a 👍 one");
    }),
  );

  it(
    "read Label Studio's orders of a list",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const row = {
        data: { prompt: "Order", items: ["x", "y", "z"].map((id) => ({ id, body: `text ${id}` })) },
        annotations: [
          {
            result: [
              {
                from_name: "order",
                to_name: "list",
                type: "ranker",
                value: { ranker: { rank: ["z", "x", "y"] } },
              },
            ],
          },
        ],
      };
      await imported(store, [row]);
      expect((await saidIn(store)).map(({ said }) => said)).to.deep.equal([
        [{ tiers: [["text z"], ["text x"], ["text y"]] }],
      ]);
    }),
  );

  it(
    "read rows for training: pairs, ties, answers, rankings, ratings; what nobody judged becomes open items",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0, people: 1 });
      const chat = (content: string) => [turn("assistant", content)];
      const rows = [
        { prompt: "p", chosen: "a", rejected: "b" },
        { prompt: [turn("user", "p")], chosen: chat("b"), rejected: chat("a"), label: 0.5 },
        { prompt: "q", chosen: "a", rejected: "b", label: 0.2, margin: 2 },
        { prompt: "q", completion: "a", label: false },
        { prompt: "q", completions: ["a", "b", "c", "d"], ranks: [2, 1, 2, null] },
        { prompt: "q", completion: "c", rating: 3, axis: "help" },
        { prompt: "q", completion: "d" },
        { prompt: "write this" },
      ];
      const report = await imported(store, rows);
      expect(report).to.include({ format: "rows", items: 7, itemsKnown: 1, judgements: 6 });
      expect((await saidIn(store)).map(({ said }) => said)).to.deep.equal([
        [{ better: "a" }],
        [{ better: "tie" }],
        [{ better: "b" }],
        [{ kind: "thumb", answer: "a", up: false }],
        [{ tiers: [["b"], ["a", "c"]] }],
        [{ kind: "rating", answer: "c", axis: "help", value: 3 }],
      ]);
      const leased = [await lease(store, personName(0))];
      expect(leased[0]?.asks.map(({ kind }) => kind)[0]).to.be.oneOf(["thumb", "edit"]);
      const { open } = await store.reading
        .selectFrom("items")
        .select((e) => e.fn.countAll<number>().as("open"))
        .where("state", "=", "open")
        .executeTakeFirstOrThrow();
      expect(Number(open)).to.equal(2);
    }),
  );

  it(
    "read attune's own items, and who judged rows of programs where somebody says so",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0, people: 1 });
      const item = { prompt: "p", answers: [{ content: "a" }, { content: "b", model: "m" }], priority: 2 };
      expect(await imported(store, [item, item])).to.include({ format: "items", items: 1, itemsKnown: 1 });
      expect((await lease(store, personName(0))).prompt).to.equal("p");
      const row = { prompt: "r", chosen: "a", rejected: "b" };
      expect(await imported(store, [row], { by: "ai" })).to.include({ judgements: 0, aiJudgements: 1 });
      expect(await saidIn(store)).to.deep.equal([]);
    }),
  );

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
