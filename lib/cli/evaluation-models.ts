// Loads what evaluation works with: a model with or without an adapter, its tokenizer, and models beside it on one engine.
// Must not evaluate.

import { resolve } from "node:path";
import { createEngine, type Engine, type FrozenModel, isPeftFolder, type Model } from "../engine/index.js";
import { peftBase } from "../engine/peft-folder.js";
import { AttuneError, fail } from "../errors/index.js";
import { differingToken, loadTokenizer, type Tokenizer } from "../text/index.js";
import { engineLogger, type Terminal } from "./terminal.js";

/** The settings that say which model, and where it computes. */
export interface ModelSettings {
  readonly model: string;
  readonly adapter?: string | undefined;
  readonly dtype: "fp32" | "bf16";
  readonly device: "auto" | "cpu" | "cuda";
  readonly threads?: number | undefined;
  readonly chatTemplate?: string | undefined;
}

export interface EvaluationModels {
  readonly engine: Engine;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** The model without its adapter costs no memory of its own where `path` names it. */
  reference(path: string): Promise<FrozenModel>;
  /** Another model, once per path. */
  load(path: string): Promise<Model>;
}

/** Loads, lets `use` work, and lets go of everything whatever happens. */
export async function withModels<Result>(
  settings: ModelSettings,
  { terminal, signal }: { readonly terminal: Terminal; readonly signal: AbortSignal },
  use: (models: EvaluationModels) => Promise<Result>,
): Promise<Result> {
  const { path, adapter } = await partsOf(settings);
  const { dtype, device, threads, chatTemplate } = settings;
  const tokenizer = await loadTokenizer({ path, ...(chatTemplate === undefined ? {} : { chatTemplate }) });
  const engine = await createEngine({
    device,
    ...(threads === undefined ? {} : { threads }),
    logger: engineLogger(terminal),
  });
  try {
    const base = await engine.loadModel(path, { dtype, signal });
    const model = adapter === undefined ? base : await base.addAdapter(adapter);
    const others = new Map<string, Promise<Model>>();
    const load = (other: string) => {
      const known = others.get(other) ?? engine.loadModel(other, { dtype, signal });
      others.set(other, known);
      return known;
    };
    const reference = async (other: string) =>
      adapter !== undefined && resolve(other) === resolve(path)
        ? base
        : sameTokens(sameVocabulary(await load(other), model), tokenizer);
    return await use({ engine, model, tokenizer, reference, load });
  } finally {
    await engine.dispose();
  }
}

/** An adapter's folder names its base. */
async function partsOf({
  model,
  adapter,
}: ModelSettings): Promise<{ path: string; adapter: string | undefined }> {
  if (!(await isPeftFolder(model))) return { path: model, adapter };
  if (adapter === undefined) return { path: await peftBase(model), adapter: model };
  const text = `Expected no --adapter with ${model}, which is an adapter itself, but received ${adapter}.`;
  throw fail("ATTUNE_OPTION", `${text} Give the base as --model.`);
}

/** Log-probs of other ids would be compared without an error. Throws ATTUNE_MODEL. */
function sameVocabulary(reference: Model, model: Model): Model {
  if (reference.scoreHeads > 0) {
    const text = `Expected a language model as reference but ${reference.source} is a reward model.`;
    throw fail("ATTUNE_MODEL", `${text} Give the model that the policy started from.`);
  }
  if (reference.vocabularySize === model.vocabularySize) return reference;
  const text = `Expected a reference of ${model.vocabularySize} tokens, as ${model.source} has, but ${reference.source} has ${reference.vocabularySize}.`;
  throw fail("ATTUNE_MODEL", `${text} Give the model that the policy started from.`);
}

/** Vocabularies of one size may still give ids other meanings. A reference that brings no tokenizer takes the model's. */
async function sameTokens(reference: Model, tokenizer: Tokenizer): Promise<Model> {
  const other = await reference.tokenizer().catch((error: unknown) => {
    if (error instanceof AttuneError) return undefined;
    throw error;
  });
  const differing = other && differingToken(tokenizer, other);
  if (differing === undefined) return reference;
  const { id, first, second } = differing;
  const text = `Expected a reference with the model's vocabulary but token ${id} is ${JSON.stringify(first)} to the model and ${JSON.stringify(second)} to ${reference.source}.`;
  throw fail("ATTUNE_MODEL", `${text} Give the model that the policy started from.`, { details: { id } });
}
