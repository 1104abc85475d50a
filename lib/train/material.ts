// What a run learns from, as the parts of it see that know no algorithm: rows of judgements, or prompts.
// Types only.

import type { RowCounts, StepRows } from "../data/index.js";
import type { TrainableModel } from "../engine/contract.js";
import type { Tokenizer } from "../text/index.js";

/** Bounds on the largest micro-batch of a run. */
export interface LargestBatch {
  /** Trunk rows. */
  readonly rows: number;
  readonly targets: number;
}

/** `Own`: what a loop finds of it in its workplace. */
export interface Material<Own> {
  readonly counts: RowCounts;
  readonly evaluationCounts: RowCounts | undefined;
  readonly tokenizer: Tokenizer;
  /** Hashes of what decides the result, by the names that messages use. */
  readonly identity: Readonly<Record<string, string>>;
  /** SHA-256 of the files by path, those that were loaded since included. */
  readonly files: Readonly<Record<string, string>>;
  /** Rows of a pass. */
  readonly rowCount: number;
  /** Steps of all epochs. */
  readonly steps: number;
  /** Rows that are measured; undefined without evaluation. */
  readonly evaluationCount: number | undefined;
  readonly largest: LargestBatch;
  /** Bytes that further models of the run will take beyond what they hold now, by the names that messages use. */
  readonly further?: readonly (readonly [name: string, bytes: number])[];
  /** Bytes of a checkpoint's further files. */
  readonly stateBytes?: number;
  /** What somebody should know before the first step. */
  readonly warnings: readonly string[];
  readonly own: Own;
  /** The rows of each step from `from` on, which is counted from 0. */
  plan(from: number): Generator<StepRows>;
  /** Of rows that are measured, else of those trained on: the first prompts, each once, that leave room for an answer. */
  samplePrompts(count: number): readonly Int32Array[];
  close(): void | Promise<void>;
}

/** What opening it may use. */
export interface OpenedModel {
  readonly model: TrainableModel;
  /** Tokens of a row. */
  readonly maxLength: number;
  /** What a template that asks for the date is told. */
  readonly date: Date;
  readonly signal: AbortSignal;
  readonly warn: (text: string) => void;
}

export type OpenMaterial<Own> = (opened: OpenedModel) => Promise<Material<Own>>;
