// How TRL orders pairs for kto, and that it is not done so here: labels are mixed, and rows shuffled.

import { expect } from "chai";
import { loadRows, stepRows } from "../../lib/data/index.js";
import { loadTokenizer } from "../../lib/text/index.js";
import { mismatchedAnswers } from "../../lib/train/mismatched-answers.js";
import { oracleEntries, oraclePath, readOracleJson } from "../support/oracle-folder.js";

interface OrderFile {
  readonly case: string;
  readonly kind?: string;
  readonly rows: string;
  readonly labels_in_order: readonly boolean[];
  readonly batches_of_4_with_one_label: number;
  readonly batches_of_4: number;
}

interface RunFile {
  readonly model: string;
  readonly rows: string;
  readonly batches?: readonly (readonly { readonly kl_completion: readonly number[] }[])[];
}

describe("oracle: the order of pairs in kto", () => {
  const files = oracleEntries("trainer", "kto")
    .filter((name) => name.endsWith(".json"))
    .map((name) => readOracleJson<OrderFile>("trainer", "kto", name))
    .filter(({ kind }) => kind === "order");

  it("found a case", () => {
    expect(files).not.to.have.length(0);
  });

  for (const file of files) {
    const labelsOf = async (shuffle: boolean) => {
      const tokenizer = await loadTokenizer({ path: oraclePath("trainer", "models", "lm") });
      const data = oraclePath("trainer", "kto", file.rows);
      const { rows } = await loadRows({ data, tokenizer, task: "unpaired" });
      const order = { rowCount: rows.length, batchSize: 4, seed: 0, shuffle };
      const steps: boolean[][] = [];
      for (const { epoch, rows: positions } of stepRows(order)) {
        if (epoch > 0) break;
        steps.push(Array.from(positions, (position) => rows.at(position)?.label === 1));
      }
      return steps;
    };
    const ofOneLabel = (steps: readonly (readonly boolean[])[]) =>
      steps.filter((labels) => new Set(labels).size === 1).length;

    it(`${file.case}: makes as many answers of each label`, async () => {
      const labels = (await labelsOf(true)).flat();
      expect(labels.toSorted()).to.deep.equal(file.labels_in_order.toSorted());
    });

    it(`${file.case}: does not put all good answers first, as TRL does`, async () => {
      expect(file.batches_of_4_with_one_label).to.equal(file.batches_of_4);
      expect((await labelsOf(false)).flat()).not.to.deep.equal(file.labels_in_order);
    });

    it(`${file.case}: mixes labels in every step in file order, and in nearly all when shuffled`, async () => {
      const inOrder = await labelsOf(false);
      expect(inOrder).to.have.length(file.batches_of_4);
      expect(ofOneLabel(inOrder)).to.equal(0);
      expect(ofOneLabel(await labelsOf(true))).to.be.below(file.batches_of_4 / 2);
    });
  }

  it("takes mismatched answers from the rows of a step in another order than the file's, as TRL does not", async () => {
    const runs = oracleEntries("trainer", "kto")
      .filter((name) => name.endsWith(".json"))
      .map((name) => readOracleJson<RunFile>("trainer", "kto", name))
      .filter(({ batches }) => batches !== undefined);
    expect(runs).not.to.have.length(0);
    for (const { model, rows: file, batches = [] } of runs) {
      const tokenizer = await loadTokenizer({ path: oraclePath("trainer", model) });
      const data = oraclePath("trainer", "kto", file);
      const { rows } = await loadRows({ data, tokenizer, task: "unpaired" });
      const differing = batches.filter((batch, step) => {
        const positions = batch.map((_, i) => (step * batch.length + i) % rows.length);
        const own = mismatchedAnswers({ data: rows, rows: positions, maxLength: 1024 });
        expect(own).to.have.length(batch.length);
        return own.some(({ row, completion }) => {
          const wanted = batch[positions.indexOf(row)]?.kl_completion ?? [];
          return !(completion.length === wanted.length && completion.every((id, i) => id === wanted[i]));
        });
      });
      expect(differing).not.to.have.length(0);
    }
  });
});
