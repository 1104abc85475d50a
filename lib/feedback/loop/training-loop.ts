// The live loop: judgements come in, are predicted, become rows, train a new policy, whose answers are asked about next.
// What generates, scores and trains is handed in. What goes wrong is told, and tried again later; collecting goes on.

import { AttuneError, reasonOf } from "../../errors/index.js";
import { checkOptions, loopSettings } from "../../options/index.js";
import { LoopBoard } from "./loop-board.js";
import type { RunningLoop, StartLoop } from "./loop-options.js";
import { LoopScores } from "./loop-scores.js";
import type { LoopStage } from "./loop-status.js";
import { LoopSteps } from "./loop-steps.js";
import { LoopTurn, STANDBY_MS } from "./loop-turn.js";

/**
 * Looks at the store, and again whenever it may have changed. While another process trains the project it waits for its turn,
 * with ATTUNE_LOOP as its last error.
 * @throws ATTUNE_OPTION for settings that are none, ATTUNE_LOOP where this process has a loop of the project already
 */
export function startLoop(options: StartLoop): RunningLoop {
  const loop = new Loop(options);
  loop.wake();
  return loop;
}

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 5 * 60_000;

interface Failure {
  readonly times: number;
  /** Not tried again before. */
  readonly until: number;
}

class Loop implements RunningLoop {
  private readonly ending = new AbortController();
  private readonly board: LoopBoard;
  private readonly steps: LoopSteps;
  private readonly turn: LoopTurn;
  private readonly settleMs: number;
  private readonly clock: () => number;
  private readonly unwatch: () => void;
  private readonly failures = new Map<LoopStage, Failure>();
  private running: Promise<void> | undefined;
  private news = false;
  /** Calls of `check` that wait: nothing pauses meanwhile. */
  private checking = 0;
  /** Ends the pause before a look. */
  private hasten: () => void = () => undefined;
  private retry: NodeJS.Timeout | undefined;

  constructor(options: StartLoop) {
    const { store, project, clock = Date.now, onEvent = () => undefined } = options;
    const values = options.settings ?? {};
    const settings = checkOptions({ schema: loopSettings, command: "the loop", values });
    this.clock = clock;
    this.settleMs = settings.settleMs;
    this.board = new LoopBoard(settings.trainAfter, onEvent);
    const { signal } = this.ending;
    const scores = new LoopScores(options.score, signal);
    this.turn = new LoopTurn({ store, project, clock, onLost: () => this.wake() });
    this.steps = new LoopSteps({
      options,
      settings,
      clock,
      signal,
      scores,
      board: this.board,
      turn: this.turn,
    });
    this.unwatch = store.watch((changed) => {
      if (changed === project) this.wake();
    });
  }

  status = () => this.board.status();

  async check(): Promise<void> {
    this.failures.clear();
    this.checking += 1;
    this.wake();
    this.hasten();
    while (this.running !== undefined) await this.running;
    this.checking -= 1;
  }

  async stop(): Promise<void> {
    this.ending.abort(new AttuneError("ATTUNE_ABORTED", "The loop was stopped."));
    this.unwatch();
    clearTimeout(this.retry);
    this.hasten();
    while (this.running !== undefined) await this.running;
    await this.turn.giveUp();
    this.board.now("ended");
  }

  wake(): void {
    this.news = true;
    if (this.running !== undefined || this.ending.signal.aborted) return;
    this.running = this.run().finally(() => {
      this.running = undefined;
      if (this.news) this.wake();
    });
  }

  private async run(): Promise<void> {
    while (this.news && !this.ending.signal.aborted) {
      await this.pause();
      if (this.ending.signal.aborted) return;
      this.news = false;
      await this.look();
      this.board.now("waiting");
    }
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.checking > 0 ? 0 : this.settleMs);
      this.hasten = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** One after another; what fails keeps what hangs on it from being done, and nothing else. */
  private async look(): Promise<void> {
    const { steps } = this;
    if (!(await this.attempt("opening", () => steps.open()))) return;
    // Nothing is trained on before it was predicted.
    if (await this.attempt("predicting", () => steps.predict()))
      await this.attempt("training", () => steps.train());
    await this.attempt("scoring", () => steps.rescore());
    await this.attempt("generating", () => steps.refill());
    await this.attempt("scoring", () => steps.rescore());
    await this.attempt("opening", () => steps.count());
  }

  /** Whether it went well; false also where it waits for another try. */
  private async attempt(stage: LoopStage, step: () => Promise<void>): Promise<boolean> {
    const { signal } = this.ending;
    if (signal.aborted || (stage !== "opening" && this.board.memory === undefined)) return false;
    const failure = this.failures.get(stage);
    if (failure !== undefined && failure.until > this.clock()) return false;
    try {
      await step();
      this.failures.delete(stage);
      this.board.went(stage);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const code = error instanceof AttuneError ? error.code : "ATTUNE_INTERNAL";
      if (code === "ATTUNE_LOOP") this.waits(error);
      else this.failed(stage, code, error);
      return false;
    }
  }

  /** Another process trains: nothing else is tried before it is this one's turn, and that is told once. */
  private waits(error: unknown): void {
    this.steps.forget();
    this.failures.clear();
    const before = this.board.status().lastError;
    if (before?.code !== "ATTUNE_LOOP") this.tell("opening", "ATTUNE_LOOP", error);
    this.tryAgain("opening", STANDBY_MS);
  }

  private failed(stage: LoopStage, code: string, error: unknown): void {
    this.tell(stage, code, error);
    const times = this.failures.get(stage)?.times ?? 0;
    this.tryAgain(stage, Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** times));
  }

  private tell(stage: LoopStage, code: string, error: unknown): void {
    this.board.failed({ stage, code, message: reasonOf(error), time: this.clock() });
  }

  private tryAgain(stage: LoopStage, wait: number): void {
    const time = this.clock();
    const times = (this.failures.get(stage)?.times ?? 0) + 1;
    this.failures.set(stage, { times, until: time + wait });
    const next = Math.min(...[...this.failures.values()].map(({ until }) => until));
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.wake(), Math.max(0, next - time));
    this.retry.unref();
  }
}
