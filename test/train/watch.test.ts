// What online runs say of themselves by looking at evaluation prompts: unjudged answers, other references, estimates below zero.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { RewardFunction } from "../../lib/rollout/index.js";
import { grpo } from "../../lib/train/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { evenness, prompts, tinySettings } from "./online-world.js";
import { timelessMetrics } from "./same-run.js";
import { temporaryPlace } from "./training-rows.js";

type Options = Partial<Parameters<typeof grpo>[0]>;

describe("looks at evaluation prompts", () => {
  const place = temporaryPlace();
  after(() => place.remove());

  /** Lines of evaluations, and what run.json says of over-optimisation. */
  const lookedAt = async (name: string, options: Options) => {
    const output = place.output(name);
    const shared = { ...tinySettings, model: place.model, samples: 4, evalData: prompts, bestOf: 0, output };
    await grpo({ ...shared, epochs: 1, learningRate: 1e-3, ...options }).result;
    const looks = timelessMetrics(output).filter(({ split }) => split === "eval") as Record<string, number>[];
    const { result } = JSON.parse(readFileSync(join(output, "run.json"), "utf8"));
    return { looks, overopt: result.details.overopt as { goldCurve: object | null; bestOfN: object[] } };
  };
  /** A gold score of its own for every call. */
  const calls = (...scores: readonly (readonly (number | null)[])[]): RewardFunction => {
    let call = 0;
    return () => scores[Math.min(call++, scores.length - 1)] as (number | null)[];
  };

  it("count wins among the prompts that were judged, and mean over them", async () => {
    const score = calls([0, 0, 0, null, null, null], [3, -1, -1, null, null, null]);
    const { looks } = await lookedAt("some", { gold: { name: "gold", score } });
    expect(looks.map((look) => look["eval_overopt/gold"])).to.deep.equal([0, 1 / 3]);
    expect(looks.at(-1)?.["eval_overopt/win_rate"]).to.be.closeTo(1 / 3, 1e-12);
  });

  it("leave out a gold score that nobody gave", async () => {
    const { looks } = await lookedAt("none", { gold: { name: "gold", score: calls(Array(6).fill(null)) } });
    for (const look of looks)
      expect(Object.keys(look))
        .to.include("eval_overopt/proxy")
        .and.not.include.members(["eval_overopt/gold"]);
    expect(looks.at(-1)).to.not.have.property("eval_overopt/win_rate");
  });

  it("fit the gold curve though the KL of a look near the start was estimated below zero", async () => {
    const drift = { epochs: 24, learningRate: 8e-3, warmupRatio: 0.95, beta: 0, evalEvery: 2, samples: 8 };
    const runs = [];
    for (const seed of [2, 3, 4])
      runs.push(await lookedAt(`drift-${seed}`, { ...drift, seed, gold: { name: "gold", score: evenness } }));
    const least = runs.map(({ looks }) => Math.min(...looks.map((look) => look["eval_objective/kl"] ?? 0)));
    expect(Math.min(...least)).to.be.below(0);
    for (const { overopt } of runs) expect(overopt.goldCurve).to.be.an("object");
  });

  it("have neither a curve nor a baseline where distances are to another model than the start", async () => {
    const first = place.output("first");
    await grpo({ ...tinySettings, model: place.model, samples: 4, learningRate: 1e-2, output: first }).result;
    const gold = { name: "gold", score: evenness };
    const far = { epochs: 6, learningRate: 8e-3, evalEvery: 1, bestOf: 4, gold };
    const near = await lookedAt("near", far);
    expect(near.overopt.bestOfN).to.have.lengthOf(3);
    expect(near.overopt.goldCurve).to.be.an("object");
    const away = await lookedAt("away", { ...far, reference: join(first, "model") });
    expect(away.overopt).to.deep.equal({ goldCurve: null, bestOfN: [] });
  });

  it("refuse a gold score, and alarms of it, where nothing would ever look at them", async () => {
    const gold = { name: "gold", score: evenness };
    const refused = (options: Options, text: string) =>
      expectFailure(() => lookedAt("refused", options), "ATTUNE_OPTION", text);
    await refused(
      { evalData: undefined, gold } as unknown as Options,
      "Expected evaluation prompts beside a gold score",
    );
    await refused({ stopOn: ["reward-up-win-rate-down"] }, "beside stop-on reward-up-win-rate-down");
    await refused({ missingEos: "none", missingEosValue: -1 }, "Expected no missing-eos-value beside");
  });

  it("warn once that no answer has a reward, and go on", async () => {
    const warnings: string[] = [];
    const shared = {
      ...tinySettings,
      model: place.model,
      samples: 2,
      epochs: 2,
      output: place.output("silent"),
    };
    const run = grpo({ ...shared, rewards: (samples) => samples.map(() => null) });
    for await (const event of run) if (event.type === "warning") warnings.push(event.message);
    expect(warnings).to.deep.equal([
      "No answer of step 1 has a reward: every source said null. Such steps teach nothing.",
    ]);
    expect((await run.result).status).to.equal("done");
  });

  it("are of two answers or more", () =>
    expectFailure(
      () => lookedAt("one", { evalData: prompts.slice(0, 1) }),
      "ATTUNE_OPTION",
      "Expected two or more answers to evaluation prompts",
    ));
});
