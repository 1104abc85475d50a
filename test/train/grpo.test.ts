// GRPO and its kin from rollouts to updates, through the public function.

import { expect } from "chai";
import { createEngine } from "../../lib/engine/index.js";
import { type GrpoOptions, grpo } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { RecordedModel } from "../support/recorded-model.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { itIsAnOnlineTrainer } from "./online-invariants.js";
import { prompts, trainLines } from "./online-world.js";
import { timelessMetrics } from "./same-run.js";

/** Counts the frozen copies that were taken. */
class CountedModel extends RecordedModel {
  copies = 0;

  override async snapshot(...rest: Parameters<RecordedModel["snapshot"]>) {
    this.copies += 1;
    return await super.snapshot(...rest);
  }
}

describe("grpo", () => {
  const { run, output } = itIsAnOnlineTrainer({
    start: (settings) => grpo(settings as unknown as GrpoOptions),
    learns: {},
  });
  const firstLine = (name: string) => trainLines(output(name))[0] ?? {};

  for (const aggregate of ["dapo", "bnpo", "grpo", "dr_grpo", "cispo"] as const)
    for (const ratio of ["token", "sequence"] as const)
      it(`learns by ${aggregate} with ratios of each ${ratio}`, async () => {
        await run("run", { aggregate, ratio, epochs: 3, updateEpochs: 2, beta: 0.1 });
        const lines = trainLines(output());
        expect(lines.length).to.equal(3);
        for (const { grad_norm: norm, loss } of lines) {
          expect(norm).to.be.above(0);
          expect(Number.isFinite(loss)).to.equal(true);
        }
      });

  it("divides by tokens, by answers, or by the tokens that answers might have had", async () => {
    const one = { maxSteps: 1, scaleRewards: "none" } as const;
    for (const aggregate of ["dapo", "bnpo", "dr_grpo"] as const) await run(aggregate, { ...one, aggregate });
    const norm = (name: string) => firstLine(name).grad_norm ?? Number.NaN;
    expect(norm("bnpo")).to.equal(norm("dapo"));
    const mean = firstLine("dapo")["completions/mean_length"] ?? Number.NaN;
    expect(norm("dr_grpo")).to.be.closeTo((norm("dapo") * mean) / 8, 1e-6);
  });

  it("does not divide rewards in dr_grpo unless it is told to", async () => {
    for (const scaleRewards of ["group", "none"] as const)
      await run(scaleRewards, { maxSteps: 1, aggregate: "dr_grpo", scaleRewards });
    await run("default", { maxSteps: 1, aggregate: "dr_grpo" });
    expect(firstLine("default").grad_norm).to.equal(firstLine("none").grad_norm);
    expect(firstLine("group").grad_norm).to.be.above(2 * (firstLine("none").grad_norm ?? 0));
  });

  it("follows ratios further up with a higher clip-high", async () => {
    const far = { updateEpochs: 4, maxSteps: 1, learningRate: 1e-2 };
    await run("low", { ...far, clipHigh: 0.05 });
    await run("high", { ...far, clipHigh: 5 });
    const share = (name: string, end: string) => firstLine(name)[`clip_ratio/${end}_mean`] ?? Number.NaN;
    expect(share("high", "high")).to.be.below(0.5 * share("low", "high"));
    expect(share("high", "low")).to.be.above(0);
  });

  it("keeps no reference with beta 0: neither a copy of the start nor a pass over rollouts", async () => {
    await using engine = await createEngine({ device: "cpu", threads: 1 });
    writeTinyModel({ folder: output("recorded") });
    const loaded = await engine.loadModel(output("recorded"));
    const [free, held] = [new CountedModel(loaded), new CountedModel(loaded)];
    await run("free", { model: free, threads: undefined, epochs: 2 });
    await run("held", { model: held, threads: undefined, epochs: 2, beta: 0.1 });
    expect([free.copies, held.copies]).to.deep.equal([0, 1]);
    expect(firstLine("free")).to.not.have.any.keys("kl", "overopt/sqrt_kl");
    expect(firstLine("held")).to.include({ kl: 0, "overopt/sqrt_kl": 0 });
  });

  it("still measures the KL of looks with beta 0", async () => {
    await run("run", { epochs: 3, evalData: prompts });
    expect(firstLine("run")).to.not.have.property("kl");
    const looks = timelessMetrics(output()).filter(({ split }) => split === "eval");
    expect(looks.map(({ step }) => step)).to.deep.equal([0, 3]);
    expect(looks[0]?.["eval_objective/kl"]).to.equal(0);
    expect(looks[1]?.["eval_objective/kl"]).to.not.equal(0);
  });

  it("refuses a cap inside the range of clip-high, and a reference without a use", async () => {
    const refusal = async (settings: object) =>
      (await failureOf(() => run("run", settings as Record<string, unknown>))).message;
    expect(await refusal({ ratioCap: 1.1 })).to.include("ratio-cap");
    expect(await refusal({ reference: "somewhere" })).to.include("no reference");
    expect(await refusal({ aggregate: "mean" })).to.include("dapo");
  });
});
