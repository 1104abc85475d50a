// The real model of the oracle, read from its GGUF: weights, tokenised texts, log-probs and likely tokens.
// Must not know the model's name or sizes: both come from its files.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect } from "chai";
import type { Checks } from "../../lib/engine/checks.js";
import type { Engine, Model } from "../../lib/engine/index.js";
import { loadTokenizer } from "../../lib/text/index.js";
import { batchOfSequences, everyPosition } from "../support/oracle-batch.js";
import { at, Comparison, l2, meanAbsolute, sumOf } from "../support/oracle-compare.js";
import { suiteChecks, suiteEngine, type TestedIsa } from "../support/oracle-engines.js";
import { readOracleJson, sharedPath } from "../support/oracle-folder.js";
import { sampleAll } from "../support/sample-all.js";

interface ExpectedTensor {
  readonly type: string;
  readonly shape: readonly number[];
  readonly sum: number;
  readonly l2: number;
  readonly first_row_first8?: readonly number[];
  readonly last_row_first8?: readonly number[];
  readonly hf_name?: string;
  readonly hf_row1_first8?: readonly number[];
}

interface ExpectedText {
  readonly ids?: readonly number[];
  readonly text?: string;
  readonly row?: number;
  readonly field?: string;
  readonly num_ids: number;
  readonly num_ids_untruncated: number;
  readonly ids_sha256: string;
  readonly logps: readonly number[];
  readonly total: number;
  readonly torch_bf16: { readonly mean_abs: number };
}

interface ExpectedChat {
  readonly prompt_ids: readonly number[];
  readonly ids: readonly number[];
  readonly top10: { readonly ids: readonly number[]; readonly logps: readonly number[] };
}

interface RealModel {
  readonly model: string;
  readonly max_tokens: number;
  readonly tensors: Readonly<Record<string, ExpectedTensor>>;
  readonly texts: readonly ExpectedText[];
  readonly chats: readonly ExpectedChat[];
}

const fileOfRows = "hh-harmless-eval.jsonl.gz";

/** Registers the tests of the real model. */
export function realModelCase(name: string, isa: TestedIsa): void {
  const expected = readOracleJson<RealModel>("model", name, "expected.json");
  const folder = sharedPath("models", expected.model);
  const file = join(folder, ggufOf(folder));
  const engine = suiteEngine({ isa });
  const checks = suiteChecks({ isa });
  const subject = { family: "model", isa: isa.name, name };
  describe("fp32", () => {
    const compare = new Comparison({ ...subject, dtype: "fp32" });
    singlePrecision({ expected, file, engine, compare, checks });
  });
  describe("bf16", () => {
    const compare = new Comparison({ ...subject, dtype: "bf16" });
    halfPrecision({ expected, file, engine, compare });
  });
}

interface Parts {
  readonly expected: RealModel;
  readonly file: string;
  readonly engine: () => Engine;
  readonly compare: Comparison;
}

function singlePrecision({
  expected,
  file,
  engine,
  compare,
  checks,
}: Parts & { readonly checks: () => Checks }): void {
  let model: Model;

  before(async () => {
    model = await engine().loadModel(file, { dtype: "fp32" });
  });
  after(() => model?.dispose());

  for (const [name, tensor] of Object.entries(expected.tensors)) {
    it(`reads ${name} (${tensor.type}) as it lies in the file, and as Hugging Face orders it`, async () => {
      const { shape, values } = await checks().readTensor(file, name);
      expect(shape).to.deep.equal(tensor.shape);
      checkRows(compare, tensor, values);
      const { hf_name: loaded, hf_row1_first8: secondRow } = tensor;
      if (loaded === undefined) return;
      const parameter = await model.parameter(loaded);
      const columns = tensor.shape.at(-1) ?? 0;
      if (secondRow === undefined) checkRows(compare, tensor, parameter);
      else compare.exact(`row 1 of ${loaded}`, parameter.subarray(columns, columns + 8), secondRow);
      compare.relative("l2 of weights", l2(parameter), tensor.l2, 1e-9, loaded);
    });
  }

  it("turns the texts, and the rows of human pairs, into the same ids", async () => {
    const texts = await idsOfTexts(expected, file);
    for (const [i, text] of expected.texts.entries()) {
      const ids = texts[i] ?? new Int32Array(0);
      expect(ids.length, `text ${i}`).to.equal(text.num_ids_untruncated);
      expect(sha256(ids.subarray(0, text.num_ids)), `text ${i}`).to.equal(text.ids_sha256);
      if (text.ids !== undefined) compare.exact("ids", ids.subarray(0, text.num_ids), text.ids);
    }
  });

  it("has the log-prob of every token of the texts", async () => {
    for (const [i, logprobs] of (await textLogprobs({ expected, file, model })).entries()) {
      const text = expected.texts[i];
      compare.absolute("logps of real texts", logprobs, text?.logps ?? [], 1e-4, `text ${i}`);
      compare.absolute(
        "total of a real text",
        sumOf(logprobs),
        text?.total ?? Number.NaN,
        1e-4 * logprobs.length,
      );
    }
  });

  for (const [i, chat] of expected.chats.entries()) {
    it(`finds the likeliest tokens after the prompt of chat ${i}, and its greedy continuation`, async () => {
      await checkChat(chat, model, compare);
    });
  }
}

