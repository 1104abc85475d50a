// The shape of a model's configuration, as native code takes it. Types only; reading them is model-config.ts.

export interface RopeScaling {
  readonly factor: number;
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  readonly originalMaxPositions: number;
}

/** Mirrors native/model/config.h. */
export interface ModelConfig {
  readonly family: "llama" | "gpt2";
  readonly vocabulary: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  readonly mlpWidth: number;
  readonly maxPositions: number;
  readonly normEpsilon: number;
  readonly ropeBase: number;
  /** Llama 3's; undefined = none. */
  readonly ropeScaling: RopeScaling | undefined;
  /** Sliding window, 0 = none. */
  readonly window: number;
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  readonly qkNorm: boolean;
  readonly tied: boolean;
  /** Sequence classification: scores (labels) in place of the LM head; 0 = a language model. */
  readonly scoreHeads: number;
  /** GGUF of the llama architecture: rows of q and k lie as adjacent rotary pairs. */
  readonly ggufRopePairs: boolean;
}

export type Json = Readonly<Record<string, unknown>>;

export interface ModelDescription {
  readonly config: ModelConfig;
  /** What native code opens: the folder or the file. */
  readonly weights: string;
  /** config.json of the model, as it is or made from GGUF metadata. */
  readonly json: Json;
}
