// The sampler's log-probs are the trainer's, bit for bit, whatever decodes beside a sequence and however many threads
// there are. Tiny models of every kind on every instruction set; must not compare with any other program.

import { expect } from "chai";
import { packRows } from "../../lib/data/index.js";
import type { SamplingOptions } from "../../lib/engine/contract.js";
import type { Model } from "../../lib/engine/index.js";
import { promptsOf, type Sampled, sampleAll, trainerLogprobs } from "../support/sample-all.js";
import { expectSameBits, firstDifference } from "./same-bits.js";
import { forEachModel } from "./tiny-suite.js";

/** Unequal prompts, one longer than a tile of 128 keys. */
const prompts = promptsOf([1, 3, 40, 17, 130, 2]);
const options: SamplingOptions = { maxNewTokens: 20, samples: 2, temperature: 0.8, seed: 5, stopTokens: [9] };

const column = (sampled: Sampled, name: "tokens" | "logprobs" | "modelLogprobs") =>
  sampled.sequences.flatMap((sequence) => sequence[name]);

function expectSameSamples(actual: Sampled, expected: Sampled): void {
  for (const name of ["tokens", "logprobs", "modelLogprobs"] as const)
    expectSameBits(column(actual, name), column(expected, name));
}

describe("invariant: the sampler's log-probs", () => {
  forEachModel(({ load, dtype }) => {
    let model: Model;
    let sampled: Sampled;

    before(async () => {
      model = await load();
      sampled = await sampleAll({ model, prompts, options: { ...options, batchSize: 7 } });
    });
    after(() => model?.dispose());

    it("are the bits of the trainer's forward pass", async () => {
      const wanted = await trainerLogprobs({ model, prompts, sampled, samples: 2, temperature: 0.8 });
      expectSameBits(column(sampled, "modelLogprobs"), wanted);
      expectSameBits(column(sampled, "logprobs"), wanted);
    });

    it("and its tokens are the same in batches of 1 and of 32", async () => {
      for (const batchSize of [1, 32])
        expectSameSamples(await sampleAll({ model, prompts, options: { ...options, batchSize } }), sampled);
    });

    it("are the trainer's where a completion is longer than a tile of keys", async () => {
      const long = { maxNewTokens: 138, temperature: 1, stopTokens: [], seed: 2 };
      const some = promptsOf([19, 4]);
      const found = await sampleAll({ model, prompts: some, options: long });
      expect(found.sequences[0]?.tokens.length).to.equal(138);
      expectSameBits(
        column(found, "modelLogprobs"),
        await trainerLogprobs({ model, prompts: some, sampled: found }),
      );
    });

    it("are the trainer's behind filters and a penalty, where the drawn distribution's differ", async () => {
      const filtered = { ...options, topK: 20, topP: 0.9, minP: 0.01, repetitionPenalty: 1.3 };
      const found = await sampleAll({ model, prompts, options: filtered });
      const wanted = await trainerLogprobs({ model, prompts, sampled: found, samples: 2, temperature: 0.8 });
      expectSameBits(column(found, "modelLogprobs"), wanted);
      expect(firstDifference(column(found, "logprobs"), wanted)).to.be.a("string");
    });

    it("follow weights that change while it samples", async () => {
      const own = await load();
      const data = prompts.map((prompt) => ({ prompt, completions: [prompt.slice(0, 20)] }));
      const batch = packRows({ data, rows: data.map((_, row) => row) });
      try {
        const found = await sampleAll({
          model: own,
          prompts,
          options: { ...options, stopTokens: [] },
          beforeStep: async (step) => {
            if (step !== 12) return;
            await own.step(batch, { kind: "nll", normaliser: batch.counts.targets });
            await own.update({ learningRate: 1e-2 });
          },
        });
        const wanted = await trainerLogprobs({
          model: own,
          prompts,
          sampled: found,
          samples: 2,
          temperature: 0.8,
        });
        const tail = (values: ArrayLike<number>, from: number, to: number) =>
          Array.from(values).filter((_, i) => i % 20 >= from && i % 20 < to);
        const drawn = column(found, "modelLogprobs");
        expectSameBits(tail(drawn, 12, 20), tail(wanted, 12, 20));
        expect(firstDifference(tail(drawn, 0, 12), tail(wanted, 0, 12))).to.be.a("string");
      } finally {
        await own.dispose();
      }
    });

    it("are the trainer's with an adapter that was trained, and differ from the base's", async () => {
      const base = await load();
      const own = await base.addAdapter({ rank: 4, seed: 1 });
      const data = prompts.map((prompt) => ({ prompt, completions: [prompt.slice(0, 20)] }));
      const batch = packRows({ data, rows: data.map((_, row) => row) });
      try {
        for (let step = 0; step < 2; step++) {
          await own.step(batch, { kind: "nll", normaliser: batch.counts.targets });
          await own.update({ learningRate: 1e-2 });
        }
        const found = await sampleAll({ model: own, prompts, options: { ...options, batchSize: 7 } });
        const wanted = { prompts, sampled: found, samples: 2, temperature: 0.8 };
        expectSameBits(column(found, "modelLogprobs"), await trainerLogprobs({ model: own, ...wanted }));
        const unlike = await trainerLogprobs({ model: base, ...wanted });
        expect(firstDifference(column(found, "modelLogprobs"), unlike)).to.be.a("string");
      } finally {
        await own.dispose();
        await base.dispose();
      }
    });

    if (dtype === "fp32") {
      it("see a prompt that differs in one token", async () => {
        const changed = prompts.map((ids) => Int32Array.from(ids, (id, i) => (i === 0 ? id + 1 : id)));
        const wrong = await trainerLogprobs({
          model,
          prompts: changed,
          sampled,
          samples: 2,
          temperature: 0.8,
        });
        expect(firstDifference(column(sampled, "modelLogprobs"), wrong)).to.be.a("string");
      });
    }
  });

  describe("and tokens with one thread and with three", () => {
    const found = new Map<string, Sampled>();
    for (const threads of [1, 3]) {
      describe(`${threads} threads`, () => {
        forEachModel(
          ({ load, title, isa }) => {
            it("are the same", async () => {
              const model = await load();
              const own = await sampleAll({ model, prompts, options });
              await model.dispose();
              const other = found.get(`${isa.name} ${title}`);
              if (other === undefined) found.set(`${isa.name} ${title}`, own);
              else expectSameSamples(own, other);
              expect(own.steps).to.be.above(0);
            });
          },
          { threads },
        );
      });
    }
  });
});
