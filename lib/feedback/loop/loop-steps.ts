// What a loop does, step by step: opens what it knew, predicts, trains, scores, refills. Each step can be done again.
// Must not decide when.

import { fail } from "../../errors/index.js";
import type { LoopSettings } from "../../options/index.js";
import type { KeptPrediction } from "../operations/loop.js";
import { SKIP_COST } from "../operations/skip.js";
import { prioritiesOf, type ScoredItem } from "../selection/index.js";
import { type GatheredRows, gatherRows } from "./gather-rows.js";
import { afterContest, goldContest } from "./gold-contest.js";
import type { LoopBoard } from "./loop-board.js";
import { LoopFacts } from "./loop-facts.js";
import { type LoopMemory, noLag, policyOf, readLoopMemory, versionOf } from "./loop-memory.js";
import type { StartLoop } from "./loop-options.js";
import type { LoopScores } from "./loop-scores.js";
import type { LoopStopped } from "./loop-status.js";
import type { LoopTurn } from "./loop-turn.js";
import { newVotes } from "./new-votes.js";
import { openPairs, skipCounts } from "./open-pairs.js";
import { predictVotes } from "./predict-votes.js";
import { predictionSums } from "./prequential.js";
import { refill } from "./refill.js";
import { afterRound, firstMemory, trainRequest } from "./round.js";

export interface LoopStepsOptions {
  readonly options: StartLoop;
  readonly settings: LoopSettings;
  readonly clock: () => number;
  readonly signal: AbortSignal;
  readonly scores: LoopScores;
  readonly board: LoopBoard;
  readonly turn: LoopTurn;
}

/** Priorities of one event. */
const PRIORITIES_AT_ONCE = 5_000;

export class LoopSteps {
  private readonly facts: LoopFacts;
  /** What was scored last: by what, and how many items there were. */
  private scored = "";
  /** The number of the policy for which stale items were closed. */
  private closedFor = -1;

  constructor(private readonly own: LoopStepsOptions) {
    this.facts = new LoopFacts(own.options.store.reading, own.options.project);
  }

  private get memory(): LoopMemory {
    const { memory } = this.own.board;
    if (memory === undefined) throw new Error("the loop was not opened");
    return memory;
  }

  private async save(memory: LoopMemory, predictions: readonly KeptPrediction[] = []): Promise<void> {
    const { store, project } = this.own.options;
    const { owner } = this.own.turn;
    await store.write(project, "saveLoop", {
      memory,
      predictions,
      ...(owner === undefined ? {} : { owner }),
    });
    this.own.board.memory = memory;
  }

  /** Another process goes on: what is known here grows old. */
  forget(): void {
    this.own.turn.lost();
    this.own.board.memory = undefined;
    this.scored = "";
    this.closedFor = -1;
  }

  /**
   * What the store knows of an earlier loop, or a new one.
   * @throws ATTUNE_OPTION where that began elsewhere, ATTUNE_LOOP while another process trains
   */
  async open(): Promise<void> {
    const { options, settings, board, turn } = this.own;
    await turn.take();
    if (board.memory !== undefined) return;
    const { store, project, first } = options;
    const known = await readLoopMemory(store.reading, project);
    const begun = known?.policies[0]?.place;
    if (begun !== undefined && begun !== first.place) {
      const text = `Expected the policy that the project's loop began with, ${begun}, but received ${first.place}.`;
      throw fail("ATTUNE_OPTION", `${text} Give that one, or another project.`);
    }
    if (known === undefined) await this.save(await firstMemory(options));
    else board.memory = settings.stopRule ? known : { ...known, stopped: null, below: 0 };
    board.predicted(await predictionSums(store.reading, project), { all: true });
    await this.lookAtContest();
  }

  /** Says of votes that came since how likely they were, before anything is trained on them. */
  async predict(): Promise<void> {
    const { options, scores, board } = this.own;
    const { store, project } = options;
    const { memory } = this;
    const votes = await newVotes(store.reading, project, memory.predictedSeq);
    const last = votes.at(-1);
    if (last === undefined) return;
    board.now("predicting");
    const version = versionOf(memory);
    const predictions = await predictVotes({
      reading: store.reading,
      project,
      votes,
      trainedSeq: memory.trainedSeq,
      version,
      score: (open) =>
        scores.of(
          memory,
          open.map(({ item }) => item),
        ),
    });
    const lag = await this.facts.lagWith(memory.lag, votes);
    await this.save({ ...memory, predictedSeq: last.judgement.seq, lag }, predictions);
    await this.lookAtContest();
    if (predictions.length === 0) return;
    board.predicted(await predictionSums(store.reading, project, version), { all: false });
    board.tell({
      type: "predicted",
      votes: predictions.length,
      prequential: board.status().prequential,
    });
  }

  private async lookAtContest(): Promise<void> {
    const { serving: policy, best: against, trainedSeq: since } = this.memory;
    const { store, project } = this.own.options;
    this.own.board.contest =
      policy === against
        ? null
        : await goldContest({ reading: store.reading, project, policy, against, since });
  }

  /** A round, where enough has come. */
  async train(): Promise<void> {
    const { options, settings, signal, board, clock, turn } = this.own;
    const { store, project } = options;
    if (this.memory.stopped !== null) return;
    if ((await this.facts.waiting(this.memory.trainedSeq)) < settings.trainAfter) return;
    board.now("training");
    await this.judgeServing();
    const { memory } = this;
    if (memory.stopped !== null) return;
    const began = clock();
    const round = memory.rounds.length + 1;
    const rows = await this.markedRows(round);
    // Ties alone, for one, are no rows: nothing to train on, and nothing that waits.
    if (rows.training.fresh === 0)
      return this.save({ ...memory, trainedSeq: memory.predictedSeq, lag: noLag });
    const request = trainRequest({ options, settings, memory, rows, round, signal });
    const trained = await options.train(request);
    signal.throwIfAborted();
    // Another process that has begun meanwhile registers policies of its own.
    await turn.take();
    const { memory: next, record } = await afterRound({
      ...{ store, project, settings, memory, request, trained, began, ended: clock() },
      numbers: await this.facts.policyNumbers(),
    });
    await this.save(next);
    board.predicted(await predictionSums(store.reading, project), { all: true });
    await this.lookAtContest();
    board.tell({ type: "round", round: record });
    if (next.stopped !== null) board.tell({ type: "stopped", stopped: next.stopped });
  }

