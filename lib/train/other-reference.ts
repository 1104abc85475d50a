// Another model as the frozen reference of a run, in place of the trained one's start: loaded, or taken as it was given, and
// compared with the model it is to measure. Must not know an algorithm.

import type { FrozenModel, JobOptions, TrainableModel } from "../engine/contract.js";
import { createEngine } from "../engine/index.js";
import { AttuneError, fail } from "../errors/index.js";
import { differingToken, loadTokenizer, type Tokenizer } from "../text/index.js";
import { weightsHash } from "./fingerprint.js";
import { warnUnlessOffloaded } from "./frozen-start.js";
import { hashOfFiles } from "./open-model.js";
import type { SharedSettings } from "./settings.js";

export interface OtherReference {
  readonly model: FrozenModel;
  /** Of its weights; undefined for a frozen copy, whose weights cannot be read: nothing is cached under it. */
  readonly hash: string | undefined;
  /** Lets go of what was loaded; a model that was passed in stays. */
  close(): Promise<void>;
}

export interface OpenReference {
  readonly reference: string | FrozenModel;
  /** The model that is trained. */
  readonly model: TrainableModel;
  readonly tokenizer: Tokenizer;
  readonly settings: Pick<SharedSettings, "device" | "threads">;
  /** Whether the host is to keep the weights of one that is loaded. */
  readonly offload: boolean;
  readonly warn: (message: string) => void;
  readonly job: JobOptions;
}

/** @throws ATTUNE_OPTION for what is no model, ATTUNE_MODEL for another vocabulary or a head that scores */
export async function openReference(request: OpenReference): Promise<OtherReference> {
  const { reference, model, settings, offload, warn, job } = request;
  if (typeof reference !== "string") {
    requireFrozen(reference, model);
    requireSameVocabulary(reference, model, "the reference");
    const hash = isTrainable(reference) ? await weightsHash(reference) : undefined;
    return { model: reference, hash, close: async () => undefined };
  }
  const { device, threads } = settings;
  const engine = await createEngine({
    device,
    logger: { warn },
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    const weights = offload ? "host" : "device";
    const loaded = await engine.loadModel(reference, { dtype: model.dtype, weights, ...job });
    if (offload) warnUnlessOffloaded(loaded, "reference-offload", warn);
    requireSameVocabulary(loaded, model, reference);
    await requireSameTokens(request, loaded.source);
    return {
      model: loaded,
      hash: await hashOfFiles(reference, loaded, undefined),
      close: () => engine.dispose(),
    };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

/** Whether its weights can be read. */
export function isTrainable(model: FrozenModel): model is TrainableModel {
  return typeof (model as Partial<TrainableModel> | null)?.parameter === "function";
}

function requireFrozen(reference: FrozenModel, model: TrainableModel): void {
  if (typeof (reference as FrozenModel | null)?.forward !== "function") {
    const text = `Expected reference to be a path or a model of engine.loadModel or snapshot() but received ${String(reference)}.`;
    throw fail("ATTUNE_OPTION", text, { details: { option: "reference" } });
  }
  if (reference !== model) return;
  const text = "Expected reference to be another model but received the one that is trained.";
  throw fail("ATTUNE_OPTION", `${text} Leave it out: the run keeps a frozen copy of the start.`, {
    details: { option: "reference" },
  });
}

function requireSameVocabulary(reference: FrozenModel, model: TrainableModel, name: string): void {
  if (reference.scoreHeads > 0) {
    const text = `Expected a reference that predicts tokens but ${name} scores answers (a reward model).`;
    throw fail("ATTUNE_MODEL", `${text} Give a language model.`);
  }
  if (reference.vocabularySize === model.vocabularySize) return;
  const text = `Expected a reference with the model's vocabulary of ${model.vocabularySize} tokens but ${name} has ${reference.vocabularySize}.`;
  throw fail("ATTUNE_MODEL", `${text} Give a reference that was trained from the same tokenizer.`);
}

/** Vocabularies of one size may still give ids other meanings. A reference that brings no tokenizer takes the model's. */
async function requireSameTokens({ tokenizer, reference }: OpenReference, source: string): Promise<void> {
  const other = await tokenizerOf(source);
  const differing = other && differingToken(tokenizer, other);
  if (differing === undefined) return;
  const { id, first, second } = differing;
  const text = `Expected a reference with the model's vocabulary but token ${id} is ${JSON.stringify(first)} to the model and ${JSON.stringify(second)} to ${String(reference)}.`;
  throw fail("ATTUNE_MODEL", `${text} Give a reference that was trained from the same tokenizer.`, {
    details: { id },
  });
}

/** Of a model's folder; undefined where it has none. */
export async function tokenizerOf(source: string): Promise<Tokenizer | undefined> {
  try {
    return await loadTokenizer({ path: source });
  } catch (error) {
    if (error instanceof AttuneError) return undefined;
    throw error;
  }
}
