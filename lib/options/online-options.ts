// Options that ppo, rloo, grpo and online-dpo share: prompts, sampling, rewards, and how a run is watched.
// Must not import any room.

import { z } from "zod";
import { alarmNames } from "./alarm-names.js";
import {
  adapterOptions,
  checkpointOptions,
  evaluationOptions,
  fileOptions,
  loopOptions,
  machineOptions,
  offloadOptions,
  option,
  outputOptions,
  rowOptions,
  sampleOptions,
} from "./shared-options.js";

const number = (group: "Training" | "Sampling" | "Rewards" | "Evaluation") =>
  ({ group, value: "X" }) as const;
const paths = (description: string) =>
  option(z.array(z.string().min(1)).min(1).optional(), description, { group: "Rewards", value: "PATH" });

const { tokenCache: _, ...files } = fileOptions;
const { batchSize: __, epochs: ___, maxSteps: ____, ...loop } = loopOptions;

const onlineFiles = {
  ...files,
  data: option(
    z.array(z.string().min(1)).min(1),
    "prompts to answer: rows with a prompt, whose answers are left aside; JSONL (plain, gzip or zstd) or Parquet; a file, a " +
      "folder or a pattern such as rows/*.jsonl; may be repeated",
    { group: "Files", value: "FILE" },
  ),
  evalData: option(
    z.array(z.string().min(1)).min(1).optional(),
    "prompts that are answered and scored but never trained on, before the first step, every eval-every steps and at the end; " +
      "may be repeated",
    { group: "Files", value: "FILE" },
  ),
  reference: option(
    z.string().min(1).optional(),
    "another model as reference, of the same vocabulary (default: the start of the trained one)",
    { group: "Files", value: "PATH" },
  ),
};

function samplingOptions({ maxNewTokens, temperature }: OnlineDefaults) {
  return {
    maxNewTokens: option(z.number().int().min(1).default(maxNewTokens), "tokens of an answer at most", {
      group: "Sampling",
      value: "N",
    }),
    temperature: option(
      z.number().positive().default(temperature),
      "divides the logits while sampling, and in every later pass over the answers",
      number("Sampling"),
    ),
    ...rolloutOptions,
  };
}

const rolloutOptions = {
  decodeBatch: option(
    z.number().int().min(1).default(64),
    "answers decoded at once; it changes speed and memory, never an answer",
    { group: "Sampling", value: "N" },
  ),
  ignoreEos: option(
    z.boolean().default(false),
    "sample beyond the end of an answer, always max-new-tokens: for measuring speed",
    { group: "Sampling" },
  ),
  maxStaleness: option(
    z.number().int().min(0).default(0),
    "optimiser steps that may lie between sampling and use: above 0 the next rollout is sampled before the update and " +
      "scored beside it",
    { group: "Sampling", value: "N" },
  ),
  saveRollouts: option(z.boolean().default(false), "keep every rollout in OUTPUT/rollouts", {
    group: "Output",
  }),
  replay: option(
    z.string().min(1).optional(),
    "folder of rollouts that were kept: they are learned from in place of new samples, in the order of their numbers",
    { group: "Files", value: "DIR" },
  ),
};

function onlineLoop({ batchSize }: OnlineDefaults) {
  return {
    epochs: option(z.number().int().min(1).default(1), "passes over the prompts", {
      group: "Training",
      value: "N",
    }),
    maxSteps: option(
      z.number().int().min(1).optional(),
      "stop after this many steps: a step is one rollout with all of its updates",
      { group: "Training", value: "N" },
    ),
    batchSize: option(z.number().int().min(1).default(batchSize), "prompts of one step (one rollout)", {
      group: "Training",
      value: "N",
    }),
    ...loop,
    ...updateOptions,
  };
}

const updateOptions = {
  adamEpsilon: option(
    z.number().positive().default(1e-5),
    "AdamW's epsilon, which bounds the step of parameters with tiny gradients",
    number("Training"),
  ),
  updateEpochs: option(z.number().int().min(1).default(1), "passes over the answers of a rollout", {
    group: "Training",
    value: "N",
  }),
  minibatches: option(
    z.number().int().min(1).default(1),
    "parts of such a pass, each an optimiser step of its own",
    { group: "Training", value: "N" },
  ),
};

const onlineRest = {
  format: option(
    z.enum(["auto", "prompt", "hh"]).default("auto"),
    "what the rows are; hh: transcripts with Human: and Assistant: become messages",
    { group: "Rows" },
  ),
  ...rowOptions,
  maxLength: option(
    z.number().int().min(2).default(1024),
    "tokens of prompt and answer together; prompts that leave no room for max-new-tokens are dropped or cut, and counted",
    { group: "Rows", value: "N" },
  ),
  truncate: option(
    z.boolean().default(false),
    "cut prompts that are too long at their front, by whole messages or lines, instead of dropping them",
    { group: "Rows" },
  ),
  ...machineOptions,
  ...offloadOptions,
  ...outputOptions,
  ...sampleOptions,
  ...checkpointOptions,
};

