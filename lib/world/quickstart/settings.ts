// Sizes and rates of the toy world's pipeline, in one place: the quickstart and the tests of learning use the same ones.
// Numbers only. None depends on a seed.

/** How many of what. */
export const sizes = {
  /** Texts of pre-training. */
  texts: 800,
  /** The same for measuring what is left of pre-training. */
  heldOutTexts: 100,
  demonstrations: 1500,
  /** Prompts to train on. */
  prompts: 836,
  /** Answers that annotators compare, of each prompt. */
  answers: 8,
  /** Prompts that the table is about; nobody trains on them. */
  heldOut: 200,
  /** Of them, those that online runs look at on the way. */
  watched: 64,
  /** Prompts whose answers DPO, IPO and KTO learn from. */
  judged: 400,
  bestOf: 16,
} as const;

/** Two or three sentences have room; longer answers are cut. */
export const generation = { maxNewTokens: 48, batchSize: 128 } as const;

/** What a report of the runs shows: answers to a few prompts, before and after. */
const shown = { sampleEvery: 100_000, samplePrompts: 4, sampleTokens: generation.maxNewTokens } as const;
const offline = { ...shown, batchSize: 16, warmupRatio: 0.05, logEvery: 5 } as const;

/** Of online runs alike. */
const online = {
  ...shown,
  // Prompts are enough for 13 steps of PPO: they come round.
  epochs: 1000,
  maxSteps: 25,
  maxNewTokens: generation.maxNewTokens,
  decodeBatch: generation.batchSize,
  temperature: 1,
  learningRate: 3e-4,
  schedule: "constant",
  beta: 0.1,
  updateEpochs: 2,
  minibatches: 2,
  normaliseScores: true,
  evalEvery: 5,
  evalSamples: 4,
} as const;

/** A tiny model from random weights learns with rates some hundred times above those of a trained one. */
export const runSettings = {
  pretrain: { ...offline, epochs: 1, learningRate: 3e-3, schedule: "constant", sampleEvery: 0 },
  sft: { ...offline, epochs: 4, learningRate: 3e-3, schedule: "cosine" },
  reward: {
    batchSize: 16,
    warmupRatio: 0.05,
    logEvery: 5,
    epochs: 2,
    learningRate: 2e-3,
    schedule: "cosine",
    evalShare: 0.1,
    normalise: "unit",
  },
  ppo: { ...online, batchSize: 64, samples: 2, valueLearningRate: 1e-3 },
  /** As many answers a step as PPO. */
  rloo: { ...online, batchSize: 32, samples: 4, scaleAdvantages: true },
  grpo: { ...online, batchSize: 16, samples: 8 },
  /** Beside those of ppo. A weight of 1 would hold the policy back at first. */
  ptx: { ptxWeight: 0.25 },
  /** In place of those of ppo: nothing holds the policy, and it goes fast and far. */
  ppoWithoutKl: { beta: 0, learningRate: 1.6e-3, maxSteps: 80 },
  dpo: { ...offline, epochs: 1, batchSize: 32, learningRate: 3e-4, schedule: "linear", beta: 0.1 },
  ipo: {
    ...offline,
    epochs: 1,
    batchSize: 32,
    learningRate: 3e-4,
    schedule: "linear",
    beta: 0.1,
    loss: "ipo",
  },
  kto: { ...offline, epochs: 1, batchSize: 32, learningRate: 1.5e-4, schedule: "linear", beta: 0.1 },
} as const;
