// Model folders into other forms: GGUF to a Hugging Face folder, another number format, an adapter merged into its base,
// or base and adapter apart. Must not train; loading and saving are the engine's.

import { join } from "node:path";
import { fail } from "../errors/index.js";
import type { DType, JobOptions } from "./contract.js";
import type { Engine } from "./engine.js";
import type { Model } from "./model.js";
import { expectDType, expectKeys } from "./options.js";
import { isPeftFolder, peftBase } from "./peft-folder.js";

export interface ConvertOptions extends JobOptions {
  readonly engine: Engine;
  /** A Hugging Face folder, a .safetensors or a .gguf file; or a PEFT folder, which names its model. */
  readonly model: string;
  /** A PEFT folder: an adapter of `model`. */
  readonly adapter?: string;
  /** Where to write. With `split` it receives the folders base/ and adapter/. */
  readonly output: string;
  /** Number format of the weights; default "fp32". */
  readonly dtype?: DType;
  /**
   * Write base and adapter apart, the adapter naming the written base, so that peft finds it also when the adapter was
   * trained on a GGUF file. Merged weights cannot be split again: their sum does not say what was added. Default false.
   */
  readonly split?: boolean;
  /** Told the fraction written. */
  readonly onProgress?: (fraction: number) => void;
}

export interface Converted {
  readonly kind: "copied" | "merged" | "split";
  /** The folders written. */
  readonly folders: readonly string[];
  /** Of the whole model. */
  readonly parameters: number;
}

const KEYS = ["engine", "model", "adapter", "output", "dtype", "split", "onProgress", "signal"];

/** Throws ATTUNE_OPTION, ATTUNE_FILE, ATTUNE_FORMAT, ATTUNE_MODEL, ATTUNE_OUTPUT, ATTUNE_MEMORY. */
export async function convertModel(options: ConvertOptions): Promise<Converted> {
  expectKeys("convertModel", options, KEYS);
  const dtype = expectDType(options.dtype ?? "fp32");
  const { model, adapter } = await partsOf(options);
  if (options.split === true) {
    if (adapter === undefined) {
      const text = `Expected an adapter to split from its base but ${model} is a whole model. Give its PEFT folder as adapter; merged weights cannot be split again.`;
      throw fail("ATTUNE_OPTION", text, { details: { path: model } });
    }
    return split({ ...options, dtype, model, adapter });
  }
  // A merged weight is rounded once, at the end.
  const loadAs = adapter === undefined ? dtype : "fp32";
  const loaded = await load(options, model, { dtype: loadAs, ...(adapter === undefined ? {} : { adapter }) });
  try {
    const save = { dtype, ...jobOptions(options) };
    if (adapter === undefined) await loaded.save(options.output, save);
    else await loaded.saveMerged(options.output, save);
    const own = adapter === undefined ? 0 : loaded.trainableParameters;
    const kind = adapter === undefined ? "copied" : "merged";
    return { kind, folders: [options.output], parameters: loaded.parameters - own };
  } finally {
    await loaded.dispose();
  }
}

/** The whole model, and the adapter if there is one. */
async function partsOf({ model, adapter }: ConvertOptions): Promise<{ model: string; adapter?: string }> {
  if (!(await isPeftFolder(model))) return adapter === undefined ? { model } : { model, adapter };
  if (adapter === undefined) return { model: await peftBase(model), adapter: model };
  const text = `Expected a whole model beside the adapter ${adapter} but ${model} is an adapter too. Give the model that both belong to.`;
  throw fail("ATTUNE_OPTION", text, { details: { path: model } });
}

type SplitOptions = ConvertOptions & Required<Pick<ConvertOptions, "dtype" | "adapter">>;

async function split(options: SplitOptions): Promise<Converted> {
  const { model, adapter, output, dtype } = options;
  const folders = [join(output, "base"), join(output, "adapter")] as const;
  const whole = await load(options, model, { dtype });
  let parameters = 0;
  try {
    // Before anything is written: an adapter of another base is refused here.
    await (await whole.addAdapter(adapter)).dispose();
    parameters = whole.parameters;
    await whole.save(folders[0], { dtype, ...jobOptions(options) });
  } finally {
    await whole.dispose();
  }
  const adapted = await load(options, folders[0], { dtype, adapter });
  try {
    await adapted.save(folders[1]);
  } finally {
    await adapted.dispose();
  }
  return { kind: "split", folders, parameters };
}

function load(
  { engine, signal }: ConvertOptions,
  path: string,
  options: { readonly dtype: DType; readonly adapter?: string },
): Promise<Model> {
  return engine.loadModel(path, signal === undefined ? options : { ...options, signal });
}

function jobOptions({ signal, onProgress }: ConvertOptions): Pick<ConvertOptions, "signal" | "onProgress"> {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
}
