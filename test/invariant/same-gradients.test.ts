// Gradients do not depend on how rows are cut into micro-batches or packed: relative L2 of 1e-6.
// Tiny models; must not compare with any other program.

import { expect } from "chai";
import type { PackedBatch } from "../../lib/data/index.js";
import type { DType } from "../../lib/engine/contract.js";
import type { Model } from "../../lib/engine/index.js";
import { batchOfSequences, everyPosition } from "../support/oracle-batch.js";
import { expectSameTensors, type NamedTensors, relativeDistance } from "./same-bits.js";
import { demonstrationRows, pairRows } from "./tiny-rows.js";
import { forEachModel } from "./tiny-suite.js";
import { gradientsOf, type LossKind, lossFor, normaliserOf, packed } from "./training.js";

const limit = 1e-6;
/** In bf16 the gradients that reach a shared prompt are added before they are rounded, not after. */
const repeatedLimit = { fp32: limit, bf16: 1e-2 } as const;
const rowsOf = { nll: demonstrationRows(), dpo: pairRows() } as const;

/** A model and its gradients over all rows in one batch. */
class Gradients {
  readonly #whole = new Map<LossKind, NamedTensors>();

  constructor(readonly model: Model) {}

  of(kind: LossKind, batches: readonly PackedBatch[]): Promise<NamedTensors> {
    const normaliser = normaliserOf(kind, rowsOf[kind]);
    return gradientsOf(this.model, batches, (batch) => lossFor(kind, batch, normaliser));
  }

  async whole(kind: LossKind): Promise<NamedTensors> {
    const known = this.#whole.get(kind) ?? (await this.of(kind, [packed(rowsOf[kind])]));
    this.#whole.set(kind, known);
    return known;
  }

  /** Distance from the gradients over all rows in one batch. */
  async distance(kind: LossKind, gradients: NamedTensors): Promise<number> {
    return relativeDistance(gradients, await this.whole(kind));
  }
}

describe("invariant: the same gradients", () => {
  forEachModel(({ load, dtype }) => {
    let gradients: Gradients;
    before(async () => {
      gradients = new Gradients(await load());
    });
    after(() => gradients?.model.dispose());

    for (const kind of ["nll", "dpo"] as const) cutTests(kind, () => gradients);
    trunkTests(dtype, () => gradients);
  });
});

/** Micro-batches. */
function cutTests(kind: LossKind, current: () => Gradients): void {
  const data = rowsOf[kind];

  it(`${kind}: eight micro-batches of one row equal one of eight`, async () => {
    const single = data.map((_, row) => packed(data, [row]));
    const gradients = await current().of(kind, single);
    expect(await current().distance(kind, gradients)).to.be.at.most(limit);
  });

  it(`${kind}: another order and another cut give the same gradients`, async () => {
    const other = [packed(data, [6, 1, 4]), packed(data, [0]), packed(data, [7, 5, 3, 2])];
    const gradients = await current().of(kind, other);
    expect(await current().distance(kind, gradients)).to.be.at.most(limit);
  });

  it(`${kind}: means of micro-batch means are seen`, async () => {
    const parts = [packed(data, [0, 1, 2, 3, 4, 5]), packed(data, [6, 7])];
    const wrong = await gradientsOf(current().model, parts, (batch) => {
      const count = kind === "nll" ? batch.counts.targets : batch.rows.length;
      return lossFor(kind, batch, count * parts.length);
    });
    expect(await current().distance(kind, wrong)).to.be.greaterThan(10 * limit);
  });
}

/** What lies in the trunk beside the targets' rows. */
function trunkTests(dtype: DType, current: () => Gradients): void {
  it("gives the same gradients with shared and with repeated prompts", async () => {
    const repeated = await current().of("dpo", [repeatedPrompts()]);
    expect(await current().distance("dpo", repeated)).to.be.at.most(repeatedLimit[dtype]);
  });

  it("does not change a bit with the tokens after the last target, and not much without them", async () => {
    const first = await current().of("nll", [withTail([11, 250, 3, 77, 8])]);
    expectSameTensors(await current().of("nll", [withTail([200, 1, 0, 99, 42])]), first);
    expect(relativeDistance(first, await current().of("nll", [withTail([])]))).to.be.at.most(limit);
  });

  it("sees a changed token before the last target", async () => {
    const data = rowsOf.nll.map((row, i) =>
      i === 3 ? { ...row, prompt: row.prompt.map((id) => (id + 1) % 256) } : row,
    );
    const wrong = await current().of("nll", [packed(data)]);
    expect(await current().distance("nll", wrong)).to.be.greaterThan(10 * limit);
  });
}

/** Every side with its own copy of the prompt, pairs as they are. */
function repeatedPrompts(): PackedBatch {
  const single = rowsOf.dpo.flatMap(({ prompt, completions }) =>
    completions.map((completion) => ({ prompt, completions: [completion] })),
  );
  const batch = packed(single);
  const pairs = rowsOf.dpo.length;
  const groups = Int32Array.from({ length: 2 * pairs }, (_, i) => (i % 2 === 0 ? i : 2));
  return { ...batch, groups, rows: Int32Array.from({ length: pairs }, (_, row) => row) };
}

/** Demonstrations followed by tokens that no target comes after. */
function withTail(tail: readonly number[]): PackedBatch {
  const sequences = rowsOf.nll.map(({ prompt, completions }) => {
    const tokens = [...prompt, ...(completions[0] ?? [])];
    const scored = everyPosition(tokens).slice(prompt.length - 1, -1);
    return { tokens: [...tokens.slice(0, -1), ...tail], scored };
  });
  return batchOfSequences({ sequences });
}