function halfPrecision({ expected, file, engine, compare }: Parts): void {
  it("has log-probs as near to the truth as twice torch's bf16, and not far nearer", async () => {
    const model = await engine().loadModel(file, { dtype: "bf16" });
    try {
      for (const [i, logprobs] of (await textLogprobs({ expected, file, model })).entries()) {
        const { logps, torch_bf16 } = expected.texts[i] ?? {
          logps: [],
          torch_bf16: { mean_abs: Number.NaN },
        };
        const error = meanAbsolute(logprobs, logps);
        compare.below("logps of real texts, mean", error, 2 * torch_bf16.mean_abs, `text ${i}`);
        expect(error, `text ${i}`).to.be.at.least(torch_bf16.mean_abs / 4);
      }
    } finally {
      await model.dispose();
    }
  });
}

/** Norm, sum and the ends of a tensor in the order it has in the file. */
function checkRows(compare: Comparison, tensor: ExpectedTensor, values: Float32Array): void {
  const columns = tensor.shape.at(-1) ?? 0;
  compare.relative("l2 of weights", l2(values), tensor.l2, 1e-9);
  compare.absolute("sum of weights", sumOf(values), tensor.sum, 1e-6 * tensor.l2);
  const { first_row_first8: first, last_row_first8: last } = tensor;
  if (first !== undefined) compare.exact("first row", values.subarray(0, first.length), first);
  const start = values.length - columns;
  if (last !== undefined) compare.exact("last row", values.subarray(start, start + last.length), last);
}

/** One forward pass over prompt and continuation: each token must be the likeliest after all before it. */
async function checkChat(chat: ExpectedChat, model: Model, compare: Comparison): Promise<void> {
  const { prompt_ids: prompt, ids, top10 } = chat;
  const tokens = [...prompt, ...ids];
  const scored = everyPosition(tokens).slice(prompt.length - 1, -1);
  const { argmax } = await model.forward(batchOfSequences({ sequences: [{ tokens, scored }] }));
  compare.exact("greedy ids", argmax, ids);
  const options = { maxNewTokens: ids.length, temperature: 0 };
  const { sequences } = await sampleAll({ model, prompts: [Int32Array.from(prompt)], options });
  compare.exact("sampled greedy ids", sequences[0]?.tokens ?? [], ids);
  const likeliest = batchOfSequences({
    sequences: top10.ids.map((token) => ({
      tokens: prompt,
      scored: [{ position: prompt.length - 1, token }],
    })),
  });
  const { logprobs } = await model.forward(likeliest);
  compare.absolute("logps of the ten likeliest", logprobs, top10.logps, 1e-4);
  compare.exact("ten likeliest ids", await likeliestIds(model, prompt, top10.ids.length), top10.ids);
}

async function likeliestIds(model: Model, prompt: readonly number[], count: number): Promise<number[]> {
  const scored = [{ position: prompt.length - 1, token: 0 }];
  const batch = batchOfSequences({ sequences: [{ tokens: prompt, scored }] });
  const { logits } = await model.forward(batch, { logits: true });
  const order = Array.from(logits ?? [], (logit, id) => ({ logit, id }));
  return order
    .sort((a, b) => b.logit - a.logit)
    .slice(0, count)
    .map(({ id }) => id);
}

interface TextsOptions {
  readonly expected: RealModel;
  readonly file: string;
  readonly model: Model;
}

/** Log-probs of every token but the first, one list per text; all texts in one batch. */
async function textLogprobs({ expected, file, model }: TextsOptions): Promise<readonly Float32Array[]> {
  const texts = await idsOfTexts(expected, file);
  const sequences = texts.map((ids, i) => {
    const tokens = ids.subarray(0, expected.texts[i]?.num_ids ?? 0);
    return { tokens, scored: everyPosition(tokens).slice(0, -1) };
  });
  const batch = batchOfSequences({ sequences });
  const { logprobs } = await model.forward(batch);
  return sequences.map((_, i) => {
    const first = at(batch.completions, 2 * i);
    return logprobs.subarray(first, first + at(batch.completions, 2 * i + 1));
  });
}

async function idsOfTexts(expected: RealModel, file: string): Promise<readonly Int32Array[]> {
  const tokenizer = await loadTokenizer({ path: file });
  const lines = gunzipSync(readFileSync(sharedPath("data", fileOfRows)))
    .toString("utf8")
    .split("\n");
  return expected.texts.map(({ text, row, field }) => {
    if (text !== undefined) return tokenizer.encode(text);
    const content = JSON.parse(lines[row ?? -1] ?? "{}") as Readonly<Record<string, string>>;
    return tokenizer.encode(content[field ?? ""] ?? "");
  });
}

function sha256(ids: Int32Array): string {
  const bytes = Buffer.alloc(4 * ids.length);
  for (const [i, id] of ids.entries()) bytes.writeInt32LE(id, 4 * i);
  return createHash("sha256").update(bytes).digest("hex");
}

function ggufOf(folder: string): string {
  const found = readdirSync(folder).find((entry) => entry.endsWith(".gguf"));
  if (found === undefined) throw new Error(`${folder} holds no .gguf file`);
  return found;
}
