// The PPO run of the oracle on one instruction set: the given answers as a rollout on disk, which the public ppo() replays.
// Must not compute a reward, an advantage or a loss by itself.

import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect } from "chai";
import type { Engine, Model } from "../../lib/engine/index.js";
import {
  endedOf,
  type Numbers,
  openPrompts,
  placeTargets,
  type Rollout,
  rolloutOfAnswers,
  scoreRollout,
  tokenRewards,
  treatMissingEos,
  writeRollout,
} from "../../lib/rollout/index.js";
import { type PpoMetrics, type PpoOptions, ppo } from "../../lib/train/index.js";
import { Comparison, l2, sumOf } from "../support/oracle-compare.js";
import { suiteEngine, type TestedIsa } from "../support/oracle-engines.js";
import { oraclePath } from "../support/oracle-folder.js";
import { RecordedModel, type RecordedUpdate } from "../support/recorded-model.js";
import { parametersOf } from "./trainer-case.js";
import {
  gradientTolerance,
  lossTolerance,
  type Padded,
  type PpoCase,
  type PpoEpoch,
  probeTolerances,
  sumBar,
} from "./trainer-file.js";

/** Log-probs, values, scores and what follows from them before the first step: as the probe's start. */
const tokenTolerance = probeTolerances.start;
/** The same after a step. */
const laterTolerance = probeTolerances.end;
/** README.md there. */
const finalTolerance = { relative: 5e-5, absolute: 1e-6 };
/** Shares of 34 tokens: one at the edge of the clip range may fall to the other side in float32. */
const flippedToken = 1 / 30;

interface Outcome {
  readonly rollout: Rollout;
  readonly policy: RecordedModel;
  readonly value: RecordedModel;
  readonly metrics: PpoMetrics;
  readonly final: Readonly<Record<"policy" | "value", ReadonlyMap<string, Float32Array>>>;
}

interface Checked {
  readonly one: PpoCase;
  readonly outcome: Outcome;
  readonly compare: Comparison;
}

/** Registers the tests of a case on one instruction set. */
export function ppoTrainerTests(one: PpoCase, isa: TestedIsa): void {
  const engine = suiteEngine({ isa });
  const name = `${one.algorithm}/${one.case}`;
  const compare = new Comparison({ family: "trainer", isa: isa.name, dtype: "fp32", name });
  let folder: string;
  let checked: Checked;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "attune-oracle-"));
    checked = { one, compare, outcome: await train(one, engine(), folder) };
  });
  after(() => rmSync(folder, { recursive: true }));

  it("has the log-probs, values and scores of the rollout", () => checkRollout(checked));
  it("has the rewards, advantages and returns of the rollout", () => checkObjective(checked));
  it("takes an optimiser step of policy and value network per epoch, over all answers", () => {
    const { policy, value, metrics } = checked.outcome;
    expect([policy.updates.length, value.updates.length, metrics.optimizer_steps]).to.deep.equal([2, 2, 2]);
    for (const epoch of [0, 1]) {
      const { count } = sumsOf(policy, epoch);
      expect(count).to.equal(sumOf(one.lengths));
    }
  });
  for (const epoch of one.expected.epochs.keys()) {
    it(`has losses, clip fractions and gradient norms of epoch ${epoch + 1}`, () =>
      checkEpoch(checked, epoch));
    it(`has the log-probs and values before the step of epoch ${epoch + 1}`, () =>
      checkPasses(checked, epoch));
  }
  it("logs the means over epochs", () => checkMetrics(checked));
  it("has every parameter's norm and sum after training", () => {
    for (const role of ["policy", "value"] as const) {
      const expected = Object.entries(one.expected.final[role]);
      expect(expected.length).to.equal(checked.outcome.final[role].size);
      for (const [parameter, { l2: norm, sum }] of expected) {
        const own = checked.outcome.final[role].get(parameter) ?? [];
        compare.within("ppo norm of a parameter", l2(own), norm, finalTolerance, `${role} ${parameter}`);
        compare.absolute("ppo sum of a parameter", sumOf(own), sum, sumBar, `${role} ${parameter}`);
      }
    }
  });
}

