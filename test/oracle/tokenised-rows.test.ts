// The rows of the trainer oracle, texts and conversations, must become the ids that TRL made of them.
// Must not train.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { loadRows, type TokenisedRow } from "../../lib/data/index.js";
import { loadTokenizer } from "../../lib/text/index.js";
import { oracleEntries, oraclePath } from "../support/oracle-folder.js";

interface OracleRow {
  readonly prompt?: readonly number[];
  readonly completion?: readonly number[];
  readonly chosen?: readonly number[];
  readonly rejected?: readonly number[];
}

interface OracleCase {
  readonly model: string;
  readonly rows: string;
  readonly batches?: readonly (readonly OracleRow[])[];
}

const folder = oraclePath("trainer");

describe("oracle: tokenised rows of the trainer cases", () => {
  let cases = 0;
  let conversations = 0;
  for (const [algorithm, task] of [
    ["sft", "sft"],
    ["dpo", "preference"],
    ["kto", "unpaired"],
    ["reward", "preference"],
  ] as const) {
    for (const file of oracleEntries("trainer", algorithm).filter((name) => name.endsWith(".json"))) {
      const content = JSON.parse(readFileSync(join(folder, algorithm, file), "utf8")) as OracleCase;
      const data = join(folder, algorithm, content.rows);
      if (content.batches === undefined) continue;
      cases += 1;
      if (readFileSync(data, "utf8").includes('"role"')) conversations += 1;
      it(`${algorithm}/${file}: the same ids and lengths`, () => compare({ content, data, task }));
    }
  }

  it("found cases", () => {
    expect(cases).to.be.greaterThan(0);
  });

  it("found conversations among them", () => {
    expect(conversations).to.be.greaterThan(0);
  });
});

interface Comparison {
  readonly content: OracleCase;
  readonly data: string;
  readonly task: "sft" | "preference" | "unpaired";
}

async function compare({ content, data, task }: Comparison): Promise<void> {
  // Reward models of the oracle hold no tokenizer: they share the language model's.
  const own = join(folder, content.model);
  const path = existsSync(join(own, "tokenizer.json")) ? own : join(folder, "models/lm");
  const { rows } = await loadRows({ data, tokenizer: await loadTokenizer({ path }), task });
  const wanted = (content.batches ?? []).flat();
  expect(wanted).to.not.have.length(0);
  for (const [i, expected] of wanted.entries()) {
    const row = rows.at(i % rows.length);
    if (row === undefined) throw new Error(`no row ${i}`);
    expect(sequences(row), `row ${i}`).to.deep.equal(sequencesOf(expected));
    if (expected.prompt !== undefined && expected.prompt.length > 0) {
      expect(Array.from(row.prompt), `prompt of row ${i}`).to.deep.equal(expected.prompt);
    }
  }
}

function sequences({ prompt, completions }: TokenisedRow): number[][] {
  return completions.map((completion) => [...prompt, ...completion]);
}

function sequencesOf({ prompt = [], completion, chosen, rejected }: OracleRow): number[][] {
  const sides = completion === undefined ? [chosen ?? [], rejected ?? []] : [completion];
  return sides.map((side) => [...prompt, ...side]);
}
