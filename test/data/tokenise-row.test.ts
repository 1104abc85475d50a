import { expect } from "chai";
import {
  createRowCounts,
  type RowFormat,
  readRows,
  type TokeniseRowsOptions,
  tokeniseRows,
} from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { byteIds, tinyChat, tinyIds, tinyTokenizer } from "../text/tiny-tokenizer.js";
import { collect } from "./temporary-files.js";

const { eos, bos } = tinyIds;
const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

type Options = Partial<TokeniseRowsOptions> & { readonly format?: RowFormat };

function tokenise(rows: readonly object[], { format = "auto", ...options }: Options = {}) {
  const rest = { tokenizer: tinyTokenizer({ chat: tinyChat }), task: "sft", ...options } as const;
  return collect(tokeniseRows({ rows: readRows({ data: rows, format }), ...rest }));
}

async function first(row: object, options: Options = {}) {
  const [only] = await tokenise([row], options);
  if (only === undefined) throw new Error("the row was dropped");
  const masks = only.masks?.map((mask) => (mask === undefined ? undefined : [...mask]));
  const { klCompletion } = only;
  return {
    ...only,
    prompt: [...only.prompt],
    completions: only.completions.map((ids) => [...ids]),
    ...(masks === undefined ? {} : { masks }),
    ...(klCompletion === undefined ? {} : { klCompletion: [...klCompletion] }),
  };
}

describe("tokeniseRows on conversations", () => {
  it("gives a prompt and its answer the exact boundary of the template", async () => {
    const row = await first({ prompt: [user("q")], completion: [assistant("b")] });
    expect(row.prompt).to.deep.equal(byteIds("U:q\nA:"));
    expect(row.completions).to.deep.equal([[...byteIds("b"), eos]]);
  });

  it("renders the prompt of a pair for both sides", async () => {
    const pair = { prompt: [user("q")], chosen: [assistant("b")], rejected: [assistant("c")] };
    const row = await first(pair, { task: "preference" });
    expect(row.completions).to.deep.equal([
      [...byteIds("b"), eos],
      [...byteIds("c"), eos],
    ]);
  });

  it("trains on the assistant's turns up to their end of turn, and on nothing between them", async () => {
    const row = await first({ messages: [user("q"), assistant("b"), user("r"), assistant("c")] });
    expect(row.prompt).to.deep.equal(byteIds("U:q\nA:"));
    expect(row.completions).to.deep.equal([[...byteIds("b"), eos, ...byteIds("\nU:r\nA:c"), eos]]);
    expect(row.masks).to.deep.equal([[1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]]);
  });

  it("leaves out what follows the last answer", async () => {
    const row = await first({ messages: [user("q"), assistant("b"), user("r")] });
    expect(row.completions).to.deep.equal([[...byteIds("b"), eos]]);
    expect(row.masks).to.equal(undefined);
  });

  it("trains on every token but the first where assistantOnly is off", async () => {
    const row = await first({ messages: [user("q"), assistant("b")] }, { assistantOnly: false });
    expect(row.prompt).to.deep.equal(byteIds("U"));
    expect(row.completions).to.deep.equal([[...byteIds(":q\nA:b"), eos]]);
  });

  it("takes the user's turns out of an answer of several turns where assistantOnly is on", async () => {
    const several = { prompt: [user("q")], completion: [assistant("b"), user("r"), assistant("c")] };
    expect((await first(several)).masks).to.equal(undefined);
    const row = await first(several, { assistantOnly: true });
    expect(row.prompt).to.deep.equal(byteIds("U:q\nA:"));
    expect(row.masks).to.deep.equal([[1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]]);
  });

  it("puts BOS in front of a whole conversation once", async () => {
    const tokenizer = tinyTokenizer({ chat: tinyChat, startsWithBos: true });
    const row = await first({ messages: [user("q"), assistant("b")] }, { tokenizer });
    expect(row.prompt).to.deep.equal([bos, ...byteIds("U:q\nA:")]);
  });

  it("shows the template the row's tools and variables", async () => {
    const chat = `{{ tools | length if tools else 0 }}{{ mood }}${tinyChat}`;
    const tokenizer = tinyTokenizer({ chat });
    const row = {
      prompt: [user("q")],
      completion: [assistant("b")],
      tools: [{}, {}],
      chat_template_kwargs: { mood: "m" },
    };
    expect((await first(row, { tokenizer })).prompt).to.deep.equal(byteIds("2mU:q\nA:"));
  });

  it("keeps a conversation's start within maxLength, its mask cut with it", async () => {
    const counts = createRowCounts();
    const messages = [user("q"), assistant("b"), user("r"), assistant("c")];
    const row = await first({ messages }, { maxLength: 10, counts });
    expect(row.completions).to.deep.equal([[...byteIds("b"), eos, ...byteIds("\nU")]]);
    expect(row.masks).to.deep.equal([[1, 1, 0, 0]]);
    expect(counts).to.include({ kept: 1, truncated: 1 });
  });
});

