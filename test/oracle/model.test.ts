// Every model case of the oracle on every instruction set: layers, head, gradients, AdamW, in fp32 and bf16.
// Must not name a case: whatever the folder holds is run, and an empty folder fails.

import { expect } from "chai";
import { printFigures } from "../support/oracle-compare.js";
import { isaTitle, testedIsas } from "../support/oracle-engines.js";
import { oracleEntries } from "../support/oracle-folder.js";
import { adapterCase } from "./adapter-case.js";
import {
  type AdapterFigures,
  ExpectedModel,
  type LanguageFigures,
  modelCaseKind,
  type RewardFigures,
} from "./expected-model.js";
import { languageModelCase } from "./language-model-case.js";
import { realModelCase } from "./real-model-case.js";
import { rewardModelCase } from "./reward-model-case.js";

describe("oracle: model", () => {
  let cases = 0;
  for (const name of oracleEntries("model")) {
    const kind = modelCaseKind(name);
    if (kind === "none") continue;
    cases += 1;
    const isas = testedIsas({ withCuda: kind !== "real" });
    if (kind === "adapter") {
      const expected = new ExpectedModel<AdapterFigures>(name);
      for (const isa of isas) describe(`${name}, ${isaTitle(isa)}`, () => adapterCase(expected, isa));
    } else if (kind === "real") {
      for (const isa of isas) {
        const title = `${name}, ${isaTitle(isa)}`;
        if (isa.cuda !== undefined && !isa.native) it(`${title}: hours of fibers, for a GPU alone`);
        else describe(title, () => realModelCase(name, isa));
      }
    } else if (kind === "reward") {
      const expected = new ExpectedModel<RewardFigures>(name);
      for (const isa of isas) describe(`${name}, ${isaTitle(isa)}`, () => rewardModelCase(expected, isa));
    } else {
      const expected = new ExpectedModel<LanguageFigures>(name);
      for (const isa of isas) describe(`${name}, ${isaTitle(isa)}`, () => languageModelCase(expected, isa));
    }
  }

  it("found cases", () => {
    expect(cases).to.be.greaterThan(0);
  });

  after(() => printFigures("model"));
});
