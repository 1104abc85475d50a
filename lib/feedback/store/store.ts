// What both databases are to the service. Types only.

import type { MeasureInput, MeasureName, MeasureOutput } from "../measures.js";
import type { OperationInput, OperationName, OperationOutput } from "../operations/index.js";
import type { Database } from "./tables.js";

/** A store of projects: one file of this process, or a PostgreSQL database. */
export interface FeedbackStore {
  readonly kind: "embedded" | "postgres";
  /**
   * Changes a project; answers when what changed is on the disk.
   * @throws what the operation does; ATTUNE_STORE when the store cannot be written (any more)
   */
  write<Name extends OperationName>(
    project: string,
    name: Name,
    input: OperationInput<Name>,
  ): Promise<OperationOutput<Name>>;
  /** For queries. */
  readonly reading: Database;
  /** Finds something out about a whole project, on a thread of its own; kept until something happens in the project. */
  measure<Name extends MeasureName>(
    project: string,
    name: Name,
    input: MeasureInput<Name>,
  ): Promise<MeasureOutput<Name>>;
  /** `listener` hears that a project may have new events; what ends it is its result. */
  watch(listener: (project: string) => void): () => void;
  /** A copy of the whole store as it is at one moment, while it is in use; embedded stores only. */
  backup(file: string): Promise<void>;
  /** Folds all logs again; the number of events. */
  rebuild(): Promise<number>;
  /** Settles what was begun. */
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Milliseconds since 1970. Default Date.now. */
  readonly clock?: () => number;
}