describe("tokeniseRows on transcripts (hh)", () => {
  const turns = "\n\nHuman: q\n\nAssistant:";
  const pair = { chosen: `${turns} b`, rejected: `${turns} c` };

  it("renders them by the model's chat template", async () => {
    const row = await first(pair, { format: "hh", task: "preference" });
    expect(row.prompt).to.deep.equal(byteIds("U:q\nA:"));
    expect(row.completions).to.deep.equal([
      [...byteIds("b"), eos],
      [...byteIds("c"), eos],
    ]);
  });

  it("keeps them as text where the model has none, as without the format", async () => {
    const options = { task: "preference", tokenizer: tinyTokenizer() } as const;
    const kept = await first(pair, { ...options, format: "hh" });
    const { completions, prompt } = await first(pair, options);
    expect(kept).to.deep.include({ completions, prompt });
    expect(prompt).to.deep.equal(byteIds(turns));
  });

  it("drops and counts an answer of white space", async () => {
    const counts = createRowCounts();
    const blank = { chosen: `${turns} b`, rejected: `${turns} ` };
    expect(await tokenise([blank], { format: "hh", task: "preference", counts })).to.have.length(0);
    expect(counts.dropped).to.deep.equal({ empty_answer: 1 });
  });
});

describe("tokeniseRows on token ids", () => {
  it("takes them as they are: no BOS, no EOS", async () => {
    const tokenizer = tinyTokenizer({ startsWithBos: true });
    const row = await first({ prompt: [7, 8, 9], completion: [4, 5] }, { tokenizer });
    expect(row.prompt).to.deep.equal([7, 8, 9]);
    expect(row.completions).to.deep.equal([[4, 5]]);
  });

  it("takes whole sequences", async () => {
    const row = await first({ text: [7, 8, 9] });
    expect(row).to.deep.include({ prompt: [7], completions: [[8, 9]] });
  });

  it("drops and counts pairs with the same ids", async () => {
    const counts = createRowCounts();
    const row = { prompt: [7], chosen: [8], rejected: [8] };
    expect(await tokenise([row], { task: "preference", counts })).to.have.length(0);
    expect(counts.dropped).to.deep.equal({ identical: 1 });
  });
});

