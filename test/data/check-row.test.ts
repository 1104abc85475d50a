import { expect } from "chai";
import { checkRow } from "../../lib/data/check-row.js";
import { typeNames } from "../../lib/data/row-type.js";
import type { RowType } from "../../lib/data/rows.js";
import { failureOf } from "../errors/expect-failure.js";

const place = { file: "rows", line: 3 };
const everyType = Object.keys(typeNames) as RowType[];
const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

interface Given {
  readonly type?: RowType;
  readonly accept?: readonly RowType[];
  readonly transcripts?: boolean;
}

function check(value: unknown, { type, accept = everyType, transcripts = false }: Given = {}) {
  return checkRow({ value, place, accept, type, named: type !== undefined, transcripts });
}

describe("checkRow takes", () => {
  const answers = { prompt: "p", completions: ["a", "b"] };
  const cases: readonly (readonly [string, object, object])[] = [
    ["text", { text: "a" }, { type: "text", text: "a" }],
    [
      "messages",
      { messages: [user("q"), assistant("a")] },
      { type: "text", text: [user("q"), assistant("a")] },
    ],
    ["prompts alone", { prompt: "p" }, { type: "prompt", prompt: "p" }],
    [
      "prompt and completion",
      { prompt: "p", completion: "c" },
      { type: "prompt-completion", completion: "c" },
    ],
    [
      "prompt and completion as messages",
      { prompt: [user("q")], completion: [assistant("a")] },
      { type: "prompt-completion", prompt: [user("q")], completion: [assistant("a")] },
    ],
    [
      "pairs with a soft label, a margin and log-probs of the reference",
      {
        prompt: "p",
        chosen: "a",
        rejected: "b",
        label: 0.5,
        margin: 2,
        ref_chosen_logps: -3,
        ref_rejected_logps: -4,
      },
      { type: "preference", label: 0.5, margin: 2, referenceLogps: [-3, -4] },
    ],
    [
      "unpaired rows, with an answer to another prompt",
      { prompt: "p", completion: "c", label: false, kl_completion: "k" },
      { type: "unpaired", good: false, klCompletion: "k" },
    ],
    [
      "stepwise rows",
      { ...answers, labels: [true, false] },
      { type: "stepwise", completions: ["a", "b"], labels: [true, false] },
    ],
    ["rankings with ties", { ...answers, ranks: [1, 1] }, { type: "ranking", ranks: [1, 1] }],
    ["the best of several", { ...answers, best: 1 }, { type: "best-of", ranks: [2, 1] }],
    [
      "ratings with an axis",
      { prompt: "p", completion: "c", rating: 4.5, axis: "tone" },
      { type: "rating", rating: 4.5, axis: "tone" },
    ],
    [
      "weight, group, source, tools and template variables of any row",
      {
        text: "a",
        weight: 2,
        group: "g",
        source: ["s"],
        tools: [{ name: "t" }],
        chat_template_kwargs: { thinking: true },
      },
      { weight: 2, group: "g", source: ["s"], tools: [{ name: "t" }], templateVariables: { thinking: true } },
    ],
    [
      "groups and sources that are numbers, as texts",
      { text: "a", group: 7, source: [8, 9n] },
      { group: "7", source: ["8", "9"] },
    ],
    ["columns it does not know as metadata", { text: "a", score: 3 }, { metadata: { score: 3 } }],
    [
      "columns that are null as absent",
      { text: "a", prompt: null, weight: null, images: null },
      { weight: 1 },
    ],
    ["a message that calls a tool", { messages: [user("q"), { role: "assistant", tool_calls: [{}] }] }, {}],
  ];
  for (const [what, row, expected] of cases)
    it(what, () => {
      expect(check(row)).to.deep.include(expected);
    });

  it("token ids in place of texts", () => {
    const row = check({ prompt: [1, 2, 3], completion: [4, 5] });
    expect(row).to.deep.include({ prompt: Int32Array.of(1, 2, 3), completion: Int32Array.of(4, 5) });
  });

  it("whole conversations, whose prompt is the messages both begin with", () => {
    const chosen = [user("q"), assistant("I am glad")];
    const rejected = [user("q"), assistant("I am not")];
    expect(check({ chosen, rejected })).to.deep.include({
      prompt: [user("q")],
      chosen: [assistant("I am glad")],
      rejected: [assistant("I am not")],
    });
  });
});

