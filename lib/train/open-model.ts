// Loads the model that a run trains, or takes the one it was given, and says what it is made of.
// Must not know an algorithm.

import type { AdapterOptions, JobOptions, ScoreHeadOptions, TrainableModel } from "../engine/contract.js";
import { createEngine, isPeftFolder } from "../engine/index.js";
import { readModelConfig } from "../engine/model-config.js";
import { type AttuneError, fail } from "../errors/index.js";
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

/** The head of a language model that is to score answers; a model that scores already keeps its own. */
export interface NewScoreHead {
  /** Undefined: not asked for. */
  readonly init: ScoreHeadOptions["init"] | undefined;
  readonly heads: number | undefined;
  /** How many a language model gets where `heads` is undefined. */
  readonly usualHeads: number;
  readonly seed: number;
}

export interface OpenModelRequest<Metrics extends SharedMetrics> {
  readonly settings: SharedSettings;
  readonly inputs: RunInputs<Metrics>;
  readonly job: JobOptions;
  /** Is told why the CPU is used where a GPU is. */
  readonly warn: (message: string) => void;
  /** What the model must do: score answers, with this head where it has none; undefined: predict tokens. */
  readonly scoring?: NewScoreHead | undefined;
}

/** @throws ATTUNE_MODEL for a model that does something else than it must */
export async function openModel<Metrics extends SharedMetrics>(
  request: OpenModelRequest<Metrics>,
): Promise<OpenModel> {
  const { settings, inputs, job, warn, scoring } = request;
  const { model: given } = inputs;
  if (typeof given !== "string") {
    requireRole(given, scoring);
    const release = claim(given);
    const startHash = () => weightsHash(given);
    return { model: given, isa: undefined, startHash, close: async () => release() };
  }
  const { device, threads, dtype } = settings;
  const adapter = adapterOf(settings);
  const scoreHead = scoring === undefined ? undefined : await newHead(given, adapter, scoring);
  const logger = { warn };
  const engine = await createEngine({ device, logger, ...(threads === undefined ? {} : { threads }) });
  try {
    const model = await engine.loadModel(given, {
      dtype,
      ...(adapter === undefined ? {} : { adapter }),
      ...(scoreHead === undefined ? {} : { scoreHead }),
      ...job,
    });
    requireRole(model, scoring, typeof adapter === "string" ? adapter : given);
    const startHash = () => hashOfFiles(given, model, adapter);
    return { model, isa: engine.isa, startHash, close: () => engine.dispose() };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

/** What a language model gets in place of its LM head; undefined where the model at `path` brings a head that scores. */
async function newHead(
  path: string,
  adapter: AdapterOptions | string | undefined,
  { init, heads, usualHeads, seed }: NewScoreHead,
): Promise<ScoreHeadOptions | undefined> {
  const adapterFolder = typeof adapter === "string" ? adapter : (await isPeftFolder(path)) ? path : undefined;
  if (adapterFolder === undefined && (await readModelConfig({ path })).config.scoreHeads === 0)
    return { init: init ?? "normal", heads: heads ?? usualHeads, seed };
  const given = init !== undefined ? "head-init" : heads !== undefined ? "heads" : undefined;
  if (given === undefined) return undefined;
  const text = `Expected no ${given} here: ${adapterFolder ?? path} brings its own head, which training goes on with.`;
  throw fail("ATTUNE_OPTION", `${text} Leave it out, or start from a language model.`, {
    details: { option: given },
  });
}

/** `path`: what was given as model or adapter. Throws ATTUNE_MODEL before anything is written. */
function requireRole(model: TrainableModel, scoring: NewScoreHead | undefined, path = model.source): void {
  if (scoring === undefined && model.scoreHeads > 0)
    throw wrongRole(
      path,
      "a model that predicts tokens but this one scores answers (a reward model)",
      "Start from a language model; a reward model is trained further by attune reward.",
    );
  if (scoring !== undefined && model.scoreHeads === 0)
    throw wrongRole(
      path,
      "a model or an adapter with a head that scores but this one predicts tokens",
      "Give the model's path instead of a loaded model, load it with scoreHead, or begin a new adapter with adapter-rank " +
        "(an adapter of a policy becomes part of a model with attune convert).",
    );
}

function wrongRole(path: string, what: string, advice: string): AttuneError {
  return fail("ATTUNE_MODEL", `Expected ${what}: ${path}. ${advice}`, { details: { path } });
}

/** Models in memory that a run trains: gradients of two runs would mix. */
const inTraining = new WeakSet<TrainableModel>();

/** Takes a model for one run. Returns what lets it go. Throws ATTUNE_OPTION while another run has it. */
export function claim(model: TrainableModel): () => void {
  if (inTraining.has(model)) {
    const text = "Expected a model that no other run trains but one is at work on it.";
    throw fail("ATTUNE_OPTION", `${text} Wait for its result, or load the model once more.`);
  }
  inTraining.add(model);
  return () => void inTraining.delete(model);
}

/** A new adapter begins as nothing: the base alone decides. One from a folder adds its files. */
export async function hashOfFiles(path: string, model: TrainableModel, adapter: unknown): Promise<string> {
  const isAdapter = await isPeftFolder(path);
  const parts = [await modelFilesHash(isAdapter ? model.source : path)];
  if (isAdapter) parts.push(await modelFilesHash(path));
  if (typeof adapter === "string") parts.push(await modelFilesHash(adapter));
  return parts.join("+");
}
