// RLOO from rollouts to updates, through the public function.

import { expect } from "chai";
import { type RlooOptions, rloo } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { itIsAnOnlineTrainer } from "./online-invariants.js";
import { trainLines } from "./online-world.js";
import { weightBytes } from "./same-run.js";

describe("rloo", () => {
  const { run, output } = itIsAnOnlineTrainer({
    start: (settings) => rloo(settings as unknown as RlooOptions),
    learns: { beta: 0.01 },
  });

  it("takes the same first step by ratios of answers and of tokens: on policy they agree", async () => {
    for (const ratio of ["sequence", "token"] as const) await run(ratio, { ratio, maxSteps: 1 });
    const [ofAnswers, ofTokens] = [trainLines(output("sequence")), trainLines(output("token"))];
    expect(ofAnswers[0]?.grad_norm).to.be.closeTo(ofTokens[0]?.grad_norm ?? Number.NaN, 1e-6);
  });

  it("clips ratios of whole answers sooner than those of tokens", async () => {
    const far = { updateEpochs: 4, maxSteps: 1, learningRate: 1e-2 };
    for (const ratio of ["sequence", "token"] as const) await run(ratio, { ...far, ratio });
    const clipped = (name: string) => trainLines(output(name))[0]?.["policy/clipfrac"] ?? Number.NaN;
    expect(clipped("sequence")).to.be.above(clipped("token")).and.to.be.above(0);
  });

  it("pulls to the reference with beta", async () => {
    const far = { epochs: 10, learningRate: 1e-2 };
    await run("free", { ...far, beta: 1e-6 });
    await run("held", { ...far, beta: 1 });
    const kl = (name: string) => trainLines(output(name)).at(-1)?.["objective/kl"] ?? Number.NaN;
    expect(kl("held")).to.be.below(0.5 * kl("free"));
  });

  it("scales advantages where asked to", async () => {
    await run("plain", { maxSteps: 1 });
    await run("scaled", { maxSteps: 1, scaleAdvantages: true });
    const norm = (name: string) => trainLines(output(name))[0]?.grad_norm ?? Number.NaN;
    // Of rewards that deviate by about 0.2, the advantages grow about fivefold.
    expect(norm("scaled")).to.be.above(2 * norm("plain"));
  });

  it("learns nothing where all answers score the same and beta is 0", async () => {
    await run("one", {
      maxSteps: 1,
      beta: 0,
      rewards: (samples: readonly unknown[]) => samples.map(() => 1),
    });
    const [line] = trainLines(output("one"));
    expect(line).to.include({ grad_norm: 0, frac_reward_zero_std: 1 });
    expect(line).to.not.have.any.keys("objective/kl", "overopt/sqrt_kl");
  });

  it("leaves answers without a reward out", async () => {
    const odd = (samples: readonly { readonly completion: Int32Array }[]) =>
      samples.map(({ completion }, i) => (i % 4 === 0 ? null : completion.length + (completion[0] ?? 0)));
    const none = (samples: readonly unknown[]) => samples.map(() => null);
    await run("some", { maxSteps: 2, rewards: odd });
    expect(trainLines(output("some"))[1]?.grad_norm).to.be.above(0);
    await run("none", { maxSteps: 2, rewards: none, beta: 0 });
    const lines = trainLines(output("none"));
    expect(lines.map(({ grad_norm: norm }) => norm)).to.deep.equal([0, 0]);
    expect(lines[0]).to.not.have.any.keys("reward", "objective/scores");
  });

  it("has no use for a reference that nothing is compared with", async () => {
    const { message } = await failureOf(() => run("run", { beta: 0, stopOn: ["kl-budget"] }));
    expect(message).to.include("stop-on").and.include("kl-budget");
  });

  it("gives other weights with another seed", async () => {
    await run("one", { maxSteps: 1, seed: 1 });
    await run("two", { maxSteps: 1, seed: 2 });
    expect(weightBytes(output("one")).equals(weightBytes(output("two")))).to.equal(false);
  });
});
