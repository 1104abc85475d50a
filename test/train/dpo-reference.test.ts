// Another model as the reference of dpo: by its path, or as it was loaded; and what cannot be one.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { createEngine, type Engine, type Model } from "../../lib/engine/index.js";
import { type DpoOptions, dpo } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { RecordedModel } from "../support/recorded-model.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { TINY_EOS } from "../support/tiny-tokenizer.js";
import { timelessMetrics } from "./same-run.js";
import { type Place, pairs, temporaryPlace } from "./training-rows.js";

/** Counts the frozen copies that are made. */
class CountedModel extends RecordedModel {
  snapshots = 0;

  override snapshot(...rest: Parameters<RecordedModel["snapshot"]>) {
    this.snapshots += 1;
    return super.snapshot(...rest);
  }
}

describe("another reference of dpo", () => {
  let place: Place;
  let other: string;
  let engine: Engine;
  let model: Model;
  beforeEach(async () => {
    place = temporaryPlace();
    other = join(place.folder, "other");
    writeTinyModel({ folder: other, seed: 2 });
    engine = await createEngine({ device: "cpu", threads: 1 });
    model = await engine.loadModel(place.model);
  });
  afterEach(async () => {
    await engine.dispose();
    place.remove();
  });

  const run = (options: Partial<DpoOptions>, name = "run") =>
    dpo({
      model: place.model,
      data: pairs,
      output: place.output(name),
      batchSize: 5,
      epochs: 3,
      learningRate: 1e-3,
      threads: 1,
      ...options,
    });

  it("measures rewards against its log-probs", async () => {
    const loaded = await engine.loadModel(other);
    const { first } = await run({ reference: other, beta: 0.5, maxSteps: 1 }).result;
    let sum = 0;
    for (const { prompt, chosen } of pairs) {
      const ids = { prompt: [...Buffer.from(prompt)], completion: [...Buffer.from(chosen), TINY_EOS] };
      const total = async (one: Model) =>
        (await one.logprobs([ids]))[0]?.reduce((a, b) => a + b, 0) ?? Number.NaN;
      sum += (await total(model)) - (await total(loaded));
    }
    expect(Math.abs(sum)).to.be.above(0.1);
    expect(first["rewards/chosen"]).to.be.closeTo((0.5 * sum) / pairs.length, 1e-3);
  });

  it("gives the same by its path, as a loaded model and as a frozen copy", async () => {
    const loaded = await engine.loadModel(other);
    await run({ reference: other }, "path").result;
    await run({ reference: loaded }, "loaded").result;
    await run({ reference: await loaded.snapshot() }, "frozen").result;
    const path = timelessMetrics(place.output("path"));
    expect(timelessMetrics(place.output("loaded"))).to.deep.equal(path);
    expect(timelessMetrics(place.output("frozen"))).to.deep.equal(path);
  });

  it("stays as it was when it was passed in", async () => {
    const loaded = await engine.loadModel(other);
    const row = [{ prompt: "a?", completion: " yes" }];
    const before = await loaded.logprobs(row);
    await run({ reference: loaded }).result;
    expect(await loaded.logprobs(row)).to.deep.equal(before);
  });

  it("has a cache of its own beside that of the start", async () => {
    const cache = join(place.folder, "cache");
    await run({ cache, maxSteps: 1 }, "start").result;
    await run({ cache, maxSteps: 1, reference: other }, "other").result;
    expect(readdirSync(cache)).to.have.length(2);
  });

  it("is not cached where it is a frozen copy, which cannot be told from others", async () => {
    const reference = await (await engine.loadModel(other)).snapshot();
    await run({ reference, maxSteps: 1 }).result;
    expect(existsSync(join(place.output(), "reference"))).to.equal(false);
  });

  it("has no shared cache where it is a frozen copy", async () => {
    const reference = await (await engine.loadModel(other)).snapshot();
    const error = await failureOf(() => run({ reference, cache: join(place.folder, "cache") }).result);
    expect(error.code).to.equal("ATTUNE_OPTION");
    expect(error.message).to.include("cannot be told from others");
  });

  it("must be the same when a run goes on", async () => {
    const stopped = run({ reference: other, onStep: () => void stopped.stop() });
    await stopped.result;
    const error = await failureOf(() => run({ resume: true }).result);
    expect(error.code).to.equal("ATTUNE_RESUME");
    expect(error.message).to.include("reference");
  });

  const refused: readonly [string, () => Promise<Partial<DpoOptions>>, string, RegExp][] = [
    [
      "a model of another vocabulary",
      async () => {
        writeTinyModel({ folder: other, vocabularySize: 300 });
        return { reference: other };
      },
      "ATTUNE_MODEL",
      /the model's vocabulary of 259 tokens but .*other has 300/,
    ],
    [
      "a model to which ids mean other tokens",
      async () => {
        writeTinyModel({ folder: other });
        exchangeTokens(other, "A", "B");
        return { reference: other };
      },
      "ATTUNE_MODEL",
      /but token 65 is "A" to the model and "B" to /,
    ],
    [
      "a reward model",
      async () => {
        writeTinyModel({ folder: other, kind: "reward" });
        return { reference: other };
      },
      "ATTUNE_MODEL",
      /a reference that predicts tokens but .* scores answers/,
    ],
    [
      "the model that is trained",
      async () => ({ model, reference: model, threads: undefined }),
      "ATTUNE_OPTION",
      /another model but received the one that is trained/,
    ],
    [
      "what is no model",
      async () => ({ reference: {} as unknown as Model }),
      "ATTUNE_OPTION",
      /Expected reference to be a path or a model/,
    ],
    [
      "one beside log-probs that rows bring along",
      async () => ({
        reference: other,
        data: [{ ...pairs[0], ref_chosen_logps: -3, ref_rejected_logps: -4 }],
      }),
      "ATTUNE_DATA",
      /^rows:1: expected no log-probs of a reference beside the one that was asked for/,
    ],
  ];
  for (const [what, options, code, text] of refused) {
    it(`is not ${what}`, async () => {
      const given = await options();
      const error = await failureOf(() => run(given).result);
      expect(error.code).to.equal(code);
      expect(error.message).to.match(text);
    });
  }

  for (const [loss, copies] of [
    ["sigmoid", 1],
    ["simpo", 0],
    ["sft", 0],
  ] as const) {
    it(`where none is asked for, ${loss} makes ${copies === 0 ? "no copy" : "a frozen copy"} of the start`, async () => {
      const counted = new CountedModel(model);
      await dpo({ model: counted, data: pairs, loss, maxSteps: 1, output: place.output() }).result;
      expect(counted.snapshots).to.equal(copies);
    });
  }

  it("is refused for losses that have none", async () => {
    const error = await failureOf(() => run({ loss: "simpo", reference: other }).result);
    expect(error.code).to.equal("ATTUNE_OPTION");
    expect(error.message).to.include("reference");
  });
});

/** Gives the id of each of two tokens to the other one. */
function exchangeTokens(folder: string, one: string, other: string): void {
  const file = join(folder, "tokenizer.json");
  const json = JSON.parse(readFileSync(file, "utf8")) as { model: { vocab: Record<string, number> } };
  const { vocab } = json.model;
  const [first = -1, second = -1] = [vocab[one], vocab[other]];
  json.model.vocab = { ...vocab, [one]: second, [other]: first };
  writeFileSync(file, JSON.stringify(json));
}
