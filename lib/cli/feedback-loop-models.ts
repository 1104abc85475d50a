// The models that a feedback loop generates and scores with, each loaded once while it is in use. Must not train.

import type { DType, Engine, Model } from "../engine/index.js";

export class LoopModels {
  private readonly loaded = new Map<string, Promise<Model>>();

  constructor(
    private readonly engine: Engine,
    private readonly dtype: DType,
  ) {}

  at(place: string): Promise<Model> {
    const known = this.loaded.get(place) ?? this.engine.loadModel(place, { dtype: this.dtype });
    this.loaded.set(place, known);
    // One that failed is tried again.
    known.catch(() => this.loaded.delete(place));
    return known;
  }

  /** Lets go of all others. */
  async keep(...places: readonly string[]): Promise<void> {
    for (const [place, model] of this.loaded) {
      if (places.includes(place)) continue;
      this.loaded.delete(place);
      await (await model).dispose();
    }
  }
}
