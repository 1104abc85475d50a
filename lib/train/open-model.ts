// Loads the model that a run trains, or takes the one it was given, and says what it is made of.
// Must not know an algorithm.

import type { JobOptions, TrainableModel } from "../engine/contract.js";
import { createEngine, isPeftFolder } from "../engine/index.js";
import { fail } from "../errors/index.js";
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
    const release = claim(given);
    const startHash = () => weightsHash(given);
    return { model: given, isa: undefined, startHash, close: async () => release() };
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

/** Models in memory that a run trains: gradients of two runs would mix. */
const inTraining = new WeakSet<TrainableModel>();

/** Returns what lets the model go. Throws ATTUNE_OPTION while another run has it. */
function claim(model: TrainableModel): () => void {
  if (inTraining.has(model)) {
    const text = "Expected a model that no other run trains but one is at work on it.";
    throw fail("ATTUNE_OPTION", `${text} Wait for its result, or load the model once more.`);
  }
  inTraining.add(model);
  return () => void inTraining.delete(model);
}

/** A new adapter begins as nothing: the base alone decides. One from a folder adds its files. */
async function hashOfFiles(path: string, model: TrainableModel, adapter: unknown): Promise<string> {
  const isAdapter = await isPeftFolder(path);
  const parts = [await modelFilesHash(isAdapter ? model.source : path)];
  if (isAdapter) parts.push(await modelFilesHash(path));
  if (typeof adapter === "string") parts.push(await modelFilesHash(adapter));
  return parts.join("+");
}
