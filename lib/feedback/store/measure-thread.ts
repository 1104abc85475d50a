// Measures whole projects on a thread of its own, over a connection of its own: whoever judges meanwhile does not wait for it.
// Must not write.

import { parentPort, workerData } from "node:worker_threads";
import { type SentError, sentError } from "../../errors/index.js";
import { type MeasureName, measures } from "../measures.js";
import { openEmbeddedDatabase } from "./embedded-database.js";
import { openPostgresDatabase } from "./postgres-database.js";
import type { Database } from "./tables.js";
import { OPENED, type ThreadAnswer } from "./thread-calls.js";

export interface MeasureStart {
  /** A file, or the URL of a database. */
  readonly feedbackMeasures: string;
}

export type MeasureRequest =
  | {
      readonly id: number;
      readonly kind: "measure";
      readonly project: string;
      readonly name: MeasureName;
      readonly input: unknown;
    }
  | { readonly id: number; readonly kind: "close" };

function answer(one: ThreadAnswer): void {
  parentPort?.postMessage(one);
}

async function serve({ feedbackMeasures: place }: MeasureStart): Promise<void> {
  const reading: Database = /^postgres(ql)?:/.test(place)
    ? await openPostgresDatabase({ url: place, connections: 1 })
    : openEmbeddedDatabase({ file: place, readonly: true });
  const run = async (request: MeasureRequest): Promise<unknown> => {
    if (request.kind === "close") return reading.destroy();
    // The names tie each input to its measure where it is asked for.
    const measure = measures[request.name] as (measuring: object, input: unknown) => Promise<unknown>;
    return measure({ reading, project: request.project }, request.input);
  };
  // One after another: together they would take the memory of all.
  let last: Promise<void> = Promise.resolve();
  parentPort?.on("message", (request: MeasureRequest) => {
    last = last.then(async () => {
      try {
        answer({ id: request.id, result: await run(request) });
      } catch (error) {
        answer({ id: request.id, error: sentError(error) satisfies SentError });
      }
      if (request.kind === "close") parentPort?.close();
    });
  });
  answer({ id: OPENED });
}

// Not awaited at the top: that would keep `require("attune")` from working. What fails ends the thread with its error.
if (parentPort !== null && isStart(workerData)) void serve(workerData);

function isStart(data: unknown): data is MeasureStart {
  return typeof data === "object" && data !== null && "feedbackMeasures" in data;
}