  /** Rows of a round, each marked as given out, as those of exports are: who takes one back later is told of by name. */
  private async markedRows(round: number): Promise<GatheredRows> {
    const { options, settings } = this.own;
    const { store, project, kinds, consensus } = options;
    const { trainedSeq, predictedSeq } = this.memory;
    const { maxLag } = await this.facts.settings();
    for (;;) {
      const rows = await gatherRows({
        ...{ reading: store.reading, project, kinds, consensus, settings },
        ...{ maxLag, round, trainedSeq, predictedSeq },
      });
      const given = [...rows.training.rows, ...rows.validation].flatMap(({ source }) => source);
      const judgements = [...new Set(given)];
      const { withdrawn } = await store.write(project, "recordExport", { judgements });
      // Without one that was taken back meanwhile the rows are others.
      if (withdrawn.length === 0) return rows;
    }
  }

  /** What people said of the policy that is asked about, beside the best one: a better one is the best from now on. */
  private async judgeServing(): Promise<void> {
    const { settings, board, clock } = this.own;
    const { memory } = this;
    if (memory.serving === memory.best) return;
    await this.lookAtContest();
    // Once for each policy, however often its round is tried.
    if (board.contest === null || memory.judged === memory.serving) return;
    const { best, below, stop } = afterContest(memory, board.contest, settings.goldVotes);
    const stopped: LoopStopped | null =
      stop && settings.stopRule ? { reason: "gold", round: memory.rounds.length, time: clock() } : null;
    const serving = stopped === null ? memory.serving : best;
    await this.save({ ...memory, best, below, judged: memory.serving, stopped, serving });
    if (stopped !== null) board.tell({ type: "stopped", stopped });
  }

  /** Tells the store what is worth asking, where something has changed. */
  async rescore(): Promise<void> {
    const { options, scores, board } = this.own;
    const { store, project } = options;
    const { memory } = this;
    const now = `${versionOf(memory)} ${await this.facts.items()}`;
    if (now === this.scored) return;
    const selector = options.selector ?? (await this.facts.settings()).selector;
    // Nothing to be scored for; what another selector said before is taken back once.
    if (selector === "random" && this.scored !== "") return;
    const open = await openPairs(store.reading, project);
    board.now("scoring");
    const known = selector === "random" ? new Map() : await scores.of(memory, open);
    if (known !== undefined && open.length > 0) {
      scores.keep(open);
      const items = open.map(
        ({ item, promptHash }): ScoredItem => ({ item, promptHash, ...(known.get(item) ?? { heads: [] }) }),
      );
      const skips = await skipCounts(store.reading, project);
      const { bound } = scores;
      const priorities = prioritiesOf({ selector, items, bound, skips, skipCost: SKIP_COST });
      for (let from = 0; from < priorities.length; from += PRIORITIES_AT_ONCE)
        await store.write(project, "prioritise", {
          priorities: priorities.slice(from, from + PRIORITIES_AT_ONCE),
        });
      board.tell({ type: "prioritised", items: items.length });
    }
    this.scored = now;
  }

  /** Answers of the newest policy, where fewer than half of the queue are left. */
  async refill(): Promise<void> {
    const { options, settings, signal, board } = this.own;
    const { store, project, prompts, generate } = options;
    const { memory } = this;
    const closed = await this.closeStale();
    const { openOfNewest } = await this.facts.open(memory.serving);
    const { queue, answers, seed } = settings;
    if (prompts.length === 0 || queue === 0 || openOfNewest > queue / 2) {
      if (closed > 0) board.tell({ type: "items", added: 0, equal: 0, closed });
      return;
    }
    board.now("generating");
    const count = queue - openOfNewest;
    const done = await refill({ store, project, memory, prompts, count, answers, seed, generate, signal });
    await this.save({ ...this.memory, prompts: memory.prompts + done.asked });
    board.tell({ type: "items", added: done.added, equal: done.equal, closed });
    if (done.equal < count) return;
    const text = `Expected answers that differ but those to all of ${count} prompts came out equal.`;
    throw fail("ATTUNE_DATA", `${text} Raise the temperature of the answers.`);
  }

  private async closeStale(): Promise<number> {
    const { options, settings } = this.own;
    const { store, project } = options;
    const newest = policyOf(this.memory, this.memory.serving).number;
    if (!settings.closeStale || newest === this.closedFor) return 0;
    const { maxLag } = await this.facts.settings();
    const numbers = await this.facts.policyNumbers();
    let closed = 0;
    for (const { item, taken, policies } of await openPairs(store.reading, project)) {
      const oldest = Math.min(...policies.map((policy) => numbers.get(policy) ?? newest));
      if (taken > 0 || policies.length === 0 || newest - oldest <= maxLag) continue;
      await store.write(project, "closeItem", { item });
      closed += 1;
    }
    this.closedFor = newest;
    return closed;
  }

  /** For the status. */
  async count(): Promise<void> {
    const { serving, trainedSeq } = this.memory;
    const waiting = await this.facts.waiting(trainedSeq);
    this.own.board.counts = { waiting, ...(await this.facts.open(serving)) };
  }
}
