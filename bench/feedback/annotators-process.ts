// A process of its own in which simulated annotators judge over HTTP, each as one after another as people do; it prints what
// was acknowledged and how long calls took, as JSON. Some submissions are sent twice at once, as by a double click.
// Arguments: WorkingAnnotators as JSON. Must not see the store.

import { setTimeout } from "node:timers/promises";
import type { Lease, Submitted } from "../../lib/feedback/index.js";
import { simulatedRater } from "../../lib/feedback/simulated-rater.js";
import { type Answer, type Caller, callerOf } from "./http-calls.js";

export interface WorkingAnnotators {
  readonly port: number;
  /** One for each annotator. */
  readonly tokens: readonly string[];
  readonly seconds: number;
  /** Judgements of all together; absent: as many as they can. */
  readonly perSecond?: number;
  /** Every so many submissions one is sent twice. */
  readonly twice: number;
  /** End when the service does not answer any more, instead of failing. */
  readonly mayBreak?: boolean;
}

export interface WorkDone {
  readonly acknowledged: readonly string[];
  /** Sent twice and answered twice: with another judgement, or not at all. */
  readonly unlike: readonly string[];
  readonly skipped: number;
  /** Calls that found nothing to judge. */
  readonly empty: number;
  /** Answers that were none of those. */
  readonly refused: readonly string[];
  readonly seconds: number;
  /** Milliseconds of each call that was answered. */
  readonly next: readonly number[];
  readonly submit: readonly number[];
}

const worth = (_: unknown, answer: unknown): number => (JSON.stringify(answer).length % 7) - 3;

class Work {
  readonly acknowledged: string[] = [];
  readonly unlike: string[] = [];
  readonly refused: string[] = [];
  readonly next: number[] = [];
  readonly submit: number[] = [];
  skipped = 0;
  empty = 0;

  constructor(private readonly options: WorkingAnnotators) {}

  async annotator(number: number, until: number): Promise<void> {
    const { port, tokens, perSecond, seconds } = this.options;
    const caller = callerOf(port, tokens[number] ?? "");
    const rater = simulatedRater({ seed: 7, number, worth, skips: 0.02 });
    const every = perSecond === undefined ? 0 : (1000 * tokens.length) / perSecond;
    const began = until - 1000 * seconds;
    try {
      for (let turn = 0; ; turn++) {
        // Not all in the same moment.
        const due = began + every * (turn + number / tokens.length);
        if (due > performance.now()) await setTimeout(due - performance.now());
        if (performance.now() >= until) return;
        const found = await caller.call("/v1/next");
        if (found.status === 204) {
          this.empty += 1;
          await setTimeout(20);
        } else if (this.accepted(found)) {
          this.next.push(found.milliseconds);
          const lease = found.body as Lease;
          const rated = rater.judge(lease);
          if (rated === null) await this.skip(caller, lease);
          else
            await this.judge(caller, { lease: lease.lease, ...rated, keysUsed: true }, `${number}-${turn}`);
        }
      }
    } catch (error) {
      if (this.options.mayBreak !== true) throw error;
    } finally {
      caller.close();
    }
  }

  private async skip(caller: Caller, { lease }: Lease): Promise<void> {
    if (this.accepted(await caller.call("/v1/skips", { body: { lease, reason: "other" } })))
      this.skipped += 1;
  }

  private async judge(caller: Caller, body: unknown, key: string): Promise<void> {
    const send = () =>
      caller.call("/v1/judgements", { body, headers: { "idempotency-key": `${process.pid}-${key}` } });
    const again = this.submit.length % this.options.twice === this.options.twice - 1 ? send() : undefined;
    const answer = await send();
    if (!this.accepted(answer)) return;
    const { judgement } = answer.body as Submitted;
    this.submit.push(answer.milliseconds);
    this.acknowledged.push(judgement);
    const other = (await again)?.body as Submitted | undefined;
    if (other !== undefined && other.judgement !== judgement)
      this.unlike.push(`${judgement} ${JSON.stringify(other)}`);
  }

  private accepted({ status, body }: Answer): boolean {
    if (status < 300) return true;
    this.refused.push(`${status} ${JSON.stringify(body)}`);
    return false;
  }
}

async function main(options: WorkingAnnotators): Promise<void> {
  const work = new Work(options);
  const began = performance.now();
  const until = began + 1000 * options.seconds;
  await Promise.all(options.tokens.map((_, number) => work.annotator(number, until)));
  const { acknowledged, unlike, refused, next, submit, skipped, empty } = work;
  const seconds = (performance.now() - began) / 1000;
  const done: WorkDone = { acknowledged, unlike, refused, next, submit, skipped, empty, seconds };
  process.stdout.write(JSON.stringify(done));
}

main(JSON.parse(process.argv[2] ?? "{}") as WorkingAnnotators).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
