// The settings of a run: checked, with every default filled in, and refused where two of them contradict each other.
// Must not import the engine's code or an algorithm.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import type { AdapterOptions } from "../engine/contract.js";
import { type AttuneError, fail } from "../errors/index.js";
import { checkOptions, type SftSettings } from "../options/index.js";
import { loadedModelOptions } from "./loaded-model.js";
import type { SharedMetrics } from "./metrics.js";
import type { RunInputs } from "./run-types.js";

/** Settings that every trainer has. */
export type SharedSettings = Omit<SftSettings, keyof FilledSettings | "format" | "assistantOnly"> &
  FilledSettings;

/** Settings whose defaults depend on what is trained. */
type FilledSettings = {
  readonly learningRate: number;
  readonly microBatchTokens: number;
};

/** Trunk rows of a micro-batch: beside an adapter's few gradients and moments, activations are most of the memory. */
const microBatchTokens = { full: 2048, adapter: 1024 } as const;

export interface ResolveSettings<Schema extends z.ZodObject, Metrics extends SharedMetrics> {
  readonly command: string;
  readonly schema: Schema;
  readonly inputs: RunInputs<Metrics>;
  readonly values: Readonly<Record<string, unknown>>;
  /** Peak learning rates where none is given. */
  readonly rates: { readonly full: number; readonly adapter: number };
}

/**
 * All settings of a run.
 * @throws ATTUNE_OPTION
 */
export function resolveSettings<Schema extends z.ZodObject, Metrics extends SharedMetrics>(
  request: ResolveSettings<Schema, Metrics>,
): z.output<Schema> & FilledSettings {
  const { command, schema, inputs, values, rates } = request;
  loadedModelOptions(command, inputs.model, values);
  const settings = checkOptions({ schema, command, values });
  refuseContradictions(settings as SharedSettings, inputs, "evalShare" in schema.shape);
  const kind = trainsAdapter(inputs.model, settings as SharedSettings) ? "adapter" : "full";
  const given = settings as Partial<FilledSettings>;
  return {
    ...settings,
    learningRate: given.learningRate ?? rates[kind],
    microBatchTokens: given.microBatchTokens ?? microBatchTokens[kind],
  };
}

function trainsAdapter(model: RunInputs<SharedMetrics>["model"], settings: SharedSettings): boolean {
  if (typeof model !== "string") return model.adapter !== undefined;
  if (settings.adapter !== undefined || settings.adapterRank !== undefined) return true;
  return existsSync(join(model, "adapter_config.json"));
}

function refuseContradictions<Metrics extends SharedMetrics>(
  settings: SharedSettings,
  { evalData }: RunInputs<Metrics>,
  mayShare: boolean,
): void {
  const { adapter, adapterRank, evalShare, earlyStop, evalEvery, resume, allowChanges } = settings;
  if (adapter !== undefined && adapterRank !== undefined)
    throw contradiction("adapter-rank", "the rank is that of the adapter's folder", "Leave one of them out.");
  const details = { "adapter-alpha": settings.adapterAlpha, "adapter-targets": settings.adapterTargets };
  for (const [name, value] of Object.entries(details)) {
    if (value === undefined || adapterRank !== undefined) continue;
    throw contradiction(name, "it describes a new adapter", "Give adapter-rank as well.");
  }
  if (settings.rsLora && adapterRank === undefined)
    throw contradiction("rs-lora", "it describes a new adapter", "Give adapter-rank as well.");
  const evaluates = evalData !== undefined || evalShare !== undefined;
  if (evalData !== undefined && evalShare !== undefined)
    throw contradiction("eval-share", "eval-data names the rows to evaluate on", "Leave one of them out.");
  if (!evaluates && (earlyStop !== undefined || evalEvery > 0)) {
    const name = earlyStop === undefined ? "eval-every" : "early-stop";
    throw contradiction(
      name,
      "there are no rows to evaluate on",
      `Give eval-data${mayShare ? " or eval-share" : ""}.`,
    );
  }
  if (allowChanges && !resume)
    throw contradiction("allow-changes", "only a resumed run can differ from one before", "Add resume.");
}

function contradiction(option: string, why: string, advice: string): AttuneError {
  const text = `Expected no ${option} here: ${why}. ${advice}`;
  return fail("ATTUNE_OPTION", text, { details: { option } });
}

/** What `engine.loadModel` is told about an adapter; undefined where all weights are trained. */
export function adapterOf(settings: SharedSettings): AdapterOptions | string | undefined {
  const { adapter, adapterRank, adapterAlpha, adapterTargets, rsLora, seed } = settings;
  if (adapter !== undefined || adapterRank === undefined) return adapter;
  return {
    rank: adapterRank,
    rsLora,
    seed,
    ...(adapterAlpha === undefined ? {} : { alpha: adapterAlpha }),
    ...(adapterTargets === undefined ? {} : { targets: adapterTargets }),
  };
}
