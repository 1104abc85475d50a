// What the engine's side of a feedback loop is made of. Types only.

import type { AdapterOptions, DType, Engine, EngineOptions } from "../engine/index.js";
import type { AnswerOptions } from "../evaluate/index.js";
import type { FeedbackContent, FeedbackStore, LoopEvent, Selector } from "../feedback/index.js";
import type { LoopSettingsInput } from "../options/index.js";
import type { DpoOptions, KtoOptions, PpoOptions, RewardOptions } from "../train/index.js";

export const loopTrainers = ["dpo", "reward+ppo", "kto"] as const;
export type LoopTrainer = (typeof loopTrainers)[number];

/** What the loop decides itself. */
type Decided = "model" | "data" | "evalData" | "output" | "seed" | "signal";

/** Settings of the trainers, beside what the loop decides. */
export interface TrainerSettings {
  readonly dpo?: Omit<DpoOptions, Decided>;
  readonly kto?: Omit<KtoOptions, Decided>;
  readonly reward?: Omit<RewardOptions, Decided>;
  readonly ppo?: Omit<PpoOptions, Decided | "rewardModel">;
}

export interface CreateTrainingLoop {
  readonly store: FeedbackStore;
  readonly project: string;
  /** Hugging Face folder or GGUF file to start from. */
  readonly policy: string;
  /**
   * A reward model to predict judgements by and to choose questions with; each round trains it further. Without one, dpo and
   * kto predict by the policy itself, and reward+ppo makes one of the policy in its first round.
   */
  readonly reward?: string;
  readonly train: LoopTrainer;
  /** Folder of the rounds: OUTPUT/round-1/policy and so on. */
  readonly output: string;
  readonly prompts: readonly FeedbackContent[];
  /** An engine that is there already, and stays; default: one of its own. */
  readonly engine?: Engine;
  readonly engineOptions?: EngineOptions;
  /** Default "fp32". */
  readonly dtype?: DType;
  /** Rounds train an adapter instead of all weights. */
  readonly adapter?: AdapterOptions;
  /** Heads of a reward model that reward+ppo makes. Default 5: an ensemble, which can disagree. */
  readonly heads?: number;
  /** How answers are sampled. Default: 256 new tokens at temperature 1. */
  readonly generation?: AnswerOptions;
  readonly trainers?: TrainerSettings;
  readonly settings?: LoopSettingsInput;
  readonly selector?: Selector;
  /** Milliseconds since 1970. Default Date.now. */
  readonly clock?: () => number;
  readonly onEvent?: (event: LoopEvent) => void;
}

/** Of the wiring: what all its parts have at hand. */
export interface LoopPlace {
  readonly engine: Engine;
  readonly options: CreateTrainingLoop;
}