/** A model beside the tokenizer that all share. */
function modelFolder(one: PpoCase, role: keyof PpoCase["models"], folder: string): string {
  const to = join(folder, role);
  mkdirSync(to);
  const own = oraclePath("trainer", one.models[role]);
  for (const name of readdirSync(own)) copyFileSync(join(own, name), join(to, basename(name)));
  for (const name of ["tokenizer.json", "tokenizer_config.json"])
    copyFileSync(join(oraclePath("trainer", "models", "lm"), name), join(to, name));
  return to;
}

async function train(one: PpoCase, engine: Engine, folder: string): Promise<Outcome> {
  const load = (role: keyof PpoCase["models"]) =>
    engine.loadModel(modelFolder(one, role, folder), { dtype: "fp32" });
  const [policy, value] = [await load("policy"), await load("value")];
  const [reference, rewardModel] = [await load("ref"), await load("reward")];
  const models = { policy, value, reference, rewardModel };
  const data = rowsOf(one);
  const rollout = await rolloutOf(one, { models, data });
  const replay = join(folder, "rollouts");
  await writeRollout(replay, rollout);
  const recorded = { policy: new RecordedModel(policy), value: new RecordedModel(value) };
  const metrics: PpoMetrics[] = [];
  await ppo({
    model: recorded.policy,
    valueModel: recorded.value,
    reference,
    rewards: { model: rewardModel },
    data,
    replay,
    output: join(folder, "run"),
    maxSteps: 1,
    batchSize: data.length,
    shuffle: false,
    ...settingsOf(one),
    onStep: (event) => metrics.push(event.metrics),
  }).result;
  const [only] = metrics;
  if (only === undefined || metrics.length > 1) throw new Error(`${metrics.length} steps instead of one`);
  const final = { policy: await parametersOf(recorded.policy), value: await parametersOf(recorded.value) };
  return { rollout, ...recorded, metrics: only, final };
}

function settingsOf({ settings }: PpoCase) {
  expect(settings.schedule).to.equal("constant");
  return {
    schedule: "constant",
    temperature: settings.temperature,
    maxNewTokens: settings.response_length,
    updateEpochs: settings.epochs,
    minibatches: settings.mini_batches,
    learningRate: settings.learning_rate,
    adamEpsilon: 1e-8,
    weightDecay: 0,
    maxGradNorm: 0,
    kl: settings.kl_estimator,
    beta: settings.kl_coef,
    whitenAdvantages: true,
    whitenUnbiased: true,
    missingEos: settings.eos_trick,
    missingEosValue: settings.missing_eos_penalty,
    gamma: settings.gamma,
    lambda: settings.lam,
    clipLow: settings.cliprange,
    clipHigh: settings.cliprange,
    clipValue: settings.cliprange_value,
    valueWeight: settings.vf_coef,
  } as const satisfies Partial<PpoOptions>;
}

function rowsOf({ data, rows_used: used }: PpoCase): readonly { readonly prompt: string }[] {
  const lines = readFileSync(data, "utf8").trimEnd().split("\n");
  return used.map((row) => JSON.parse(lines[row] ?? "") as { readonly prompt: string });
}

interface Answering {
  readonly models: Readonly<Record<"policy" | "value" | "reference" | "rewardModel", Model>>;
  readonly data: readonly { readonly prompt: string }[];
}

