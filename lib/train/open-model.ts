// Loads the model that a run trains, or takes the one it was given, and says what it is made of.
// Must not know an algorithm.

import type { JobOptions, TrainableModel } from "../engine/contract.js";
import { createEngine, isPeftFolder } from "../engine/index.js";
import { modelFilesHash, weightsHash } from "./fingerprint.js";
import type { SharedMetrics } from "./metrics.js";
import type { RunInputs } from "./run-types.js";
import { adapterOf, type SharedSettings } from "./settings.js";

export interface OpenModel {
  readonly model: TrainableModel;
  /** The instruction set, where this run chose the engine. */
  readonly isa: string | undefined;
  /** Of the weights before the first step, adapter included. */
  startHash(): Promise<string>;
  /** Lets go of what this run loaded; a model that was passed in stays. */
  close(): Promise<void>;
}

export async function openModel<Metrics extends SharedMetrics>(
  settings: SharedSettings,
  inputs: RunInputs<Metrics>,
  job: JobOptions,
): Promise<OpenModel> {
  const { model: given } = inputs;
  if (typeof given !== "string") {
    const startHash = () => hashOfLoaded(given);
    return { model: given, isa: undefined, startHash, close: async () => undefined };
  }
  const { device, threads, dtype } = settings;
  const adapter = adapterOf(settings);
  const engine = await createEngine({ device, ...(threads === undefined ? {} : { threads }) });
  try {
    const model = await engine.loadModel(given, {
      dtype,
      ...(adapter === undefined ? {} : { adapter }),
      ...job,
    });
    const startHash = () => hashOfFiles(given, model, adapter);
    return { model, isa: engine.isa, startHash, close: () => engine.dispose() };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

/** A new adapter begins as nothing: the base alone decides. One from a folder adds its files. */
async function hashOfFiles(path: string, model: TrainableModel, adapter: unknown): Promise<string> {
  const isAdapter = await isPeftFolder(path);
  const parts = [await modelFilesHash(isAdapter ? model.source : path)];
  if (isAdapter) parts.push(await modelFilesHash(path));
  if (typeof adapter === "string") parts.push(await modelFilesHash(adapter));
  return parts.join("+");
}

/** A model in memory may have been trained since it was loaded: its weights themselves are read. */
async function hashOfLoaded(model: TrainableModel): Promise<string> {
  const own = await weightsHash(model);
  return model.adapter === undefined ? own : `${await modelFilesHash(model.source)}+${own}`;
}
