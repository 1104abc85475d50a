// The files of one case below model/: sequences, masks, tensors and figures, as README.md there defines them.
// Must not import the library.

import { existsSync } from "node:fs";
import type { WholeSequence } from "../support/oracle-batch.js";
import { oraclePath, readOracleJson } from "../support/oracle-folder.js";
import { TensorFile } from "../support/safetensors-reader.js";

/** torch's own distance from the float64 values. */
export interface TorchErrors {
  readonly logits_max_abs?: number;
  readonly logits_mean_abs?: number;
  readonly logits_rel_l2?: number;
  readonly scores_all_max_abs?: number;
  readonly scores_all_mean_abs?: number;
  readonly scores_all_rel_l2?: number;
  readonly grad_rel_l2_all: number;
  readonly grad_rel_l2: Readonly<Record<string, number>>;
}

export interface AdamWRun {
  readonly steps: number;
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weight_decay: number;
  readonly max_grad_norm: number;
  readonly losses: readonly number[];
  readonly grad_norms: readonly number[];
  readonly loss_after: number;
  readonly decayed: readonly string[];
  readonly not_decayed: readonly string[];
  readonly final: Readonly<Record<string, { l2: number; sum: number; first4: readonly number[] }>>;
}

interface SharedFigures {
  readonly loss: number;
  readonly grad_norm: number;
  readonly adamw: AdamWRun;
  readonly torch_bf16: TorchErrors;
}

export interface LanguageFigures extends SharedFigures {
  readonly num_targets: number;
  readonly seq_logps: readonly number[];
  readonly greedy?: readonly { readonly prompt: readonly number[]; readonly ids: readonly number[] }[];
  readonly temperature?: {
    readonly prompt: readonly number[];
    readonly continuation: readonly number[];
    readonly temperature: number;
    readonly logps: readonly number[];
    readonly logps_at_1: readonly number[];
  };
}

export interface RewardFigures extends SharedFigures {
  readonly scores: readonly number[];
  readonly chosen: number;
  readonly rejected: number;
}

/** Figures of one scaling of an adapter. */
export interface AdapterVariant {
  readonly loss: number;
  readonly grad_norm: number;
  readonly adamw: AdamWRun;
  readonly merged: Readonly<Record<string, { readonly l2: number; readonly sum: number }>>;
}

export interface AdapterFigures extends SharedFigures, AdapterVariant {
  readonly num_targets: number;
  /** The base's folder, from the case's. */
  readonly base: string;
  readonly rslora?: AdapterVariant;
}

/** What kind of case a folder holds, told from its files. */
export type ModelCaseKind = "language" | "reward" | "real" | "adapter" | "none";

export function modelCaseKind(name: string): ModelCaseKind {
  const has = (file: string) => existsSync(oraclePath("model", name, file));
  if (!has("expected.json")) return "none";
  if (has("adapter_config.json")) return "adapter";
  const content = readOracleJson<Readonly<Record<string, unknown>>>("model", name, "expected.json");
  if ("texts" in content) return "real";
  return "scores" in content ? "reward" : "language";
}

/** Sequences, masks and tensors of a case with random weights. */
export class ExpectedModel<Figures extends SharedFigures> {
  readonly figures: Figures;
  readonly tensors: TensorFile;
  readonly folder: string;

  constructor(readonly name: string) {
    this.figures = readOracleJson<Figures>("model", name, "expected.json");
    this.tensors = new TensorFile(oraclePath("model", name, "expected.safetensors"));
    this.folder = oraclePath("model", name);
  }

  /** The sequences' first rows, and the number of all rows: [sequences + 1]. */
  get offsets(): Int32Array {
    return this.tensors.integers("offsets");
  }

  /** One per sequence, with the positions to be scored chosen by `choose`. */
  sequences(
    choose: (tokens: Int32Array, targetMask: Int32Array) => WholeSequence["scored"],
  ): readonly WholeSequence[] {
    const ids = this.tensors.integers("input_ids");
    const mask = this.tensors.integers("target_mask");
    const { offsets } = this;
    return Array.from({ length: offsets.length - 1 }, (_, sequence) => {
      const [first, end] = [offsets[sequence] ?? 0, offsets[sequence + 1] ?? 0];
      const tokens = ids.slice(first, end);
      return { tokens, scored: choose(tokens, mask.slice(first, end)) };
    });
  }

  /** Gradients by the parameters' names. */
  get gradients(): ReadonlyMap<string, Float64Array> {
    const names = this.tensors.names.filter((name) => name.startsWith("grad."));
    return new Map(names.map((name) => [name.slice("grad.".length), this.tensors.values(name)]));
  }

  get hasOlderConfig(): boolean {
    return existsSync(oraclePath("model", this.name, "config.v4.json"));
  }
}
