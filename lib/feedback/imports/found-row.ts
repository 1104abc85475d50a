// What the readers of all formats find in a row: a prompt, answers, and who said what of them. Types only.

import type { RowColumns } from "../../data/index.js";
import type { Ask, FeedbackContent, JudgementValue, TextAnswer } from "../judgement.js";
import type { ImportMapping } from "./import-options.js";

export interface FoundJudgement {
  readonly by: "people" | "ai";
  /** As the file names them; undefined where it does not. */
  readonly who?: string | undefined;
  /** Whatever else tells it from others that say the same. */
  readonly key?: string | undefined;
  /** Positions as in the row's answers. */
  readonly values: readonly JudgementValue[];
  readonly activeMs?: number;
  /** Milliseconds since 1970. */
  readonly judgedAt?: number | undefined;
}

export interface FoundRow {
  readonly prompt: FeedbackContent;
  readonly answers: readonly TextAnswer[];
  /** What is asked of it; undefined: what the project asks. */
  readonly asks?: readonly Ask[];
  readonly judgements: readonly FoundJudgement[];
  readonly gold?: readonly JudgementValue[];
  readonly split?: "train" | "valid" | "test";
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Judgements that are none (drafts, cancelled ones), by why. */
  readonly passed?: readonly string[];
  /** Questions whose values are no kind of judgement. */
  readonly unused?: readonly string[];
}

export interface ReaderOptions {
  readonly mapping: ImportMapping;
  /** [least, most] of ratings. */
  readonly ratingScale: readonly [number, number];
}

/** A string: a sound row that says nothing, by why. @throws ATTUNE_DATA, ATTUNE_DATA_COLUMN with the row's place */
export type ReadRow = (row: RowColumns, options: ReaderOptions) => FoundRow | string;
