// Masks leave targets out and nothing else: what is scored keeps its bits, and packing still does not matter.
// Tiny models; must not compare with any other program.

import { expect } from "chai";
import { type PackableRow, targetsOfRow } from "../../lib/data/index.js";
import type { Model } from "../../lib/engine/index.js";
import { expectSameBits, relativeDistance } from "./same-bits.js";
import { demonstrationRows } from "./tiny-rows.js";
import { forEachModel } from "./tiny-suite.js";
import { gradientsOf, lossFor, packed } from "./training.js";

const whole = demonstrationRows();

/** Holes of several lengths; the first target of every second row is left out, and one row keeps one target. */
const masks = whole.map(({ completions }, row) =>
  completions.map((ids) => {
    const mask = Uint8Array.from(ids, (_, i) => ((i + row) % (2 + (row % 3)) === 0 ? 0 : 1));
    if (!mask.includes(1)) mask[mask.length - 1] = 1;
    return mask;
  }),
);
const masked: readonly PackableRow[] = whole.map((row, i) => ({ ...row, masks: masks[i] ?? [] }));
const targets = masked.reduce((sum, row) => sum + targetsOfRow(row), 0);

describe("invariant: masked targets", () => {
  it("are left out of some rows, and no row is without targets", () => {
    expect(targets).to.be.lessThan(whole.reduce((sum, row) => sum + targetsOfRow(row), 0));
    expect(Math.min(...masked.map(targetsOfRow))).to.be.greaterThan(0);
  });

  forEachModel(({ load }) => {
    let model: Model;
    before(async () => {
      model = await load();
    });
    after(() => model?.dispose());

    it("leave the log-probs of the others the same bits", async () => {
      const all = await model.forward(packed(whole));
      const some = await model.forward(packed(masked));
      const kept = masks.flat().flatMap((mask) => [...mask]);
      expect(kept).to.have.length(all.logprobs.length);
      expectSameBits(
        some.logprobs,
        all.logprobs.filter((_, i) => kept[i] === 1),
      );
    });

    it("give the same gradients packed together and one row at a time", async () => {
      const gradients = (batches: readonly ReturnType<typeof packed>[]) =>
        gradientsOf(model, batches, (batch) => lossFor("nll", batch, targets));
      const together = await gradients([packed(masked)]);
      const apart = await gradients(masked.map((_, row) => packed(masked, [row])));
      expect(relativeDistance(apart, together)).to.be.lessThan(1e-6);
      const unmasked = await gradients([packed(whole)]);
      expect(relativeDistance(unmasked, together)).to.be.greaterThan(1e-2);
    });
  });
});
