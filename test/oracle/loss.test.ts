// Every loss case of the oracle against the compiled code that trains; schedules and rewards against lib/train,
// estimators against lib/rollout.
// Must not name a case: files are walked, and what belongs to a later version is listed as pending.

import { expect } from "chai";
import type { Checks } from "../../lib/engine/checks.js";
import { printFigures } from "../support/oracle-compare.js";
import { isaTitle, suiteChecks, testedIsas } from "../support/oracle-engines.js";
import { oracleEntries, readOracleJson } from "../support/oracle-folder.js";
import {
  checkBradleyTerryCase,
  checkCohen,
  checkElo,
  checkFleissCase,
  checkKendall,
  checkKrippendorffCase,
  checkPlackettLuceCase,
  checkWilson,
  type GameInputs,
} from "./agreement-cases.js";
import { checkDpoCase, checkRankingCase, type DpoInputs, type RankingInputs } from "./dpo-loss-cases.js";
import { checkHeadCase, type HeadInputs } from "./head-cases.js";
import { checkKtoCase, type KtoInputs } from "./kto-loss-cases.js";
import type { LossCase, LossFile } from "./loss-file.js";
import { checkAdamWCase, checkScheduleCase, isSchedule, type OptimiserInputs } from "./optimiser-cases.js";
import {
  checkGroupLossCase,
  checkPpoLossCase,
  checkPtxCase,
  type GroupInputs,
  type PpoExpected,
  type PpoInputs,
} from "./policy-loss-cases.js";
import { checkLinearRewardCase, type RatingInputs } from "./rating-cases.js";
import { checkRewardCase, type RewardInputs } from "./reward-loss-cases.js";
import {
  checkAdaptiveKl,
  checkAdvantageCase,
  checkGroupAdvantages,
  checkTokenRewardCase,
  checkTrlLayout,
  checkWhiteningCase,
  type GroupRewardInputs,
  type RolloutInputs,
} from "./rollout-cases.js";

interface CaseOptions {
  readonly one: LossCase;
  readonly inputs: unknown;
  /** All lists of the file: a case may take what it is given from another one. */
  readonly expected: unknown;
  readonly checks: Checks;
}

/** By file, and where a file has several lists by list: cases that run on every instruction set. */
const onEverySet: Readonly<Record<string, (options: CaseOptions) => Promise<void>>> = {
  "dpo/cases": ({ inputs, ...rest }) => checkDpoCase({ ...rest, inputs: inputs as DpoInputs }),
  "dpo_plackett_luce/cases": ({ inputs, ...rest }) =>
    checkRankingCase({ ...rest, inputs: inputs as RankingInputs }),
  "kto/cases": ({ inputs, ...rest }) => checkKtoCase({ ...rest, inputs: inputs as KtoInputs }),
  "reward/cases": ({ inputs, ...rest }) => checkRewardCase({ ...rest, inputs: inputs as RewardInputs }),
  "logprob/cases": ({ inputs, ...rest }) => checkHeadCase({ ...rest, inputs: inputs as HeadInputs }),
  "ppo/losses": ({ inputs, expected, ...rest }) =>
    checkPpoLossCase({ ...rest, inputs: inputs as PpoInputs, expected: expected as PpoExpected }),
  "ppo/ptx": ({ inputs, expected, ...rest }) =>
    checkPtxCase({ ...rest, inputs: inputs as PpoInputs, expected: expected as PpoExpected }),
  "grpo_rloo/losses": ({ inputs, ...rest }) => checkGroupLossCase({ ...rest, inputs: inputs as GroupInputs }),
  "optim/adamw": ({ inputs, ...rest }) => checkAdamWCase({ ...rest, inputs: inputs as OptimiserInputs }),
};

/** The same for what knows no instruction set. */
const once: Readonly<Record<string, (one: LossCase, content: LossFile) => void>> = {
  "optim/schedules": (one) => checkScheduleCase(one),
  "ratings/linear_reward": (one, { inputs }) => checkLinearRewardCase(one, inputs as RatingInputs),
  "ratings/bradley_terry": (one, { inputs }) => checkBradleyTerryCase(one, inputs as GameInputs),
  "ratings/plackett_luce": (one, { inputs }) => checkPlackettLuceCase(one, inputs as GameInputs),
  "ratings/elo": (one, { inputs }) => checkElo(one, inputs as GameInputs),
  "ratings/krippendorff": (one) => checkKrippendorffCase(one),
  "ratings/cohen": (one, { inputs }) => checkCohen(one, inputs as GameInputs),
  "ratings/fleiss": (one) => checkFleissCase(one),
  "ratings/kendall_tau_b": (one, { inputs }) => checkKendall(one, inputs as GameInputs),
  "ratings/wilson": (one, content) => checkWilson(one, content),
  "ppo/rewards": (one, { inputs }) => checkTokenRewardCase(one, inputs as RolloutInputs),
  "ppo/advantages": (one, { inputs }) => checkAdvantageCase(one, inputs as RolloutInputs),
  "ppo/whitening": (one, content) => checkWhiteningCase(one, content),
  "ppo/trl_layout": (one, { inputs }) => checkTrlLayout(one, inputs as RolloutInputs),
  "ppo/adaptive_kl": (one) => checkAdaptiveKl(one),
  "grpo_rloo/advantages": (one, { inputs }) => checkGroupAdvantages(one, inputs as GroupRewardInputs),
};

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
    const alone = typeof cases === "object" && !isList(cases) ? cases : {};
    return [group, listed ? cases : [{ case: group, params: {}, ...alone }]] as const;
  });
  return Object.fromEntries(groups);
}

function isList(value: unknown): value is readonly LossCase[] {
  return Array.isArray(value);
}

/** What this version trains with. */
function belongsHere(name: string, group: string, { params }: LossCase): boolean {
  const key = `${name}/${group}`;
  if (key === "optim/schedules") return isSchedule(params);
  return key in onEverySet || key in once;
}

interface Registered {
  readonly content: LossFile;
  readonly group: string;
  readonly cases: readonly LossCase[];
}

function registerCases({ content, group, cases }: Registered): void {
  if (cases.length === 0) return;
  const key = `${content.name}/${group}`;
  const { inputs, expected } = content;
  const plain = once[key];
  if (plain !== undefined) for (const one of cases) it(`${one.case}: values`, () => plain(one, content));
  const check = onEverySet[key];
  if (check === undefined) return;
  for (const isa of testedIsas({ withCuda: true })) {
    describe(isaTitle(isa), () => {
      const checks = suiteChecks({ isa });
      for (const one of cases)
        it(`${one.case}: values and gradients`, () => check({ one, inputs, expected, checks: checks() }));
    });
  }
}
