// What a loop is started with. Types only.

import type { LoopSettingsInput } from "../../options/index.js";
import type { ConsensusMode, ExportKind } from "../export-rows.js";
import type { FeedbackContent } from "../judgement.js";
import type { Selector } from "../selection/index.js";
import type { FeedbackStore } from "../store/store.js";
import type { LoopEvent, LoopStatus } from "./loop-status.js";
import type { LoopPolicy, LoopWork } from "./loop-work.js";

/** What a loop is started with: a store, a project, its work. */
export interface StartLoop extends LoopWork {
  readonly store: FeedbackStore;
  readonly project: string;
  /** The policy that the loop begins with. */
  readonly first: Pick<LoopPolicy, "model" | "place"> & { readonly checkpoint?: string };
  /** Where a scorer is that is there from the beginning. */
  readonly scorer?: string;
  /** Asked in this order, round and round. */
  readonly prompts: readonly FeedbackContent[];
  /** Rows that `train` reads. */
  readonly kinds: readonly ExportKind[];
  /** Default: as exports have it. */
  readonly consensus?: ConsensusMode;
  /** What is worth asking. Default: the project's selector. */
  readonly selector?: Selector;
  readonly settings?: LoopSettingsInput;
  /** Milliseconds since 1970. Default Date.now. */
  readonly clock?: () => number;
  readonly onEvent?: (event: LoopEvent) => void;
}

/** A loop that runs until it is stopped. */
export interface RunningLoop {
  status(): LoopStatus;
  /** Looks at once, also where an error made it wait, and resolves when there is nothing left to do. */
  check(): Promise<void>;
  /** Cancels what it is doing, and resolves when it has ended. What it knew is in the store. */
  stop(): Promise<void>;
}
