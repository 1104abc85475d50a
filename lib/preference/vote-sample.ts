// Bootstrap samples of votes that know whose votes they are: annotators are drawn, and then of each the prompts that they have
// judged. Resampling single votes would be too sure: the votes of one annotator go together. Pure.

import { groupedBy } from "./grouped.js";
import { drawsOf, type RandomWords } from "./random-draws.js";

export interface SampledVote {
  /** Numbers from 0. */
  readonly annotator: number;
  readonly prompt: number;
  /** Default 1. */
  readonly weight?: number;
}

export interface SampleVotes {
  readonly votes: readonly SampledVote[];
  /** [votes] votes that say the same are of one cell. */
  readonly cellOf: Int32Array;
  readonly cells: number;
  readonly words: RandomWords;
}

export class VoteSamples {
  private readonly cells: number;
  private readonly words: RandomWords;
  /** [people + 1] where each annotator's prompts begin; [prompts + 1] where the votes of each begin. */
  private readonly people: Int32Array;
  private readonly prompts: Int32Array;
  /** [votes] by annotator and prompt. */
  private readonly cellOf: Int32Array;
  private readonly weights: Float64Array;

  constructor({ votes, cellOf, cells, words }: SampleVotes) {
    this.cells = cells;
    this.words = words;
    const people = [...groupedBy(votes.keys(), (vote) => votes[vote]?.annotator).values()];
    const prompts = people.map((own) => [...groupedBy(own, (vote) => votes[vote]?.prompt).values()]);
    const order = Int32Array.from(prompts.flat(2));
    this.people = startsOf(prompts.map((own) => own.length));
    this.prompts = startsOf(prompts.flat().map((own) => own.length));
    this.cellOf = order.map((vote) => cellOf[vote] ?? 0);
    this.weights = Float64Array.from(order, (vote) => votes[vote]?.weight ?? 1);
  }

  /** [cells] summed weights of a sample: as many annotators as there are, and of each as many prompts as they have judged. */
  sample(number: number): Float64Array {
    const { people, prompts, cellOf, weights } = this;
    const draw = drawsOf(this.words, number);
    const sums = new Float64Array(this.cells);
    for (let person = 1; person < people.length; person++) {
      const drawn = draw(people.length - 1);
      const [first, end] = [people[drawn] ?? 0, people[drawn + 1] ?? 0];
      for (let prompt = first; prompt < end; prompt++) {
        const other = first + draw(end - first);
        for (let vote = prompts[other] ?? 0; vote < (prompts[other + 1] ?? 0); vote++) {
          const cell = cellOf[vote] ?? 0;
          sums[cell] = (sums[cell] ?? 0) + (weights[vote] ?? 0);
        }
      }
    }
    return sums;
  }
}

function startsOf(lengths: readonly number[]): Int32Array {
  const starts = new Int32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) starts[i + 1] = (starts[i] ?? 0) + length;
  return starts;
}
