// PPO for language models (Schulman et al. 2017, arXiv 1707.06347; Huang et al. 2024, arXiv 2403.17031), with a KL penalty to a
// reference and, where asked for, pre-training gradients (PPO-ptx, arXiv 2203.02155). One linear loop.
// Must not import another trainer's loop.

import { join } from "node:path";
import { type RowSource, stepRows } from "../data/index.js";
import type { JobOptions, TrainableModel } from "../engine/contract.js";
import { fail } from "../errors/index.js";
import { type PpoSettings, type PpoSettingsInput, ppoLearningRates, ppoOptions } from "../options/index.js";
import { controlKl, type KlController } from "../rollout/index.js";
import type { OwnState } from "./between-steps.js";
import type { StateFile } from "./checkpoints.js";
import type { PpoMetrics } from "./metrics.js";
import { type OnlineLoop, type OnlinePlace, OnlineRun, onlineWorkplace } from "./online/online-run.js";
import { type OnlineInputs, separateOnline } from "./online/online-settings.js";
import { answerRows } from "./online/policy-pass.js";
import { checkMinibatches, policyMetrics } from "./online/policy-update.js";
import { promptsAt } from "./online/rollouts.js";
import { stateBytes } from "./plan-room.js";
import { ppoObjective } from "./ppo-objective.js";
import { type PtxTexts, ppoUpdate, type UpdateSums } from "./ppo-update.js";
import { dataNames, type TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import { resolveSettings, type SharedSettings } from "./settings.js";
import { startTraining } from "./training.js";

/** Numbers by their defaults in docs/cli/ppo.md, and what the run works on. */
export type PpoOptions = Omit<
  PpoSettingsInput,
  "model" | "data" | "evalData" | "reference" | "valueModel" | "ptxData"
> &
  OnlineInputs<PpoMetrics> & {
    /**
     * What the value network starts from: a path, "policy" (a new head on the policy's weights), or a model with one score head,
     * which is then trained in place. Default: the first reward model that is named by path.
     */
    readonly valueModel?: string | TrainableModel;
    /** Texts of pre-training: paths, or the rows themselves. */
    readonly ptxData?: RowSource;
  };

type Settings = PpoSettings & SharedSettings;

/**
 * Trains a policy on rewards of answers that it samples itself. Returns at once; the run goes on by itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function ppo(options: PpoOptions): TrainRun<PpoMetrics> {
  const { valueModel, ptxData, ...others } = options;
  const separated = separateOnline<PpoMetrics>(others);
  const { inputs } = separated;
  const values = {
    ...separated.values,
    valueModel: typeof valueModel === "object" ? "(a model in memory)" : valueModel,
    ptxData: dataNames(ptxData),
  };
  const command = "ppo";
  const rates = ppoLearningRates;
  const settings = resolveSettings({ command, schema: ppoOptions, inputs, values, rates });
  checkSettings(settings);
  const own = { value: { from: valueModel }, ...(ptxData === undefined ? {} : { texts: ptxData }) };
  const request = { command, schema: ppoOptions, compares: true, settings, separated, ...own };
  return startTraining(onlineWorkplace(request), (place, log, between) =>
    loop({ place, settings, log, between, now: inputs.clock?.now }),
  );
}

/** Throws ATTUNE_OPTION for what contradicts itself. */
function checkSettings({
  kl,
  temperature,
  klTarget,
  klHorizon,
  beta,
  ptxWeight,
  ptxData,
  samples,
  batchSize,
  minibatches,
}: Settings) {
  const refuse = (option: string, text: string) => fail("ATTUNE_OPTION", text, { details: { option } });
  if (kl === "full" && temperature !== 1)
    throw refuse(
      "kl",
      `Expected temperature 1 beside kl full, which is of undivided logits, but received ${temperature}.`,
    );
  if (klTarget !== undefined && beta === 0)
    throw refuse("beta", "Expected beta above 0 beside kl-target: an adaptive coefficient is multiplied.");
  const fewest = 0.2 * batchSize * samples;
  if (klTarget !== undefined && klHorizon <= fewest) {
    const why = "a fifth of the answers of a step: the coefficient could fall to 0 in one";
    throw refuse("kl-horizon", `Expected kl-horizon above ${fewest}, ${why}, but received ${klHorizon}.`);
  }
  if (ptxWeight !== undefined && ptxData === undefined)
    throw refuse("ptx-weight", "Expected ptx-data beside ptx-weight: there are no texts to weigh.");
  checkMinibatches({ minibatches }, batchSize * samples, "answers");
}

async function loop({
  place,
  settings,
  log,
  between,
  now = () => performance.now(),
}: OnlineLoop<Settings, PpoMetrics>): Promise<void> {
  const { model: policy, value, job } = place;
  if (value === undefined) throw new Error("a run without a value network");
  const ptx = orderedTexts(place, settings);
  let run: OnlineRun | undefined;
  try {
    const exactKl = settings.kl === "full";
    run = await OnlineRun.open({ place, settings, between, compares: true, exactKl, now });
    const own = new PpoState({ settings, value, ptx, job });
    await run.begin(own);
    for (const planned of place.plan()) {
      const { step, epoch, rows } = planned;
      const next = await run.next(step);
      const { rollout, scores } = next;
      const objective = ppoObjective({ rollout, scores, controller: own.controller, settings });
      const rate = scheduleMultiplier(step, place.schedule);
      const rates = {
        policy: settings.learningRate * rate,
        value: (settings.valueLearningRate ?? settings.learningRate) * rate,
      };
      const updated = await ppoUpdate({
        policy,
        value,
        ptx,
        rollout,
        data: answerRows(rollout, promptsAt(place.prompts, rows)),
        objective,
        startLogprobs: await run.startLogprobs(next),
        settings,
        rates,
        job,
        step: step + 1,
        onProgress: (done, total) => run?.progress(done, total),
      });
      run.took(updated.gradNorms.length);
      own.control(objective.kl, rollout.finish.length);
      log.finish(epoch, {
        ...updateMetrics(updated, settings),
        ...objective.metrics,
        ...run.metrics(next),
        learning_rate: rates.policy,
      });
      if (await between.after(planned)) return;
    }
  } finally {
    await run?.dispose();
  }
}

const valueState = "value.safetensors";

interface StateParts {
  readonly settings: Settings;
  readonly value: TrainableModel;
  readonly ptx: OrderedTexts | undefined;
  readonly job: JobOptions;
}

/** What PPO keeps beside the policy: the value network, the coefficient of the KL, and its place in the texts. */
class PpoState implements OwnState {
  readonly #parts: StateParts;
  #controller: KlController;

  constructor(parts: StateParts) {
    this.#parts = parts;
    this.#controller = startController(parts.settings);
  }

  get controller(): KlController {
    return this.#controller;
  }

  /** After a rollout whose answers were that far from the reference (nats). */
  control(kl: number, episodes: number): void {
    this.#controller = controlKl(this.#controller, { kl, episodes });
  }

  save(): unknown {
    return { controller: this.#controller, ptxSteps: this.#parts.ptx?.steps };
  }

  async restore(saved: unknown, folder: string | undefined): Promise<void> {
    const { value, ptx, job } = this.#parts;
    // What `save` of this very class wrote.
    const { controller, ptxSteps = 0 } = saved as {
      readonly controller: KlController;
      readonly ptxSteps?: number;
    };
    this.#controller = controller;
    ptx?.goOn(ptxSteps);
    if (folder !== undefined) await value.loadState(join(folder, valueState), job);
  }

  files(): readonly StateFile[] {
    const { value, job } = this.#parts;
    const save = (path: string) => value.saveState(path, job);
    return [{ name: valueState, bytes: stateBytes(value), save }];
  }
}

function startController({ beta, klTarget, klHorizon }: Settings): KlController {
  return klTarget === undefined
    ? { kind: "fixed", coefficient: beta }
    : { kind: "adaptive", coefficient: beta, target: klTarget, horizon: klHorizon };
}

/** Means over the minibatches of a step. */
function updateMetrics(updated: UpdateSums, { valueWeight, ptxWeight = 1 }: Settings) {
  const { value, ptxLoss, gradNorms, stopped } = updated;
  const metrics = policyMetrics(updated);
  const steps = Math.max(1, gradNorms.length);
  const valueLoss = valueWeight === 0 ? 0 : value.loss / (valueWeight * steps);
  return {
    ...metrics,
    loss: metrics.loss + valueWeight * valueLoss + (ptxLoss === undefined ? 0 : ptxWeight * ptxLoss),
    "loss/value": valueLoss,
    ...(ptxLoss === undefined ? {} : { ptx_loss: ptxLoss }),
    "val/clipfrac": value.count === 0 ? 0 : value.clipped / value.count,
    "value/grad_norm": updated.valueGradNorm,
    stopped_early: stopped ? 1 : 0,
    tokens: metrics.tokens + updated.ptxTokens,
    tokens_computed: metrics.tokens_computed + updated.ptxTrunkRows,
  };
}

interface OrderedTexts extends PtxTexts {
  /** Optimiser steps that took texts. */
  readonly steps: number;
  goOn(steps: number): void;
}

/** Texts in an order of their own; the rows of an optimiser step are found by its number. */
function orderedTexts({ texts }: OnlinePlace, settings: Settings): OrderedTexts | undefined {
  if (texts === undefined) return undefined;
  const { ptxBatchSize: batchSize, seed } = settings;
  const order = { rowCount: texts.length, batchSize, seed: seed + 1, shuffle: true };
  let steps = 0;
  let iterator = stepRows(order);
  return {
    data: texts,
    get steps() {
      return steps;
    },
    next() {
      steps += 1;
      // Epochs have no end.
      return iterator.next().value?.rows ?? new Int32Array(0);
    },
    goOn(from) {
      steps = from;
      iterator = stepRows({ ...order, from });
    },
  };
}
