// The one number that a model of ties learns beside the weights, by an Adam of its own in double precision.
// Must not know rows or the engine.

import { fail } from "../errors/index.js";
import type { OwnState } from "./between-steps.js";
import type { TieModel } from "./reward-rows.js";

/** Peak rate, times the schedule's multiplier: a single number may move faster than the weights. */
export const tieLearningRate = 0.01;
const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];

interface SavedTie {
  /** What Adam moves: eta (davidson), or its logarithm, so that eta stays above 0 (rao-kupper). */
  readonly position: number;
  readonly first: number;
  readonly second: number;
  readonly updates: number;
}

/**
 * eta: of davidson the logarithm of nu, of rao-kupper that of theta. It starts where answers of equal score are tied as
 * often as the rows are: nu / (2 + nu) = share, tanh(eta / 2) = share.
 */
export class TieParameter implements OwnState {
  readonly #model: TieModel;
  #state: SavedTie;

  constructor(model: TieModel, share: number) {
    this.#model = model;
    const likely = Math.min(0.95, Math.max(0.01, share));
    const eta = model === "davidson" ? Math.log((2 * likely) / (1 - likely)) : 2 * Math.atanh(likely);
    const position = model === "davidson" ? eta : Math.log(eta);
    this.#state = { position, first: 0, second: 0, updates: 0 };
  }

  get eta(): number {
    const { position } = this.#state;
    return this.#model === "davidson" ? position : Math.exp(position);
  }

  /** One step down the slope of the loss in eta. `multiplier` is the schedule's. */
  update(slope: number, multiplier: number): void {
    const { position, first, second, updates } = this.#state;
    const gradient = this.#model === "davidson" ? slope : slope * this.eta;
    const next = {
      first: beta1 * first + (1 - beta1) * gradient,
      second: beta2 * second + (1 - beta2) * gradient * gradient,
      updates: updates + 1,
    };
    const mean = next.first / (1 - beta1 ** next.updates);
    const spread = Math.sqrt(next.second / (1 - beta2 ** next.updates));
    const moved = position - (multiplier * tieLearningRate * mean) / (spread + epsilon);
    this.#state = { position: moved, ...next };
  }

  save(): SavedTie {
    return this.#state;
  }

  /** Throws ATTUNE_RESUME for what `save` did not give. */
  restore(saved: unknown): void {
    const state = saved as Partial<SavedTie> | undefined | null;
    const { position, first, second, updates } = state ?? {};
    const numbers = [position, first, second, updates];
    if (!numbers.every((value) => typeof value === "number" && Number.isFinite(value))) {
      const text = `Expected the parameter of ${this.#model} in the checkpoint but found ${JSON.stringify(saved)}.`;
      throw fail("ATTUNE_RESUME", `${text} The run before had another loss: start a new one.`);
    }
    this.#state = state as SavedTie;
  }
}
