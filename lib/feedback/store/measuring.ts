// Asks the thread that measures, once for every state of a project: who asks again while nothing has happened gets the same
// answer, and who asks for what is being measured waits for that. Must not measure.

import type { MeasureInput, MeasureName, MeasureOutput } from "../measures.js";
import type { MeasureRequest } from "./measure-thread.js";
import type { Database } from "./tables.js";
import { ThreadCalls } from "./thread-calls.js";

export interface MeasuringOptions {
  readonly reading: Database;
  /** A file, or the URL of a database. */
  readonly place: string;
}

interface Measured {
  readonly seq: number;
  readonly result: Promise<unknown>;
  settled: boolean;
}

/** Answers that are kept; each is small, but questions differ. */
const MOST_KEPT = 50;

export class Measuring {
  private thread: ThreadCalls<MeasureRequest> | undefined;
  private readonly kept = new Map<string, Measured>();

  constructor(private readonly options: MeasuringOptions) {}

  async of<Name extends MeasureName>(
    project: string,
    name: Name,
    input: MeasureInput<Name>,
  ): Promise<MeasureOutput<Name>> {
    const key = JSON.stringify([project, name, input]);
    const seq = await this.seqOf(project);
    const known = this.kept.get(key);
    if (known !== undefined && (known.seq === seq || !known.settled))
      return known.result as Promise<MeasureOutput<Name>>;
    const result = this.ask(project, name, input);
    const measured: Measured = { seq, result, settled: false };
    this.kept.delete(key);
    this.kept.set(key, measured);
    const [oldest] = this.kept.keys();
    if (this.kept.size > MOST_KEPT && oldest !== undefined) this.kept.delete(oldest);
    result.then(
      () => {
        measured.settled = true;
      },
      () => this.kept.delete(key),
    );
    return result as Promise<MeasureOutput<Name>>;
  }

  /** What is being measured is given up. */
  async close(): Promise<void> {
    await this.thread?.abandon();
  }

  private async seqOf(project: string): Promise<number> {
    const place = await this.options.reading
      .selectFrom("sequences")
      .select("seq")
      .where("project", "=", project)
      .executeTakeFirst();
    return Number(place?.seq ?? 0);
  }

  private async ask(project: string, name: MeasureName, input: unknown): Promise<unknown> {
    this.thread ??= new ThreadCalls<MeasureRequest>({
      file: new URL("measure-thread.js", import.meta.url),
      workerData: { feedbackMeasures: this.options.place },
    });
    await this.thread.opened;
    return this.thread.ask({ kind: "measure", project, name, input });
  }
}
