// Every training run of the oracle, step by step, on every instruction set; one of each algorithm on CUDA's kernels.
// Must not name a case: whatever the folder holds is run or listed as pending, and an empty folder fails.

import { expect } from "chai";
import { printFigures } from "../support/oracle-compare.js";
import { isaTitle, testedIsas } from "../support/oracle-engines.js";
import { oracleEntries } from "../support/oracle-folder.js";
import { ppoTrainerTests } from "./ppo-trainer-case.js";
import { rewardTrainerTests } from "./reward-trainer-case.js";
import { trainerCaseTests } from "./trainer-case.js";
import { ppoCase, trainerCase } from "./trainer-file.js";

describe("oracle: trainer", () => {
  let run = 0;
  for (const algorithm of oracleEntries("trainer")) {
    const files = oracleEntries("trainer", algorithm).filter((name) => name.endsWith(".json"));
    let withCuda = true;
    const nextIsas = () => {
      const isas = testedIsas({ withCuda });
      withCuda = false;
      return isas;
    };
    for (const file of files) {
      if (algorithm === "ppo") {
        run += 1;
        for (const isa of nextIsas())
          describe(`${algorithm}/${file}, ${isaTitle(isa)}`, () => ppoTrainerTests(ppoCase(file), isa));
        continue;
      }
      const one = trainerCase(algorithm, file);
      if ("order" in one) continue;
      if ("later" in one) {
        it(`${algorithm}/${file}: ${one.later} (later issue)`);
        continue;
      }
      run += 1;
      const tests = algorithm === "reward" ? rewardTrainerTests : trainerCaseTests;
      for (const isa of nextIsas()) describe(`${algorithm}/${file}, ${isaTitle(isa)}`, () => tests(one, isa));
    }
  }

  it("found cases", () => {
    expect(run).to.be.greaterThan(0);
  });

  after(() => printFigures("trainer"));
});
