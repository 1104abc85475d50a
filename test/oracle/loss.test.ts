// Every loss case of the oracle against the compiled code that trains; schedules and rewards against lib/train.
// Must not name a case: files are walked, and what belongs to a later version is listed as pending.

import { expect } from "chai";
import { printFigures } from "../support/oracle-compare.js";
import { isaTitle, suiteChecks, testedIsas } from "../support/oracle-engines.js";
import { oracleEntries, readOracleJson } from "../support/oracle-folder.js";
import { checkDpoCase, type DpoInputs, isTrained } from "./dpo-loss-cases.js";
import { checkHeadCase, type HeadInputs } from "./head-cases.js";
import type { LossCase, LossFile } from "./loss-file.js";
import { checkAdamWCase, checkScheduleCase, isSchedule, type OptimiserInputs } from "./optimiser-cases.js";

describe("oracle: loss", () => {
  const files = oracleEntries("loss").filter((name) => name.endsWith(".json"));
  let run = 0;

  for (const file of files) {
    const content = readOracleJson<LossFile>("loss", file);
    const groups = groupsOf(content);
    describe(file, () => {
      for (const [group, cases] of Object.entries(groups)) {
        const later = cases.filter((one) => !belongsHere(content.name, group, one));
        for (const one of later) it(`${one.case} (later issue)`);
        const here = cases.filter((one) => !later.includes(one));
        run += here.length;
        registerCases({ content, group, cases: here });
      }
    });
  }

  it("found cases", () => {
    expect(run).to.be.greaterThan(0);
  });

  after(() => printFigures("loss"));
});

/** Lists of cases by name. A group of a family to come may be something else: it counts as one case. */
function groupsOf({ expected }: LossFile): Readonly<Record<string, readonly LossCase[]>> {
  if (isList(expected)) return { cases: expected };
  const groups = Object.entries(expected).map(([group, cases]) => {
    const listed = isList(cases) && cases.every((one) => one.case !== undefined);
    return [group, listed ? cases : [{ case: group, params: {} }]] as const;
  });
  return Object.fromEntries(groups);
}

function isList(value: unknown): value is readonly LossCase[] {
  return Array.isArray(value);
}

/** What this version trains with. */
function belongsHere(name: string, group: string, { params }: LossCase): boolean {
  if (name === "dpo") return isTrained(params);
  if (name === "optim") return group === "schedules" ? isSchedule(params) : group === "adamw";
  return name === "logprob";
}

interface Registered {
  readonly content: LossFile;
  readonly group: string;
  readonly cases: readonly LossCase[];
}

function registerCases({ content, group, cases }: Registered): void {
  if (cases.length === 0) return;
  if (group === "schedules") {
    for (const one of cases) it(`${one.case}: multipliers`, () => checkScheduleCase(one));
    return;
  }
  for (const isa of testedIsas()) {
    describe(isaTitle(isa), () => {
      const checks = suiteChecks({ isa });
      for (const one of cases) {
        const title = `${one.case}: values and gradients`;
        if (content.name === "dpo") {
          it(title, () => checkDpoCase({ one, inputs: content.inputs as DpoInputs, checks: checks() }));
        } else if (content.name === "logprob") {
          it(title, () => checkHeadCase({ one, inputs: content.inputs as HeadInputs, checks: checks() }));
        } else {
          it(title, () =>
            checkAdamWCase({ one, inputs: content.inputs as OptimiserInputs, checks: checks() }),
          );
        }
      }
    });
  }
}