/** What differs between the algorithms. */
interface OnlineDefaults {
  readonly batchSize: number;
  readonly maxNewTokens: number;
  readonly temperature: number;
}

/** What scores answers. */
const rewardSourceOptions = {
  rewardModel: paths(
    "reward model (a folder that attune reward wrote) that scores the answers; may be repeated",
  ),
  rewardFunction: paths(
    "module whose default export, or FILE#name, scores the answers of a rollout: docs/rollouts.md; may be repeated",
  ),
  rewardWeights: option(
    z.array(z.number()).min(1).optional(),
    "weight of each reward model, then of each reward function, in their order (default: 1 each; 0 only watches)",
    { group: "Rewards", value: "NUMBERS", separator: "," },
  ),
  rewardAggregate: option(
    z.enum(["mean", "min", "variance", "deviation"]).optional(),
    "one score from several heads: mean (default), the lowest, or the mean less reward-k times variance or deviation",
    { group: "Rewards" },
  ),
  rewardK: option(
    z.number().min(0).optional(),
    "k of the aggregates variance and deviation (default: 1)",
    number("Rewards"),
  ),
  rewardBound: option(
    z.string().min(1).optional(),
    "bound on the first reward model (attune evaluate --fit-bound): answers score its lower end",
    { group: "Rewards", value: "FILE" },
  ),
  rewardTimeout: option(
    z.number().positive().default(60_000),
    "milliseconds that one call of a reward function may take",
    number("Rewards"),
  ),
  rewardRetries: option(
    z.number().int().min(0).default(0),
    "further calls of a reward function after one that threw or took too long",
    { group: "Rewards", value: "N" },
  ),
  rewardOffload: option(
    z.boolean().default(false),
    "keep the layers of reward and gold models in the host's memory as reference-offload does; not of adapters on the policy's base",
    { group: "Rewards" },
  ),
  missingEos: option(
    z.enum(["replace", "subtract", "none"]).default("replace"),
    "score of an answer that did not end: missing-eos-value in its place, or less missing-eos-value, or as it is",
    { group: "Rewards" },
  ),
  missingEosValue: option(
    z.number().optional(),
    "what replaces the score of such an answer (default: -1), or is subtracted (default: 1)",
    number("Rewards"),
  ),
  clipScores: option(
    z.number().positive().optional(),
    "scores are cut to between minus and plus this",
    number("Rewards"),
  ),
  normaliseScores: option(
    z.boolean().default(false),
    "divide scores by the standard deviation of all so far, around their mean",
    { group: "Rewards" },
  ),
} as const;

/** Over-optimisation: docs/evaluation.md. */
const watchOptions = {
  goldModel: option(
    z.array(z.string().min(1)).min(1).optional(),
    "reward model of other judgements that the policy never trains on: what evaluations compare with; may be repeated",
    { group: "Evaluation", value: "PATH" },
  ),
  goldFunction: option(
    z.array(z.string().min(1)).min(1).optional(),
    "module that scores answers as such a model does, FILE or FILE#name; may be repeated",
    { group: "Evaluation", value: "PATH" },
  ),
  evalSamples: option(z.number().int().min(1).default(1), "answers to each evaluation prompt", {
    group: "Evaluation",
    value: "N",
  }),
  bestOf: option(
    z.number().int().min(0).default(8),
    "answers of the start to each evaluation prompt, of which the best by score are the baseline that a run is compared to; 0 none",
    { group: "Evaluation", value: "N" },
  ),
  klBudget: option(
    z.number().positive().default(50),
    "nats per answer that the policy may be away from its reference; beyond them the alarm kl-budget is raised",
    number("Evaluation"),
  ),
  stopOn: option(
    z.array(z.enum(alarmNames)).min(1).optional(),
    `alarms that end the run (${alarmNames.join(", ")}); the others only tell`,
    { group: "Evaluation", value: "NAMES", separator: "," },
  ),
  stopRule: option(
    z.boolean().default(false),
    "end when the gold score fell below its best twice running, or the KL is over its budget; the trained model is then the best one",
    { group: "Evaluation" },
  ),
} as const;

/** By where they stand in a schema: an algorithm puts its own between them. */
export function onlineOptions(defaults: OnlineDefaults) {
  return {
    files: onlineFiles,
    sampling: samplingOptions(defaults),
    rewards: rewardSourceOptions,
    loop: onlineLoop(defaults),
    adapter: adapterOptions,
    watch: { evalEvery: evaluationOptions.evalEvery, ...watchOptions },
    rest: onlineRest,
  } as const;
}