describe("tokeniseRows for each task", () => {
  const a = [...byteIds("a"), eos];
  const b = [...byteIds("b"), eos];

  it("gives prompts without completions", async () => {
    const row = await first({ prompt: "q " }, { task: "prompt" });
    expect(row).to.deep.include({ prompt: byteIds("q"), completions: [] });
  });

  it("gives unpaired rows a label of 1 or 0 and the answer of the KL baseline", async () => {
    const row = { prompt: "q", completion: "a", label: false, kl_completion: "b" };
    expect(await first(row, { task: "unpaired" })).to.deep.include({
      completions: [a],
      label: 0,
      klCompletion: b,
    });
    expect(await first({ ...row, label: true }, { task: "unpaired" })).to.include({ label: 1 });
  });

  it("gives rankings their ranks", async () => {
    const row = await first({ prompt: "q", completions: ["a", "b"], ranks: [2, 1] }, { task: "ranking" });
    expect(row).to.deep.include({ completions: [a, b], ranks: [2, 1] });
  });

  it("gives the best of several rank 1 and the others 2", async () => {
    const row = await first({ prompt: "q", completions: ["a", "b"], best: 0 }, { task: "ranking" });
    expect(row.ranks).to.deep.equal([1, 2]);
  });

  it("gives ratings their number and axis", async () => {
    const row = { prompt: "q", completion: "a", rating: 3, axis: "tone" };
    expect(await first(row, { task: "rating" })).to.deep.include({
      completions: [a],
      rating: 3,
      axis: "tone",
    });
  });

  it("gives steps one behind the other, EOS behind the last", async () => {
    const row = { prompt: "q ", completions: ["a", "b"], labels: [true, false] };
    expect(await first(row, { task: "stepwise" })).to.deep.include({
      completions: [byteIds(" a"), b],
      stepLabels: [true, false],
    });
  });

  it("brings log-probs of the reference along, and the sources", async () => {
    const pair = {
      prompt: "q",
      chosen: "a",
      rejected: "b",
      ref_chosen_logps: -1,
      ref_rejected_logps: -2,
      source: "j1",
    };
    expect(await first(pair, { task: "preference" })).to.deep.include({
      referenceLogps: [-1, -2],
      source: ["j1"],
    });
  });

  it("leaves them out of a row that was cut, whose log-probs they are not", async () => {
    const pair = { prompt: "q", chosen: "abcd", rejected: "b", ref_chosen_logps: -1, ref_rejected_logps: -2 };
    const row = await first(pair, { task: "preference", maxLength: 4, overLength: "truncate" });
    expect(row.truncated).to.equal(true);
    expect(row.referenceLogps).to.equal(undefined);
  });

  it("keeps the BOS that a template wrote when it cuts a prompt", async () => {
    const tokenizer = tinyTokenizer({ chat: `{{ bos_token }}${tinyChat}` });
    const pair = { prompt: [user("abcdefgh")], chosen: [assistant("b")], rejected: [assistant("c")] };
    const options = { tokenizer, maxLength: 8, overLength: "truncate" } as const;
    const row = await first(pair, { task: "preference", ...options });
    expect(row.prompt).to.deep.equal([bos, ...byteIds("gh\nA:")]);
  });

  it("keeps only the end of a prompt of token ids without BOS", async () => {
    const tokenizer = tinyTokenizer({ startsWithBos: true });
    const pair = { prompt: [10, 11, 12, 13, 14], chosen: [20], rejected: [21] };
    const options = { tokenizer, maxLength: 4, overLength: "truncate" } as const;
    expect((await first(pair, { task: "preference", ...options })).prompt).to.deep.equal([12, 13, 14]);
  });

  it("hashes a conversation up to its first answer, whichever tokens are learned", async () => {
    const rows = ["a", "b"].map((text) => ({ messages: [user("q"), assistant(text)] }));
    const hashes = async (assistantOnly: boolean) =>
      (await tokenise(rows, { assistantOnly })).map(({ promptHash }) => promptHash);
    const all = new Set([...(await hashes(true)), ...(await hashes(false))]);
    expect(all.size).to.equal(1);
  });

  it("gives rows of one group the same hash, whatever their prompts", async () => {
    const [one, two] = await tokenise([
      { prompt: "q", completion: "a", group: "g" },
      { prompt: "r", completion: "a", group: "g" },
    ]);
    expect(one?.promptHash)
      .to.equal(two?.promptHash)
      .and.to.match(/^[0-9a-f]{64}$/);
  });

  it("drops and counts a ranking over maxLength even where pairs would be cut", async () => {
    const counts = createRowCounts();
    const row = { prompt: "q", completions: ["abcdef", "b"], ranks: [1, 2] };
    const options = { task: "ranking", maxLength: 5, overLength: "truncate", counts } as const;
    expect(await tokenise([row], options)).to.have.length(0);
    expect(counts.dropped).to.deep.equal({ too_long: 1 });
  });
});

describe("tokeniseRows on prompts over maxLength", () => {
  const long = { prompt: [user("first"), assistant("a"), user("q")] };

  it("drops and counts them", async () => {
    const counts = createRowCounts();
    expect(await tokenise([long], { task: "prompt", maxLength: 8, counts })).to.have.length(0);
    expect(counts.dropped).to.deep.equal({ prompt_too_long: 1 });
  });

  it("cuts them at a message where asked to", async () => {
    const row = await first(long, { task: "prompt", maxLength: 8, overLength: "truncate" });
    expect(row).to.deep.include({ prompt: byteIds("U:q\nA:"), truncated: true });
  });

  it("cuts text at a line", async () => {
    const row = await first(
      { prompt: "ab\ncd\nef" },
      { task: "prompt", maxLength: 6, overLength: "truncate" },
    );
    expect(row.prompt).to.deep.equal(byteIds("cd\nef"));
  });

  it("drops and counts those whose last message alone is too long", async () => {
    const counts = createRowCounts();
    const options = { task: "prompt", maxLength: 3, overLength: "truncate", counts } as const;
    expect(await tokenise([long], options)).to.have.length(0);
    expect(counts.dropped).to.deep.equal({ prompt_too_long: 1 });
  });
});

