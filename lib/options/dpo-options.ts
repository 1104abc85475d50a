// The options of `dpo`. Must not import any room.

import { z } from "zod";
import {
  dpoLosses,
  dpoLossNames,
  type LossParameter,
  listwiseLossNames,
  lossesWith,
  pairwiseLossNames,
  tieTreatments,
} from "./loss-names.js";
import {
  adapterOptions,
  checkpointOptions,
  evaluationOptions,
  fileOptions,
  loopOptions,
  machineOptions,
  offloadOptions,
  option,
  outputOptions,
  rowOptions,
  sampleOptions,
} from "./shared-options.js";

const training = { group: "Training", value: "X" } as const;

/** ` (simpo; default: 1)`: the losses a parameter acts on, and its defaults there. */
function actsOn(parameter: LossParameter): string {
  const names = lossesWith(parameter);
  const byDefault = new Map<string, string[]>();
  for (const name of names) {
    const value = String(dpoLosses[name].parameters[parameter]);
    byDefault.set(value, [...(byDefault.get(value) ?? []), name]);
  }
  const [[only = ""] = [], ...others] = byDefault;
  if (others.length === 0) return ` (${names.join(", ")}; default: ${only})`;
  const common = [...byDefault].sort((a, b) => b[1].length - a[1].length);
  const [most = ["", []], ...rest] = common;
  return ` (default: ${most[0]}; ${rest.map(([value, of]) => `${of.join(", ")} ${value}`).join("; ")})`;
}

/** What tunes the losses. Without defaults of their own: which act, and their defaults, depend on the losses. */
export const lossOptions = {
  loss: option(
    z.array(z.enum(dpoLossNames)).min(1).default(["sigmoid"]),
    `loss of a pair (${pairwiseLossNames.join(", ")}), several of them added up, or the loss of a ranking (${listwiseLossNames.join(", ")}); ` +
      "docs/losses.md says what each is for",
    { group: "Training", value: "NAMES", separator: "," },
  ),
  lossWeights: option(
    z.array(z.number().positive()).min(1).optional(),
    "what each of several losses is multiplied by, in their order (default: 1 each)",
    { group: "Training", value: "NUMBERS", separator: "," },
  ),
  beta: option(
    z.number().positive().optional(),
    `strength of the pull to the reference; small moves the policy further${actsOn("beta")}`,
    training,
  ),
  labelSmoothing: option(
    z.number().min(0).lt(0.5).optional(),
    `share of pairs whose judgement is assumed to be the wrong way round${actsOn("labelSmoothing")}`,
    training,
  ),
  fDivergence: option(
    z.enum(["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"]).optional(),
    `the divergence from the reference that is kept small${actsOn("fDivergence")}`,
    { group: "Training" },
  ),
  alpha: option(
    z.number().optional(),
    "order of the alpha divergence (default: 0.5; 1 is the reverse KL)",
    training,
  ),
  ipoReduce: option(
    z.enum(["mean", "sum"]).optional(),
    `log-ratios of answers per token, or summed: the same beta means another gap${actsOn("ipoReduce")}`,
    { group: "Training" },
  ),
  simpoGamma: option(
    z.number().min(0).optional(),
    `margin between the sides${actsOn("simpoGamma")}`,
    training,
  ),
  orpoLambda: option(
    z.number().positive().optional(),
    `weight of the odds ratio beside imitation${actsOn("orpoLambda")}`,
    training,
  ),
  nllWeight: option(
    z.number().min(0).optional(),
    `weight of imitating the chosen side${actsOn("nllWeight")}`,
    training,
  ),
  discopopTemperature: option(
    z.number().positive().optional(),
    `sharpness of the switch between its two losses${actsOn("discopopTemperature")}`,
    training,
  ),
};

export const dpoOptions = z.strictObject({
  ...fileOptions,
  reference: option(
    z.string().min(1).optional(),
    "another model as reference, of the same vocabulary (default: the start of the trained one)",
    { group: "Files", value: "PATH" },
  ),
  cache: option(
    z.string().min(1).optional(),
    'log-probs of the frozen reference: a folder shared between runs, or "off" to compute them at every visit ' +
      "(default: kept in the run's folder)",
    { group: "Files", value: "DIR|off" },
  ),
  ...loopOptions,
  learningRate: option(
    z.number().positive().optional(),
    "peak learning rate of AdamW (default: 1e-6; of an adapter 1e-5)",
    training,
  ),
  ...lossOptions,
  ...adapterOptions,
  ...evaluationOptions,
  format: option(
    z.enum(["auto", "preference", "hh", "ranking", "best-of"]).default("auto"),
    "what the rows are; hh: transcripts with Human: and Assistant: become messages",
    { group: "Rows" },
  ),
  ...rowOptions,
  ties: option(
    z.enum(tieTreatments).optional(),
    "equal answers: pairs of label 0.5 are kept (keep, the default) or left out (drop); in rankings breslow (default), average " +
      "or marginal of plackett-luce, half (default) or drop of all-pairs",
    { group: "Rows" },
  ),
  truncate: option(
    z.boolean().default(false),
    "cut pairs over max-length (the prompt's end and the completion's start stay) instead of dropping them",
    { group: "Rows" },
  ),
  ...machineOptions,
  ...offloadOptions,
  ...outputOptions,
  ...sampleOptions,
  ...checkpointOptions,
});

/** Peak learning rates where none is given: of all weights, and of an adapter. */
export const dpoLearningRates = { full: 1e-6, adapter: 1e-5 } as const;

/** What `dpo` takes. */
export type DpoSettingsInput = z.input<typeof dpoOptions>;
/** The same with every default filled in. */
export type DpoSettings = z.output<typeof dpoOptions>;
