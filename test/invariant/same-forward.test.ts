// A row's log-probs are the same bits alone and among others, with a shared and with a repeated prompt, and whatever
// follows the last target. Tiny models; must not compare with any other program.

import { expect } from "chai";
import type { PackedBatch } from "../../lib/data/index.js";
import type { Model } from "../../lib/engine/index.js";
import { batchOfSequences, everyPosition } from "../support/oracle-batch.js";
import { at, maxAbsolute } from "../support/oracle-compare.js";
import { expectSameBits, firstDifference } from "./same-bits.js";
import { pairRows } from "./tiny-rows.js";
import { forEachModel } from "./tiny-suite.js";
import { packed } from "./training.js";

const data = pairRows();
const rowNumbers = data.map((_, row) => row);

/** Log-probs of one row's targets, chosen then rejected. */
async function rowLogprobs(model: Model, batch: PackedBatch, group: number): Promise<Float32Array> {
  const { logprobs } = await model.forward(batch);
  const first = at(batch.groups, 2 * group);
  const last = first + at(batch.groups, 2 * group + 1) - 1;
  const end = at(batch.completions, 2 * last) + at(batch.completions, 2 * last + 1);
  return logprobs.slice(at(batch.completions, 2 * first), end);
}

/** Every side behind its own copy of the prompt. */
function repeatedPrompts(row: number): PackedBatch {
  const { prompt, completions } = data[row] ?? { prompt: new Int32Array(0), completions: [] };
  return packed(completions.map((completion) => ({ prompt, completions: [completion] })));
}

/** Prompt and completion of each side as one segment; `tail` follows the last target's row. */
function wholeSequences(row: number, tail: readonly number[] = []): PackedBatch {
  const { prompt, completions } = data[row] ?? { prompt: [], completions: [] };
  const sequences = completions.map((completion) => {
    const tokens = [...prompt, ...completion];
    const scored = everyPosition(tokens).slice(prompt.length - 1, -1);
    // A packed completion's last token predicts nothing and is left out.
    return { tokens: [...tokens.slice(0, -1), ...tail], scored };
  });
  return batchOfSequences({ sequences, perGroup: completions.length });
}

describe("invariant: the same forward pass", () => {
  forEachModel(({ load, dtype }) => {
    let model: Model;
    let together: readonly Float32Array[];

    before(async () => {
      model = await load();
      const all = packed(data);
      together = await Promise.all(rowNumbers.map((row) => rowLogprobs(model, all, row)));
    });
    after(() => model?.dispose());

    it("gives a row the same bits alone and packed with others", async () => {
      for (const row of rowNumbers)
        expectSameBits(await rowLogprobs(model, packed(data, [row]), 0), together[row] ?? []);
    });

    it("gives the same bits in another order of the rows", async () => {
      const order = rowNumbers.toReversed();
      const batch = packed(data, order);
      for (const [place, row] of order.entries())
        expectSameBits(await rowLogprobs(model, batch, place), together[row] ?? []);
    });

    it("gives the same bits with a shared prompt and with a repeated one", async () => {
      for (const row of rowNumbers) {
        const { logprobs } = await model.forward(repeatedPrompts(row));
        expectSameBits(logprobs, together[row] ?? []);
      }
    });

    it("does not see tokens after the last target", async () => {
      for (const row of rowNumbers) {
        const batch = wholeSequences(row, [11, 250, 3, 77, 8]);
        const without = await rowLogprobs(model, wholeSequences(row), 0);
        expectSameBits(await rowLogprobs(model, batch, 0), without);
      }
    });

    if (dtype === "fp32") {
      it("gives the same numbers to rounding when prompt and completion are one segment", async () => {
        for (const row of rowNumbers) {
          const whole = await rowLogprobs(model, wholeSequences(row), 0);
          expect(maxAbsolute(whole, together[row] ?? [])).to.be.at.most(2e-5);
        }
      });
    }

    it("sees a row that looks at its neighbour's keys", async () => {
      const batch = packed(data, [1, 3]);
      const segments = batch.segments.slice();
      // The last completion is made to continue the first row's prompt.
      segments[segments.length - 1] = 0;
      const start = at(segments, segments.length - 3);
      const positions = batch.positions.map((position, row) =>
        row < start ? position : at(segments, 1) + row - start,
      );
      const wrong = await rowLogprobs(model, { ...batch, segments, positions }, 1);
      expect(firstDifference(wrong, together[3] ?? [])).to.be.a("string");
    });

    it("sees a changed token before the last target", async () => {
      const batch = packed(data, [3]);
      const tokens = batch.tokens.slice();
      tokens[tokens.length - 1] = (at(tokens, tokens.length - 1) + 1) % model.vocabularySize;
      const wrong = await rowLogprobs(model, { ...batch, tokens }, 0);
      expect(firstDifference(wrong, together[3] ?? [])).to.be.a("string");
    });
  });
});
