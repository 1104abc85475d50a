// model.score: rows of every form scored where training scores them, with what is added, whatever the micro-batches.

import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { packRows, type RatingRow, tokeniseRow } from "../../lib/data/index.js";
import { createEngine, type Engine, type Model, type ScoreRow } from "../../lib/engine/index.js";
import { scoresOfHeads } from "../../lib/engine/score.js";
import { failureOf } from "../errors/expect-failure.js";
import { someIds } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { TINY_EOS } from "../support/tiny-tokenizer.js";

const template =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|endoftext|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

describe("model.score", () => {
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  before(async () => {
    engine = await createEngine({ threads: 2 });
    writeTinyModel({ folder: at("tiny") });
    const config = JSON.parse(readFileSync(at("tiny/tokenizer_config.json"), "utf8"));
    writeFileSync(at("tiny/tokenizer_config.json"), JSON.stringify({ ...config, chat_template: template }));
    model = await engine.loadModel(at("tiny"), { scoreHead: { heads: 3, seed: 2 } });
  });
  after(() => engine.dispose());

  /** [heads] at the last token of ids given whole. */
  async function alone(prompt: Int32Array, completion: Int32Array): Promise<number[]> {
    const batch = packRows({ data: [{ prompt, completions: [completion] }], rows: [0], score: true });
    return Array.from(await model.scores(batch));
  }
  const heads = async (row: ScoreRow): Promise<number[]> =>
    (await model.scoreAll([row])).heads.map(([score]) => score ?? Number.NaN);
  const bytes = (text: string) => Int32Array.from(new TextEncoder().encode(text));
  const withEnd = (text: string) => Int32Array.of(...bytes(text), TINY_EOS);

  const rows: ScoreRow[] = Array.from({ length: 7 }, (_, i) => ({
    prompt: someIds(4 + (i >> 1), 1 + (i >> 1)),
    completion: someIds(3 + i, 20 + i),
  }));

  it("reads token ids at their last one, as they are", async () => {
    const [prompt, completion] = [someIds(5, 1), someIds(6, 2)];
    expect(await heads({ prompt, completion })).to.deep.equal(await alone(prompt, completion));
    expect(await heads({ prompt: [...prompt], completion: [...completion] })).to.deep.equal(
      await alone(prompt, completion),
    );
  });

  it("reads text at its EOS, which it adds once", async () => {
    const expected = await alone(bytes("Hi"), withEnd(" you"));
    expect(await heads({ prompt: "Hi", completion: " you" })).to.deep.equal(expected);
    expect(await heads({ prompt: "Hi ", completion: "you" })).to.deep.equal(expected);
    expect(await heads({ prompt: "Hi", completion: " you<|endoftext|>" })).to.deep.equal(expected);
  });

  it("tokenises text as training does", async () => {
    const tokenizer = await model.tokenizer();
    const place = { file: "rows.jsonl", line: 1 };
    const sides = { prompt: "One \n", completion: "two" };
    const row: RatingRow = { type: "rating", ...sides, rating: 1, weight: 1, index: 0, place, metadata: {} };
    const [trained] = tokeniseRow(row, { tokenizer, task: "rating" });
    if (typeof trained !== "object") throw new Error(`no row but ${trained}`);
    expect(await heads(sides)).to.deep.equal(
      await alone(trained.prompt, trained.completions[0] ?? bytes("")),
    );
  });

  it("reads messages through the chat template, up to the answer's EOS", async () => {
    const prompt = [{ role: "user", content: "Hi" }];
    const tokenizer = await model.tokenizer();
    const asked = tokenizer.encode("<|im_start|>user\nHi<|endoftext|><|im_start|>assistant\n");
    const expected = await alone(asked, withEnd("yes"));
    expect(await heads({ prompt, completion: [{ role: "assistant", content: "yes" }] })).to.deep.equal(
      expected,
    );
    expect(await heads({ prompt, completion: "yes" })).to.deep.equal(expected);
    expect(await heads({ prompt, completion: withEnd("yes") })).to.deep.equal(expected);
  });

  it("takes text beside ids", async () => {
    const expected = await alone(bytes("Hi"), withEnd(" you"));
    expect(await heads({ prompt: bytes("Hi"), completion: " you" })).to.deep.equal(expected);
    expect(await heads({ prompt: "Hi", completion: withEnd(" you") })).to.deep.equal(expected);
  });

  it("scores an empty answer at its EOS", async () => {
    expect(await heads({ prompt: "Hi", completion: "" })).to.deep.equal(
      await alone(bytes("Hi"), Int32Array.of(TINY_EOS)),
    );
  });

  it("gives every row the score it has alone, in order, with shared prompts and any micro-batch", async () => {
    const expected = await Promise.all(rows.map(heads));
    for (const microBatchTokens of [1, 13, 25, 2048]) {
      const { heads: found } = await model.scoreAll(rows, { microBatchTokens });
      expect(rows.map((_, i) => found.map((head) => head[i]))).to.deep.equal(expected);
    }
  });

  it("computes a prompt once for answers that stand together", async () => {
    const shared = Array.from({ length: 4 }, (_, i) => ({
      prompt: someIds(50, 1),
      completion: someIds(3, i),
    }));
    const seen: number[] = [];
    const counting: Model = Object.create(model, {
      scores: {
        value: (...all: Parameters<Model["scores"]>) => {
          seen.push(all[0].tokens.length);
          return model.scores(...all);
        },
      },
    });
    const tokenizer = () => model.tokenizer();
    const options = { microBatchTokens: 60 };
    await scoresOfHeads({ rows: shared, options, model: counting, bias: undefined, tokenizer });
    expect(seen).to.deep.equal([59, 53]);
  });

  it("is the mean of the heads, or what is asked for", async () => {
    const { heads: all } = await model.scoreAll(rows);
    const of = (i: number) => all.map((head) => head[i] ?? Number.NaN);
    const [mean, least] = [await model.score(rows), await model.score(rows, { aggregate: "min" })];
    for (const i of rows.keys()) {
      expect(mean[i]).to.be.closeTo(of(i).reduce((sum, score) => sum + score, 0) / 3, 1e-6);
      expect(least[i]).to.equal(Math.min(...of(i)));
    }
    const cautious = await model.score(rows, { aggregate: "deviation", k: 2 });
    expect(cautious.every((score, i) => score < (mean[i] ?? 0))).to.equal(true);
  });

  it("adds each head's bias", async () => {
    const before = await model.scoreAll(rows);
    const bias = [0.5, -2, 4];
    const [mean, std] = [bias, [1, 1, 1]];
    model.scoreNormalisation = { bias, mean, std, count: 1, dataHash: "", unitStd: false };
    const after = await model.scoreAll(rows);
    model.scoreNormalisation = undefined;
    for (const [k, head] of after.heads.entries())
      expect(head).to.deep.equal(before.heads[k]?.map((score) => score + (bias[k] ?? 0)));
  });

  it("gives nothing for no rows", async () => {
    expect(await model.score([])).to.have.length(0);
  });

  it("is cancelled by a signal", async () => {
    const signal = AbortSignal.abort();
    let failed: unknown;
    await model.score(rows, { signal }).catch((error: unknown) => {
      failed = error;
    });
    expect(failed).to.be.instanceOf(Error);
  });

  const good = { prompt: [1], completion: [2] };
  for (const [what, row, text] of [
    [
      "a completion is missing",
      { prompt: [1] },
      "Row 1: expected completion to be a text, messages or token ids",
    ],
    ["a prompt is a number", { prompt: 5, completion: "b" }, "Row 1: expected prompt"],
    ["an id is a fraction", { prompt: [1], completion: [1.5] }, "but received 1.5"],
    ["a prompt has no token", { prompt: [], completion: [1] }, "Row 1: expected at least one prompt token"],
    [
      "it is longer than the model's positions",
      { prompt: someIds(250, 1), completion: someIds(7, 1) },
      "at most 256",
    ],
    [
      "messages answer ids",
      { prompt: [1], completion: [{ role: "assistant", content: "a" }] },
      "token ids but",
    ],
    [
      "messages answer a text",
      { prompt: "a", completion: [{ role: "assistant", content: "a" }] },
      "expected messages",
    ],
    ["a row is nothing", undefined, "Row 1: expected prompt"],
  ] as const)
    it(`refuses a row where ${what}, by its number`, async () => {
      const error = await failureOf(() => model.score([good, row as ScoreRow]));
      expect(error.code).to.equal("ATTUNE_DATA");
      expect(error.message).to.include(text);
    });

  it("refuses an option that is none", async () => {
    const error = await failureOf(() => model.score([good], { aggregat: "min" } as object));
    expect(error.code).to.equal("ATTUNE_OPTION");
    expect(error.message).to.include("aggregat");
  });
});
