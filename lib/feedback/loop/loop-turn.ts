// One loop trains a project: the first of this process, and of several processes on one PostgreSQL the one whose turn it is.
// Others wait for its end, or for its silence. Must not train or know what is written.

import { fail } from "../../errors/index.js";
import { loopTurn } from "../operations/index.js";
import { BEAT_MS, ProcessTurn, SILENT_MS } from "../process-turn.js";
import type { FeedbackStore } from "../store/store.js";

/** Projects of each store that this process has a loop of. */
const running = new WeakMap<FeedbackStore, Set<string>>();

/** A loop that waits for its turn asks again so often. */
export const STANDBY_MS = BEAT_MS;

export interface LoopTurnOptions {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly clock: () => number;
  /** The turn went to another process. */
  readonly onLost: () => void;
}

export class LoopTurn {
  private readonly turn: ProcessTurn;
  private beating: NodeJS.Timeout | undefined;

  /** @throws ATTUNE_LOOP where this process has a loop of the project already */
  constructor(private readonly own: LoopTurnOptions) {
    const { store, project, clock } = own;
    const projects = running.get(store) ?? new Set();
    if (projects.has(project)) {
      const text = `Expected one loop of the project "${project}" but this process runs one already. Stop that one first.`;
      throw fail("ATTUNE_LOOP", text);
    }
    running.set(store, projects.add(project));
    this.turn = new ProcessTurn({ store, name: loopTurn(project), clock });
  }

  /** What is written names it; undefined where no other process can have the store. */
  get owner(): string | undefined {
    return this.turn.owner;
  }

  /** Begins to give signs of life, and goes on until it ends. @throws ATTUNE_LOOP while another process has the turn */
  async take(): Promise<void> {
    if (!(await this.turn.isOurs())) throw this.taken();
    if (this.owner === undefined) return;
    // Twice as often as is due: a round may take hours, during which nothing else asks.
    this.beating ??= setInterval(() => void this.beat(), BEAT_MS / 2).unref();
  }

  private async beat(): Promise<void> {
    // A store that cannot be written now may be later; who lost the turn meanwhile is told then.
    const ours = await this.turn.isOurs().catch(() => true);
    if (!ours) this.own.onLost();
  }

  private taken() {
    const seconds = SILENT_MS / 1000;
    const text = `Expected to be the only one that trains the project "${this.own.project}" but another process does.`;
    return fail(
      "ATTUNE_LOOP",
      `${text} This one goes on when that has ended, or was silent for ${seconds} seconds.`,
    );
  }

  /** Another process has it. */
  lost(): void {
    this.turn.lost();
    clearInterval(this.beating);
    this.beating = undefined;
  }

  /** Others may begin at once. */
  async giveUp(): Promise<void> {
    const { store, project } = this.own;
    clearInterval(this.beating);
    running.get(store)?.delete(project);
    // A store that is gone keeps the turn until it counts as silent.
    await this.turn.giveUp().catch(() => undefined);
  }
}
