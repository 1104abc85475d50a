// Sampling as text: forms of prompts, streams of chunks, stop strings, cancelling, leaving early.

import { writeFileSync } from "node:fs";
import { expect } from "chai";
import { createEngine, type Engine, type GeneratedChunk, type Model } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { sampleAll } from "../support/sample-all.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const TEMPLATE =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

describe("generating text", () => {
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  before(async () => {
    engine = await createEngine({ device: "cpu", threads: 2 });
    writeTinyModel({ folder: at("tiny") });
    writeFileSync(at("tiny/chat_template.jinja"), TEMPLATE);
    model = await engine.loadModel(at("tiny"));
  });
  after(() => engine.dispose());

  /** All chunks of each answer, by prompt and sample. */
  async function streamed(...[prompts, options]: Parameters<Model["generate"]>): Promise<GeneratedChunk[][]> {
    const answers: GeneratedChunk[][] = [];
    for await (const chunk of model.generate(prompts, options)) {
      const index = chunk.prompt * (options?.samples ?? 1) + chunk.sample;
      answers[index] = [...(answers[index] ?? []), chunk];
    }
    return answers;
  }

  const textOf = (chunks: readonly GeneratedChunk[] = []) => chunks.map(({ text }) => text).join("");
  const idsOf = (chunks: readonly GeneratedChunk[] = []) => chunks.flatMap(({ ids }) => [...ids]);

  it("gives one id per chunk, whose texts are together the decoded answer", async () => {
    const tokenizer = await model.tokenizer();
    const answers = await streamed(["One two", "Three"], { samples: 5, maxNewTokens: 30 });
    expect(answers.length).to.equal(10);
    for (const chunks of answers) {
      for (const { ids, logprobs, modelLogprobs } of chunks)
        expect([ids.length, logprobs.length, modelLogprobs.length]).to.deep.equal([1, 1, 1]);
      expect(textOf(chunks)).to.equal(tokenizer.decode(idsOf(chunks), { skipSpecial: true }));
    }
  });

  it("says why each answer ended, on its last chunk alone", async () => {
    const answers = await streamed("Hello", { samples: 200, maxNewTokens: 40 });
    const reasons = new Set<unknown>();
    for (const chunks of answers) {
      expect(chunks.slice(0, -1).every(({ finish }) => finish === undefined)).to.equal(true);
      const last = chunks.at(-1);
      reasons.add(last?.finish);
      if (last?.finish === "stop") expect([...last.ids]).to.deep.equal([256]);
      else expect(chunks.length).to.equal(40);
    }
    expect([...reasons].sort()).to.deep.equal(["length", "stop"]);
  });

  it("gives the same in one piece, in the order of prompts and samples", async () => {
    const options = { samples: 3, maxNewTokens: 12, batchSize: 2, seed: 4 };
    const answers = await streamed(["One", "Two"], options);
    const whole = await model.complete(["One", "Two"], options);
    expect(whole.map(({ prompt, sample }) => [prompt, sample])).to.deep.equal(
      answers.map(([first]) => [first?.prompt, first?.sample]),
    );
    expect(whole.map(({ text }) => text)).to.deep.equal(answers.map((chunks) => textOf(chunks)));
    expect(whole.map(({ ids }) => [...ids])).to.deep.equal(answers.map((chunks) => idsOf(chunks)));
  });

  it("takes text, ids and messages, alone and in a list", async () => {
    const tokenizer = await model.tokenizer();
    const text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    const messages = [{ role: "user", content: "Hi" }];
    const ids = tokenizer.encode(text);
    const options = { maxNewTokens: 8, stopTokens: [] };
    const [wanted] = await model.complete(ids, options);
    for (const prompts of [messages, [...ids], [messages], [ids], [[...ids]]]) {
      const [found] = await model.complete(prompts, options);
      expect(found).to.deep.equal(wanted);
    }
    const both = await model.complete([messages, "Hi"], options);
    const [plain] = await model.complete("Hi", { ...options, seed: 0 });
    expect(both[0]).to.deep.equal(wanted);
    expect(both[1]?.text).to.not.equal(undefined);
    expect(plain?.prompt).to.equal(0);
  });

  it("leaves white space at the end of a text to the answer, as training does", async () => {
    const options = { maxNewTokens: 8 };
    expect(await model.complete("Hi \n", options)).to.deep.equal(await model.complete("Hi", options));
    expect(await model.complete("Hi", options)).to.not.deep.equal(await model.complete(" Hi", options));
  });

  it("draws what startGeneration draws", async () => {
    const tokenizer = await model.tokenizer();
    const prompts = ["One", "Two two"];
    const options = { maxNewTokens: 9, samples: 2, topP: 0.9 };
    const whole = await model.complete(prompts, options);
    const { sequences } = await sampleAll({
      model,
      prompts: prompts.map((text) => tokenizer.encode(text)),
      options,
    });
    expect(whole.map(({ ids }) => [...ids])).to.deep.equal(sequences.map(({ tokens }) => tokens));
    expect(whole.map(({ logprobs }) => [...logprobs])).to.deep.equal(sequences.map((one) => one.logprobs));
  });

  it("ends an answer before a stop string that reaches over tokens, and draws nothing more", async () => {
    const options = { maxNewTokens: 60, seed: 3, stopTokens: [], temperature: 1.5, vocabulary: 128 };
    const [free] = await model.complete("Hello", options);
    const stop = free?.text.slice(20, 23) ?? "";
    const cut = free?.text.slice(0, free.text.indexOf(stop));
    const [answer] = await model.complete("Hello", { ...options, stop: ["never there", stop] });
    expect(answer?.finish).to.equal("stop-string");
    expect(answer?.text).to.equal(cut);
    expect(answer?.ids.length).to.equal((cut?.length ?? 0) + stop.length);
  });

  it("gives back the place of an answer that a stop string ended", async () => {
    const options = { maxNewTokens: 30, seed: 3, stopTokens: [], vocabulary: 128, batchSize: 1, samples: 4 };
    const free = await model.complete("Hello", options);
    const stop = free[1]?.text.slice(3, 5) ?? "";
    const answers = await model.complete("Hello", { ...options, stop: [stop] });
    expect(answers.length).to.equal(4);
    for (const [i, { text, finish }] of answers.entries()) {
      const end = free[i]?.text.indexOf(stop) ?? -1;
      expect(finish).to.equal(end < 0 ? "length" : "stop-string");
      expect(text).to.equal(end < 0 ? free[i]?.text : free[i]?.text.slice(0, end));
    }
  });

  it("frees everything when the loop is left early", async () => {
    let seen = 0;
    for await (const _ of model.generate("Hello", { samples: 8, maxNewTokens: 50 })) {
      seen += 1;
      if (seen === 3) break;
    }
    expect(seen).to.equal(3);
    expect((await model.complete("Hello", { maxNewTokens: 2, stopTokens: [] })).length).to.equal(1);
  });

  it("throws the reason of a signal, before it begins and on the way", async () => {
    const reason = new Error("enough");
    const caught = async (signal: AbortSignal, onChunk: () => void) => {
      try {
        for await (const _ of model.generate("Hello", { maxNewTokens: 50, stopTokens: [], signal }))
          onChunk();
      } catch (error) {
        return error;
      }
      return undefined;
    };
    expect(await caught(AbortSignal.abort(reason), () => {})).to.equal(reason);
    const controller = new AbortController();
    let seen = 0;
    const error = await caught(controller.signal, () => {
      seen += 1;
      if (seen === 5) controller.abort(reason);
    });
    expect(error).to.equal(reason);
    expect(seen).to.equal(5);
  });

  it("streams several generations of one model side by side", async () => {
    const options = { maxNewTokens: 10, stopTokens: [] };
    const alone = await model.complete("One", options);
    const [one, two] = await Promise.all([model.complete("One", options), model.complete("Two", options)]);
    expect(one).to.deep.equal(alone);
    expect(two.length).to.equal(1);
  });

  const refused: readonly [string, unknown, Record<string, unknown> | null, string, RegExp][] = [
    ["an unknown option", "Hi", { stopStrings: ["x"] }, "ATTUNE_OPTION", /"stopStrings"/],
    ["an empty stop string", "Hi", { stop: [""] }, "ATTUNE_OPTION", /stop .*not empty/],
    ["a prompt of another kind", [7, "x"], {}, "ATTUNE_DATA", /^Prompt 0: expected a text/],
    [
      "an empty text where nothing starts a sequence",
      ["Hi", " "],
      {},
      "ATTUNE_DATA",
      /^Prompt 1: .*one token/,
    ],
    ["a stop string that is no list", "Hi", { stop: "x" }, "ATTUNE_OPTION", /stop to be a list .*"x"/],
    ["stop tokens that are no list", "Hi", { stopTokens: 5 }, "ATTUNE_OPTION", /stopTokens .*list .*5/],
    ["options that are none", "Hi", null, "ATTUNE_OPTION", /object of options but received null/],
    ["an id of more than 32 bits", [[2 ** 32 + 5]], {}, "ATTUNE_DATA", /^Prompt 0: .*4294967301/],
    ["fractions as ids", [[1, 2.5]], {}, "ATTUNE_DATA", /^Prompt 0: .*2\.5/],
  ];
  for (const [what, prompts, options, code, message] of refused) {
    it(`refuses ${what}`, async () => {
      const error = await failureOf(() => model.complete(prompts as string, options as object));
      expect(error.code).to.equal(code);
      expect(error.message).to.match(message);
    });
  }
});