describe("tokeniseRows counts", () => {
  const tie = { prompt: "q", chosen: "a", rejected: "b", label: 0.5 };

  it("ties, which stay soft labels", async () => {
    const counts = createRowCounts();
    const [row] = await tokenise([tie], { task: "preference", counts });
    expect(row?.label).to.equal(0.5);
    expect(counts).to.include({ kept: 1, ties: 1 });
  });

  it("ties that were to be dropped", async () => {
    const counts = createRowCounts();
    const ranking = { prompt: "q", completions: ["a", "b"], ranks: [1, 1] };
    await tokenise([tie], { task: "preference", ties: "drop", counts });
    await tokenise([ranking], { task: "ranking", ties: "drop", counts });
    expect(counts.dropped).to.deep.equal({ tie: 2 });
  });

  it("pairs of messages with identical sides, and those the template makes identical", async () => {
    const counts = createRowCounts();
    const chat = tinyChat.replaceAll("m.content", "m.content | trim");
    const sides = (chosen: string, rejected: string) => ({
      prompt: [user("q")],
      chosen: [assistant(chosen)],
      rejected: [assistant(rejected)],
    });
    const options = { task: "preference", counts, tokenizer: tinyTokenizer({ chat }) } as const;
    expect(await tokenise([sides("a", "a"), sides("a", "a "), sides("a", "b")], options)).to.have.length(1);
    expect(counts.dropped).to.deep.equal({ identical: 2 });
  });

  it("pairs with identical sides also where the chosen one is imitated, in every form", async () => {
    const counts = createRowCounts();
    const ids = { prompt: [10], chosen: [11], rejected: [11] };
    const said = { prompt: [user("q")], chosen: [assistant("a")], rejected: [assistant("a")] };
    expect(await tokenise([ids, said], { task: "sft", counts })).to.deep.equal([]);
    expect(counts.dropped).to.deep.equal({ identical: 2 });
  });

  it("rows that the template refuses, as many as may be skipped", async () => {
    const chat = `{% if messages[0].role != 'user' %}{{ raise_exception('user first') }}{% endif %}${tinyChat}`;
    const bad = { messages: [assistant("a")] };
    const good = { messages: [user("q"), assistant("a")] };
    const counts = createRowCounts();
    const options = { tokenizer: tinyTokenizer({ chat }), counts, skipBadRows: 1 };
    expect(await tokenise([good, bad, good], options)).to.have.length(2);
    expect(counts).to.include({ bad: 1, kept: 2 });
    expect(counts.badMessages[0]).to.match(/^rows:2: .*user first/);
    const error = await failureOf(() => tokenise([good, bad], { ...options, skipBadRows: 0 }));
    expect(error.code).to.equal("ATTUNE_TEMPLATE");
    expect(error.details).to.include({ file: "rows", line: 2 });
  });
});

describe("tokeniseRows refuses, with file and line,", () => {
  const messages = [user("q"), assistant("b")];
  const cases: readonly (readonly [string, object, Options, string, RegExp])[] = [
    [
      "messages without a template",
      { messages },
      { tokenizer: tinyTokenizer() },
      "ATTUNE_TEMPLATE",
      /--chat-template/,
    ],
    [
      "a template that rewrites earlier turns",
      { messages: [user("q"), assistant("b"), user("r"), assistant("c")] },
      { tokenizer: tinyTokenizer({ chat: `{{ messages | length }}${tinyChat}` }) },
      "ATTUNE_TEMPLATE_PREFIX",
      /rewrite earlier turns/,
    ],
    [
      "two BOS tokens",
      { messages },
      { tokenizer: tinyTokenizer({ chat: `{{ bos_token }}<bos>${tinyChat}` }) },
      "ATTUNE_TEMPLATE",
      /found two/,
    ],
    ["two BOS tokens in a text", { text: "<bos><bos>a" }, {}, "ATTUNE_TEMPLATE", /found two/],
    [
      "assistant-only loss on text",
      { text: "abc" },
      { assistantOnly: true },
      "ATTUNE_OPTION",
      /--assistant-only/,
    ],
    [
      "ids that the model does not have",
      { text: [1, 300] },
      { vocabularySize: 300 },
      "ATTUNE_DATA",
      /below .* 300 but the row has 300 .*Correct the row/,
    ],
  ];
  for (const [what, row, options, code, message] of cases) {
    it(what, async () => {
      const error = await failureOf(() => tokenise([row], options));
      expect(error.code).to.equal(code);
      expect(error.message).to.match(message);
      expect(error.message).to.contain("rows:1");
    });
  }
});