/** The answers of the file as if the policy had sampled them, scored by the file's reward model. */
async function rolloutOf(one: PpoCase, { models, data }: Answering): Promise<Rollout> {
  const { policy, value, reference, rewardModel } = models;
  const tokenizer = await policy.tokenizer();
  const { prompts } = await openPrompts({ data, tokenizer });
  expect(prompts.map(({ ids }) => [...ids])).to.deep.equal(one.prompts);
  const sampled = await rolloutOfAnswers({
    policy,
    reference,
    value,
    prompts,
    answers: one.responses.map((ids) => [Int32Array.from(ids)]),
    stopTokens: tokenizer.eosIds,
    temperature: one.settings.temperature,
    maxNewTokens: one.settings.response_length,
  });
  expect([...endedOf(sampled)].map((ended) => ended === 1)).to.deep.equal(one.has_eos);
  return scoreRollout({ rollout: sampled, prompts, tokenizer, rewards: { model: rewardModel } });
}

function treatedScores({ settings }: PpoCase, rollout: Rollout): Float64Array {
  const { eos_trick: treatment, missing_eos_penalty: value } = settings;
  return treatMissingEos({ scores: rollout.scores, ended: endedOf(rollout), treatment, value });
}

/** The counted tokens, one answer behind the other. */
function counted({ lengths }: PpoCase, padded: Padded): number[] {
  return padded.flatMap((row, i) => row.slice(0, lengths[i]));
}

function checkRollout({ one, outcome: { rollout }, compare }: Checked): void {
  const { expected } = one;
  const check = (what: string, own: Numbers, wanted: Numbers) =>
    compare.within(`ppo ${what}`, own, wanted, tokenTolerance);
  check("log-probs", rollout.logprobs, counted(one, expected.logprobs));
  check("reference log-probs", rollout.referenceLogprobs ?? [], counted(one, expected.ref_logprobs));
  check("values", rollout.values ?? [], counted(one, expected.values));
  check("raw scores", rollout.scores, expected.scores_raw);
  check("scores", treatedScores(one, rollout), expected.scores);
}

function checkObjective({ one, outcome, compare }: Checked): void {
  const { rollout, policy, value } = outcome;
  const { expected, settings } = one;
  const { starts, logprobs, referenceLogprobs = [] } = rollout;
  const rewards = tokenRewards({
    starts,
    scores: treatedScores(one, rollout),
    estimator: settings.kl_estimator,
    coefficient: settings.kl_coef,
    logprobs,
    referenceLogprobs,
  });
  compare.within("ppo rewards", rewards, counted(one, expected.rewards), tokenTolerance);
  const advantages = ofTokens(rollout, policy.updates[0], ({ loss }) =>
    loss.kind === "policy" ? loss.advantages : [],
  );
  compare.within("ppo advantages", advantages, counted(one, expected.advantages), tokenTolerance);
  const returns = ofTokens(rollout, value.updates[0], ({ loss }) =>
    loss.kind === "value" ? loss.returns : [],
  );
  compare.within("ppo returns", returns, counted(one, expected.returns), tokenTolerance);
}

type Step = RecordedUpdate["steps"][number];

/** [tokens of the rollout] what the micro-batches of an update have per target. */
function ofTokens(
  { starts, tokens }: Rollout,
  update: RecordedUpdate | undefined,
  pick: (step: Step) => Numbers,
): Float64Array {
  const into = new Float64Array(tokens.length).fill(Number.NaN);
  for (const step of update?.steps ?? []) placeTargets(step.batch, starts, { from: pick(step), into });
  return into;
}

const policyKeys = ["count", "ratios", "clipped", "approxKl", "k1"] as const;

function sumsOf(model: RecordedModel, epoch: number): Readonly<Record<(typeof policyKeys)[number], number>> {
  const steps = model.updates[epoch]?.steps ?? [];
  const sums = policyKeys.map((key) => [key, sumOf(steps.map(({ result }) => result.policy?.[key] ?? NaN))]);
  return Object.fromEntries(sums) as Record<(typeof policyKeys)[number], number>;
}

function expectedEpoch({ expected }: PpoCase, epoch: number): PpoEpoch {
  const found = expected.epochs[epoch];
  if (found === undefined) throw new Error(`no epoch ${epoch}`);
  return found;
}

