// The options of `attune evaluate` and `attune score`. Must not import any room.

import { z } from "zod";
import { samplingOptions } from "./generate-options.js";
import { commandOptions, fileOptions, machineOptions, option, rowOptions } from "./shared-options.js";

const evaluation = (value: string) => ({ group: "Evaluation", value }) as const;
const files = (value: string) => ({ group: "Files", value }) as const;
const count = () => z.number().int().min(1);

/** The model, the rows and how both are read. */
const shared = {
  model: option(
    z.string().min(1),
    "Hugging Face folder or GGUF file, or the PEFT folder of an adapter",
    files("PATH"),
  ),
  adapter: option(z.string().min(1).optional(), "PEFT folder of an adapter for this model", files("DIR")),
  data: option(
    z.array(z.string().min(1)).min(1),
    "rows, in any format that training reads; a file, a folder or a pattern; may be repeated",
    files("FILE"),
  ),
  bound: option(
    z.string().min(1).optional(),
    "linear bound that --fit-bound wrote for this model: scores with their uncertainty, in place of its heads",
    files("FILE"),
  ),
  chatTemplate: fileOptions.chatTemplate,
  tokenCache: fileOptions.tokenCache,
};

/** What becomes of several heads, or of a bound. */
const aggregation = {
  aggregate: option(
    z.enum(["mean", "min", "variance", "deviation"]).optional(),
    "of several heads: their mean (default), the least, or the mean less k times their variance or standard deviation",
    { group: "Evaluation" },
  ),
  k: option(
    z.number().min(0).optional(),
    "weight of the heads' variance or deviation (default: 1)",
    evaluation("X"),
  ),
  head: option(
    z.number().int().min(0).optional(),
    "score by this head alone, from 0: of a model with a head per axis",
    evaluation("N"),
  ),
  confidence: option(
    z.enum(["lower", "mean", "upper"]).optional(),
    "of a bound: the pessimistic score (lower, the default), the mean, or the optimistic one",
    { group: "Evaluation" },
  ),
};

const reading = {
  format: option(
    z
      .enum([
        "auto",
        "text",
        "prompt-completion",
        "preference",
        "ranking",
        "best-of",
        "rating",
        "unpaired",
        "hh",
      ])
      .default("auto"),
    "what the rows are; auto tells it from the columns of the first one; hh: transcripts with Human: and Assistant: become messages",
    { group: "Rows" },
  ),
  maxLength: rowOptions.maxLength,
  skipBadRows: rowOptions.skipBadRows,
};

const machine = {
  ...machineOptions,
  microBatchTokens: option(count().default(2048), "tokens computed at once, with the same result", {
    group: "Machine",
    value: "N",
  }),
};

export const evaluateOptions = z.strictObject({
  ...shared,
  reference: option(
    z.string().min(1).optional(),
    "model that a policy started from: rewards are then beta times the log-ratio to it; the --model itself means without its adapter",
    files("PATH"),
  ),
  rewardModel: option(
    z.string().min(1).optional(),
    "reward model that judges generated answers (--win-rate-against, --best-of)",
    files("PATH"),
  ),
  rewardBound: option(
    z.string().min(1).optional(),
    "linear bound of the reward model: answers are judged by it, pessimistically unless --confidence says otherwise",
    files("FILE"),
  ),
  winRateAgainst: option(
    z.string().min(1).optional(),
    'another model that answers the same prompts, or "answers" for those of the rows (chosen, or the best): which scores higher',
    files("PATH|answers"),
  ),
  fitBound: option(
    z.string().min(1).optional(),
    "fit a linear bound on the rows' judgements and the model's states, and write it to this new file",
    files("FILE"),
  ),
  config: commandOptions.config,
  beta: option(z.number().positive().default(0.1), "beta of implicit rewards", evaluation("X")),
  by: option(
    z.array(z.string().min(1)).optional(),
    "also measure every group of rows by a column (source, meta.domain), by length, or by which answer of a pair is longer; may be repeated",
    evaluation("COLUMN"),
  ),
  bins: option(count().max(1000).default(10), "bins of the reliability curve", evaluation("N")),
  kl: option(z.boolean().default(false), "exact KL to the reference on the rows' answers", {
    group: "Evaluation",
  }),
  klPrompts: option(
    z.number().int().min(0).default(0),
    "KL to the reference on fresh answers to this many prompts of the rows; 0 none",
    evaluation("N"),
  ),
  prompts: option(
    count().default(100),
    "prompts of the rows that are answered for --win-rate-against and --best-of, the first ones",
    evaluation("N"),
  ),
  bestOf: option(
    z.number().int().min(2).optional(),
    "the expected score of the best of so many answers to a prompt",
    evaluation("N"),
  ),
  ...aggregation,
  ridge: option(z.number().positive().default(0.01), "of --fit-bound: ridge of the fit", evaluation("X")),
  lambda: option(
    z.number().positive().default(0.01),
    "of --fit-bound: what is added to the covariance",
    evaluation("X"),
  ),
  kappa: option(
    z.string().min(1).optional(),
    "of --fit-bound: what widths are multiplied by: a number, calibrated (by refits; the default) or bound (the theorem's)",
    evaluation("X|calibrated|bound"),
  ),
  boundKind: option(
    z.enum(["gram", "fisher"]).default("gram"),
    "of --fit-bound: widths by the covariance of differences, or by the curvature of the fit",
    { group: "Evaluation" },
  ),
  project: option(
    count().max(1024).optional(),
    "of --fit-bound: dimensions that states are projected to at random (default: as they are, at most 1024)",
    evaluation("N"),
  ),
  maxNewTokens: samplingOptions.maxNewTokens,
  temperature: option(
    z.number().min(0).default(0.7),
    "of generated answers: below 1 surer, above 1 more varied; 0 takes the likeliest token",
    { group: "Sampling", value: "X" },
  ),
  topP: samplingOptions.topP,
  samples: option(
    count().optional(),
    "answers to each prompt for --best-of; more than N make its value surer (default: N)",
    { group: "Sampling", value: "N" },
  ),
  seed: option(z.number().int().min(0).default(0), "of answers, resamples and projections", {
    group: "Sampling",
    value: "N",
  }),
  batchSize: samplingOptions.batchSize,
  ...reading,
  truncate: option(
    z.boolean().default(false),
    "cut rows over max-length for a policy instead of dropping them; rows for a reward model are never cut",
    { group: "Rows" },
  ),
  ...machine,
  output: option(
    z.string().min(1).optional(),
    "JSON file for all figures, with reliability curves; in the folder of a run attune report shows it; it must not exist yet",
    { group: "Output", value: "FILE" },
  ),
  rowsOutput: option(
    z.string().min(1).optional(),
    "JSON lines file with the scores, log-probs and lengths of every row; it must not exist yet",
    { group: "Output", value: "FILE" },
  ),
  json: option(z.boolean().default(false), "print all figures as one JSON object", { group: "Output" }),
});

export const scoreOptions = z.strictObject({
  ...shared,
  config: commandOptions.config,
  ...aggregation,
  ...reading,
  ...machine,
  output: option(
    z.string().min(1).optional(),
    "JSON lines file for the rows with their scores; it must not exist yet (default: standard output)",
    { group: "Output", value: "FILE" },
  ),
});

/** What `attune evaluate` takes. */
export type EvaluateSettings = z.output<typeof evaluateOptions>;
/** What `attune score` takes. */
export type ScoreSettings = z.output<typeof scoreOptions>;