describe("checkRow reads transcripts as messages", () => {
  const turns = "\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant:";
  const prompt = [user("q"), assistant("a"), user("r")];

  it("of pairs without a prompt, and keeps the texts", () => {
    const row = check({ chosen: `${turns} yes `, rejected: `${turns} no` }, { transcripts: true });
    expect(row).to.deep.include({ prompt, chosen: [assistant("yes")], rejected: [assistant("no")] });
    expect(row.transcript).to.deep.equal({ prompt: turns, chosen: " yes ", rejected: " no" });
  });

  it("of prompts and completions", () => {
    const row = check({ prompt: turns, completion: " yes" }, { transcripts: true });
    expect(row).to.deep.include({ prompt, completion: [assistant("yes")] });
  });

  it("of whole texts", () => {
    expect(check({ text: `${turns} yes` }, { transcripts: true })).to.deep.include({
      text: [...prompt, assistant("yes")],
    });
  });

  it("with further turns behind the answer", () => {
    const row = check({ prompt: turns, completion: " b\n\nHuman: s\n\nAssistant: c" }, { transcripts: true });
    expect(row).to.deep.include({ completion: [assistant("b"), user("s"), assistant("c")] });
  });

  it("and refuses other texts", async () => {
    const error = await failureOf(() => check({ text: "Hello" }, { transcripts: true }));
    expect(error.code).to.equal("ATTUNE_DATA");
    expect(error.message).to.contain(
      'rows:3: expected a transcript (\\n\\nHuman: … \\n\\nAssistant: …) in column "text"',
    );
  });

  it("and refuses a prompt that does not end with the answer's heading", async () => {
    const error = await failureOf(() =>
      check({ prompt: "\n\nHuman: q", completion: " a" }, { transcripts: true }),
    );
    expect(error.message).to.contain('that ends with "\\n\\nAssistant:" in column "prompt"');
  });
});

