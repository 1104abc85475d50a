// An adapter's folder as peft 0.21 writes and reads it: adapter_config.json beside adapter_model.safetensors.
// Must not read weights. What an adapter asks for and attune does not do is an error that names it.

import { stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { fail } from "../errors/index.js";
import { MOST_ALPHA, MOST_RANK } from "./adapter-options.js";
import { resolveTargets, type TargetModules } from "./adapter-targets.js";
import type { NativeDescription, NativeRole } from "./addon-types.js";
import { readJsonObject } from "./json-file.js";
import type { Json } from "./model-description.js";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";

type Description = Pick<NativeDescription, "linearLayers" | "adapter">;

/** Whether a path is an adapter's folder rather than a model's. */
export async function isPeftFolder(path: string): Promise<boolean> {
  return (await exists(join(path, CONFIG))) && !(await exists(join(path, "config.json")));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The model that an adapter's folder was trained on, as a path. Throws ATTUNE_MODEL when it isn't there. */
export async function peftBase(folder: string): Promise<string> {
  const json = await readConfig(folder);
  const name = json.base_model_name_or_path;
  const given = typeof name === "string" ? name : "";
  const places = given === "" ? [] : isAbsolute(given) ? [given] : [given, resolve(folder, given)];
  for (const place of places) if (await exists(place)) return place;
  const text = `Expected the model that the adapter in ${folder} belongs to but there is nothing at ${JSON.stringify(name)}, which its ${CONFIG} names. Load the model from where it is, with { adapter: ${JSON.stringify(folder)} }.`;
  throw fail("ATTUNE_MODEL", text, { details: { path: folder } });
}

function readConfig(folder: string): Promise<Json> {
  return readJsonObject(join(folder, CONFIG), "says how the adapter is made");
}

/**
 * The role of an adapter in a folder. Throws ATTUNE_FILE, ATTUNE_FORMAT, ATTUNE_MODEL.
 */
export async function peftRole(folder: string, { linearLayers }: Description): Promise<NativeRole> {
  const json = await readConfig(folder);
  const where = join(folder, CONFIG);
  expectSupported(json, where);
  const file = join(folder, WEIGHTS);
  if (!(await exists(file))) {
    const text = `Expected the adapter's weights at ${file} but there are none. Save it with safetensors.`;
    throw fail("ATTUNE_FILE", text, { details: { path: file } });
  }
  return {
    rank: rankOf(json, where),
    alpha: alphaOf(json, where),
    rsLora: json.use_rslora === true,
    modules: resolveTargets({
      targets: targetModules(json, where),
      linearLayers,
      what: `target_modules in ${where}`,
      code: "ATTUNE_MODEL",
    }),
    seed: 0,
    file,
    // How many, its weights say.
    scoreHeads: savedModules(json, where).includes("score") ? 1 : 0,
  };
}

function positive(json: Json, key: string, where: string): number {
  const value = json[key];
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw fail("ATTUNE_MODEL", `${where}: expected ${key} above 0 but found ${JSON.stringify(value)}.`);
}

function rankOf(json: Json, where: string): number {
  const rank = positive(json, "r", where);
  if (Number.isInteger(rank) && rank <= MOST_RANK) return rank;
  throw fail(
    "ATTUNE_MODEL",
    `${where}: expected r to be an integer from 1 to ${MOST_RANK} but found ${rank}.`,
  );
}

function alphaOf(json: Json, where: string): number {
  const alpha = positive(json, "lora_alpha", where);
  if (alpha <= MOST_ALPHA) return alpha;
  throw fail("ATTUNE_MODEL", `${where}: expected lora_alpha up to ${MOST_ALPHA} but found ${alpha}.`);
}

function targetModules(json: Json, where: string): TargetModules {
  const value = json.target_modules;
  if (Array.isArray(value)) return value.map(String);
  if (value === "all-linear") return value;
  if (typeof value === "string") {
    try {
      // PEFT: re.fullmatch
      return new RegExp(`^(?:${value})$`, "u");
    } catch (error) {
      const text = `${where}: expected target_modules to be a regular expression but ${JSON.stringify(value)} is none that JavaScript reads. List the names instead.`;
      throw fail("ATTUNE_MODEL", text, { cause: error });
    }
  }
  throw fail("ATTUNE_MODEL", `${where}: expected target_modules but found ${JSON.stringify(value)}.`);
}

/** PEFT adds "classifier" and "score" to every sequence classifier; of those only the score head is ours. */
function savedModules(json: Json, where: string): readonly string[] {
  const saved = json.modules_to_save ?? [];
  const names = Array.isArray(saved) ? saved.map(String) : [String(saved)];
  const unknown = names.find((name) => name !== "score" && name !== "classifier");
  if (unknown === undefined) return names;
  const text = `${where}: modules_to_save has ${JSON.stringify(unknown)}, which attune does not train beside an adapter. Supported: "score".`;
  throw fail("ATTUNE_MODEL", text);
}

/** Values that mean "not used", by key. Any other value changes results in a way that attune doesn't compute. */
const supported: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ["LORA"],
  bias: ["none"],
  use_dora: [false],
  use_qalora: [false],
  use_rslora: [true, false],
  use_bdlora: [null, false],
  lora_bias: [false],
  alora_invocation_tokens: [null],
  arrow_config: [null],
  exclude_modules: [null],
  kasa_config: [null],
  layer_replication: [null],
  layers_pattern: [null],
  layers_to_transform: [null],
  monteclora_config: [null],
  target_parameters: [null],
  trainable_token_indices: [null],
  velora_config: [null],
  // These change the base's weights at the start, so that the adapter fits no published model.
  init_lora_weights: [true, false, "gaussian", "eva", "orthogonal"],
};
const emptyObjects = ["alpha_pattern", "rank_pattern"];

function expectSupported(json: Json, where: string): void {
  const refuse = (key: string, allowed: string) => {
    const text = `${where}: ${key} is ${JSON.stringify(json[key])}, which attune does not support. Expected ${allowed}.`;
    throw fail("ATTUNE_MODEL", text);
  };
  for (const [key, allowed] of Object.entries(supported)) {
    const value = json[key];
    if (value === undefined && key !== "peft_type") continue;
    if (!allowed.includes(value) && !isEmpty(value))
      refuse(key, allowed.map((v) => JSON.stringify(v)).join(" or "));
  }
  for (const key of emptyObjects) {
    if (json[key] !== undefined && json[key] !== null && !isEmpty(json[key]))
      refuse(key, "one rank and alpha for all layers");
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** adapter_config.json of a trained adapter: the fields that peft 0.21 writes. */
export function peftConfig(options: {
  readonly adapter: NonNullable<NativeDescription["adapter"]>;
  readonly targets: readonly string[];
  readonly base: string;
  readonly fanInFanOut: boolean;
  /** The base scores sequences itself. */
  readonly classifies: boolean;
}): Json {
  const { adapter, targets, base, fanInFanOut, classifies } = options;
  return {
    alora_invocation_tokens: null,
    alpha_pattern: {},
    arrow_config: null,
    auto_mapping: null,
    base_model_name_or_path: base,
    bias: "none",
    corda_config: null,
    ensure_weight_tying: false,
    eva_config: null,
    exclude_modules: null,
    fan_in_fan_out: fanInFanOut,
    inference_mode: true,
    init_lora_weights: true,
    kasa_config: null,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    loftq_config: {},
    lora_alpha: adapter.alpha,
    lora_bias: false,
    lora_dropout: 0,
    lora_ga_config: null,
    megatron_config: null,
    megatron_core: "megatron.core",
    modules_to_save: adapter.scoreHeads > 0 ? ["score"] : null,
    monteclora_config: null,
    peft_type: "LORA",
    peft_version: "0.21.0",
    qalora_group_size: 16,
    r: adapter.rank,
    rank_pattern: {},
    revision: null,
    target_modules: targets,
    target_parameters: null,
    task_type: adapter.scoreHeads > 0 || classifies ? "SEQ_CLS" : "CAUSAL_LM",
    trainable_token_indices: null,
    use_bdlora: null,
    use_dora: false,
    use_qalora: false,
    use_rslora: adapter.rsLora,
    velora_config: null,
  };
}