function checkEpoch({ one, outcome, compare }: Checked, epoch: number): void {
  const { policy, value } = outcome;
  const wanted = expectedEpoch(one, epoch);
  const where = `epoch ${epoch + 1}`;
  const lossOf = (model: RecordedModel) =>
    sumOf((model.updates[epoch]?.steps ?? []).map(({ result }) => result.loss));
  const check = (what: string, own: number, expected: number) =>
    compare.within(`ppo ${what}`, own, expected, lossTolerance(epoch), where);
  check("policy loss", lossOf(policy), wanted.policy_loss);
  check("value loss", lossOf(value) / one.settings.vf_coef, wanted.value_loss);
  const { count, ratios, clipped, approxKl, k1 } = sumsOf(policy, epoch);
  check("k1 to the rollout", k1 / count, wanted.approx_kl_k1);
  check("k2 to the rollout", approxKl / count, wanted.approx_kl_k2);
  compare.absolute("ppo clip fraction", clipped / ratios, wanted.clipfrac, flippedToken, where);
  const steps = value.updates[epoch]?.steps ?? [];
  const clippedValues = sumOf(steps.map(({ result }) => result.value?.clipped ?? Number.NaN));
  compare.absolute("ppo clip fraction", clippedValues / count, wanted.value_clipfrac, flippedToken, where);
  for (const [model, norm] of [
    [policy, wanted.grad_l2_policy],
    [value, wanted.grad_l2_value],
  ] as const) {
    const own = model.updates[epoch]?.result.gradNorm ?? Number.NaN;
    compare.within("ppo gradient norm", own, norm, gradientTolerance, where);
  }
}

/** What the losses saw of the networks: the policy's own pass, and the value network's. */
function checkPasses({ one, outcome, compare }: Checked, epoch: number): void {
  const { rollout, policy, value } = outcome;
  const wanted = expectedEpoch(one, epoch);
  const tolerance = epoch === 0 ? tokenTolerance : laterTolerance;
  const logprobs = ofTokens(rollout, policy.updates[epoch], ({ result }) => result.policy?.logprobs ?? []);
  compare.within("ppo new log-probs", logprobs, counted(one, wanted.new_logprobs), tolerance);
  if (epoch === 0) expect([...logprobs], "the rollout's bits").to.deep.equal([...rollout.logprobs]);
  const values = ofTokens(rollout, value.updates[epoch], ({ result }) => result.value?.values ?? []);
  compare.within("ppo new values", values, counted(one, wanted.new_values), tolerance);
}

function checkMetrics({ one, outcome, compare }: Checked): void {
  const { metrics } = outcome;
  const mean = (pick: (epoch: PpoEpoch) => number) =>
    sumOf(one.expected.epochs.map(pick)) / one.expected.epochs.length;
  const check = (name: string, wanted: number) =>
    compare.within(`ppo ${name}`, Number(metrics[name]), wanted, lossTolerance(1));
  check(
    "loss",
    mean(({ loss }) => loss),
  );
  check(
    "loss/policy",
    mean(({ policy_loss: loss }) => loss),
  );
  check(
    "loss/value",
    mean(({ value_loss: loss }) => loss),
  );
  check(
    "policy/approxkl",
    mean(({ approx_kl_k2: kl }) => kl),
  );
  compare.within(
    "ppo grad_norm",
    metrics.grad_norm,
    mean((epoch) => epoch.grad_l2_policy),
    gradientTolerance,
  );
  const { scores } = one.expected;
  check("objective/scores", sumOf(scores) / scores.length);
  const { logprobs, ref_logprobs: reference } = one.expected;
  const kl = (sumOf(counted(one, logprobs)) - sumOf(counted(one, reference))) / scores.length;
  check("objective/kl", kl);
  check("objective/rlhf_reward", sumOf(scores) / scores.length - one.settings.kl_coef * kl);
  expect(metrics["val/num_eos_tokens"]).to.equal(one.has_eos.filter(Boolean).length);
}