describe("checkRow refuses", () => {
  const answers = { prompt: "p", completions: ["a", "b"] };
  const rating = { prompt: "p", completion: "c", rating: 5 };
  const cases: readonly (readonly [string, object, RegExp])[] = [
    [
      "text beside messages",
      { prompt: "p", completion: [assistant("a")] },
      /but found text in "prompt" and messages/,
    ],
    [
      "text beside token ids",
      { prompt: "p", completion: [1] },
      /text in "prompt" and token ids in "completion"/,
    ],
    ["messages beside a text column", { text: "a", messages: [user("q")] }, /two types \(text, messages\)/],
    ["segments", { segments: [{}], label: 1 }, /column "segments" \(segments of control tasks\)/],
    ["images", { prompt: "p", completion: "c", images: ["x"] }, /column "images" \(images\)/],
    [
      "an image in a message",
      { messages: [{ role: "user", content: [{ type: "image" }] }] },
      /part of type "image"/,
    ],
    ["an empty list", { prompt: [], completion: "c" }, /in column "prompt" but found an empty list/],
    [
      "ids that are none",
      { prompt: [1, -2], completion: [1] },
      /token ids in column "prompt" but found number -2/,
    ],
    [
      "an empty answer",
      { prompt: [user("q")], completion: [assistant("")] },
      /last message in column "completion"/,
    ],
    ["an empty prompt", { prompt: [user("")], completion: [assistant("a")] }, /found only empty messages/],
    [
      "an answer of the user",
      { prompt: [user("q")], completion: [user("a")] },
      /message 0 with the role "user"/,
    ],
    ["a message without a role", { messages: [{ content: "a" }] }, /a "role" in message 0/],
    ["a message without content", { messages: [{ role: "user" }] }, /text as "content" of message 0/],
    [
      "conversations without a common message",
      { chosen: [user("a"), assistant("b")], rejected: [user("c"), assistant("d")] },
      /same messages/,
    ],
    [
      "conversations that part before the user speaks",
      {
        chosen: [user("q"), assistant("a"), user("x"), assistant("b")],
        rejected: [user("q"), assistant("a"), user("y"), assistant("b")],
      },
      /message 0 with the role "user"/,
    ],
    [
      "one conversation that is all prompt",
      {
        chosen: [user("q"), assistant("a")],
        rejected: [user("q"), assistant("a"), user("r"), assistant("b")],
      },
      /answer after the common prompt in column "chosen"/,
    ],
    [
      "as many ranks as not answers",
      { ...answers, ranks: [1] },
      /a list of 2 integers .*"ranks" but found a list of 1/,
    ],
    ["ranks below 1", { ...answers, ranks: [0, 1] }, /integers >= 1 .*found number 0/],
    ["a best that is not there", { ...answers, best: 2 }, /an integer from 0 to 1 in column "best"/],
    ["several answers without a judgement", answers, /no column ranks, best or labels/],
    ["one answer to rank", { prompt: "p", completions: ["a"], ranks: [1] }, /2 or more answers/],
    [
      "one log-prob of two",
      { prompt: "p", chosen: "a", rejected: "b", ref_chosen_logps: -1 },
      /"ref_rejected_logps"/,
    ],
    [
      "steps that are messages",
      { prompt: [user("q")], completions: [[assistant("a")]], labels: [true] },
      /text or token ids as steps .*found messages/,
    ],
    [
      "a rating that is no number",
      { prompt: "p", completion: "c", rating: "5" },
      /a number in column "rating"/,
    ],
    [
      "two axes of a rating",
      { ...rating, axis: ["a", "b"] },
      /a whole number in column "axis" but found a list/,
    ],
    [
      "two groups of a row",
      { ...rating, group: ["a", "b"] },
      /a whole number in column "group" but found a list/,
    ],
  ];
  for (const [what, row, message] of cases) {
    it(what, async () => {
      const error = await failureOf(() => check(row));
      expect(error.code).to.match(/^ATTUNE_DATA/);
      expect(error.message).to.match(message);
      expect(error.message).to.match(/^rows:3: expected /);
      expect(error.details).to.include(place);
    });
  }

  it("a rating of null as what it is, not as a row of another type", async () => {
    const row = { ...rating, rating: null };
    for (const given of [
      { type: "rating" },
      { accept: ["preference", "rating"] },
    ] as const satisfies Given[]) {
      const error = await failureOf(() => check(row, given));
      expect(error.message).to.contain('a number in column "rating" but found null');
    }
  });

  it("ranks of null as what they are, not as a row of another type", async () => {
    const error = await failureOf(() => check({ ...answers, ranks: null }, { type: "ranking" }));
    expect(error.message).to.contain('in column "ranks" but found null');
  });

  it("rows that another command learns from, and names it", async () => {
    const refused = (value: unknown, accept: readonly RowType[]) =>
      failureOf(() => checkRow({ value, place, accept, type: undefined }));
    const ranking = { prompt: "p", completions: ["a", "b"], ranks: [1, 2] };
    const thumb = { prompt: "p", completion: "a", label: true };
    expect((await refused(ranking, ["preference"])).message).to.include(
      "attune dpo with --loss plackett-luce",
    );
    expect((await refused(thumb, ["preference"])).message).to.include("which attune kto learns from.");
  });

  it("an unpaired row whose label is no truth value", async () => {
    const error = await failureOf(() =>
      check({ prompt: "p", completion: "c", label: 1 }, { type: "unpaired" }),
    );
    expect(error.message).to.contain('true or false in column "label" but found number 1');
  });
});
