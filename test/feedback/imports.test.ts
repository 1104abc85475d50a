// Files of other programs as items, people and judgements: what each format says, once, and what is no judgement of a person.

import { expect } from "chai";
import {
  arenaRow,
  argillaRow,
  hhRow,
  imported,
  saidIn,
  studioRow,
  summarizeRow,
  turn,
} from "./imported-rows.js";
import { lease, personName, sampleProject } from "./sample-project.js";
import { describeStores } from "./stores.js";

describeStores("imports", (withStore) => {
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
});
