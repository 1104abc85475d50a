// The losses of `dpo` by name: what each is, what it needs and which parameters act on it. Choices, help, checks and the
// table in docs/losses.md come from here; a test holds it equal to the native tables. Must not import any room.

/** Losses of a pair: chosen against rejected. */
export const pairwiseLossNames = [
  "sigmoid",
  "ipo",
  "hinge",
  "robust",
  "exo_pair",
  "nca_pair",
  "bco_pair",
  "sppo_hard",
  "aot",
  "aot_unpaired",
  "apo_zero",
  "apo_down",
  "discopop",
  "sft",
  "sigmoid_norm",
  "simpo",
  "cpo",
  "orpo",
] as const;

/** Losses of a ranking: K answers to one prompt. */
export const listwiseLossNames = ["plackett-luce", "all-pairs", "best-of-k"] as const;

export const dpoLossNames = [...pairwiseLossNames, ...listwiseLossNames] as const;

export type DpoLossName = (typeof dpoLossNames)[number];

/** How equal answers count: of pairs keep and drop, of rankings the others. */
export const tieTreatments = ["keep", "drop", "half", "breslow", "average", "marginal"] as const;

export type DpoTies = (typeof tieTreatments)[number];

/** Options that act on some losses only, by their names in code. */
export const lossParameters = [
  "beta",
  "labelSmoothing",
  "fDivergence",
  "alpha",
  "ipoReduce",
  "simpoGamma",
  "orpoLambda",
  "nllWeight",
  "discopopTemperature",
] as const;

export type LossParameter = (typeof lossParameters)[number];

export interface LossFacts {
  readonly rows: "pairs" | "rankings";
  /** Of a pair or ranking, in the symbols of docs/losses.md. */
  readonly formula: string;
  readonly description: string;
  /** arXiv number. */
  readonly paper: string;
  /** Compares with a frozen reference. */
  readonly reference: boolean;
  /** Takes pairs whose `label` is neither certain nor absent. */
  readonly softLabels: boolean;
  /** Takes rows of another weight than 1. */
  readonly weights: boolean;
  /** The parameters that act on it, with their defaults. */
  readonly parameters: Readonly<Partial<Record<LossParameter, number | string>>>;
  /** The treatments of ties it knows, its default first. */
  readonly ties: readonly DpoTies[];
  /** Has a comparison that label smoothing would have to change, but no place for it. */
  readonly refusesSmoothing: boolean;
}

const BETA = 0.1;
const divergence = { fDivergence: "reverse_kl", alpha: 0.5 } as const;
const smoothed = { labelSmoothing: 0 } as const;
const pair = {
  rows: "pairs",
  reference: true,
  softLabels: false,
  weights: true,
  refusesSmoothing: true,
  ties: ["keep", "drop"],
} as const;
const soft = { ...pair, softLabels: true, refusesSmoothing: false } as const;
const ranking = { ...pair, rows: "rankings", ties: [] } as const;

export const dpoLosses: Readonly<Record<DpoLossName, LossFacts>> = {
  sigmoid: {
    ...soft,
    formula: "p sp(-βD) + (1-p) sp(βD)",
    description: "DPO; with soft labels or label smoothing conservative DPO",
    paper: "2305.18290",
    parameters: { beta: BETA, ...smoothed, ...divergence },
  },
  ipo: {
    ...soft,
    formula: "(h - (2p-1)/(2β))², h = s_c/n_c - s_r/n_r (mean) or D (sum)",
    description: "aims at a fixed gap instead of an ever larger one",
    paper: "2310.12036",
    parameters: { beta: BETA, ipoReduce: "mean", ...smoothed, ...divergence },
  },
  hinge: {
    ...pair,
    formula: "max(0, 1 - βD)",
    description: "stops at a gap of 1/β",
    paper: "2305.10425",
    parameters: { beta: BETA, ...divergence },
  },
  robust: {
    ...soft,
    formula: "((l-e) sp(-βD) + (1-l-e) sp(βD)) / (1-2e), l the label as it is",
    description: "unbiased where a share e of the judgements is flipped",
    paper: "2403.00409",
    parameters: { beta: BETA, ...smoothed, ...divergence },
  },
  exo_pair: {
    ...soft,
    formula: "q log(q/p) + (1-q) log((1-q)/(1-p)), q = σ(βD)",
    description: "reverse KL to the judgement; e > 0",
    paper: "2402.00856",
    parameters: { beta: BETA, labelSmoothing: 1e-3, ...divergence },
  },
  nca_pair: {
    ...pair,
    formula: "sp(-βs_c) + ½ sp(βs_c) + ½ sp(βs_r)",
    description: "keeps the chosen side's own log-prob up",
    paper: "2402.05369",
    parameters: { beta: BETA, ...divergence },
  },
  bco_pair: {
    ...pair,
    formula: "sp(-βs_c) + sp(βs_r)",
    description: "classifies each side for itself",
    paper: "2404.04656",
    parameters: { beta: BETA, ...divergence },
  },
  sppo_hard: {
    ...pair,
    formula: "(s_c - ½/β)² + (s_r + ½/β)²",
    description: "self-play step with certain wins",
    paper: "2405.00675",
    parameters: { beta: BETA, ...divergence },
  },
  aot: {
    ...pair,
    refusesSmoothing: false,
    weights: false,
    formula: "sigmoid of sort(lp_c - lp_r) - sort(ref_c - ref_r) over the update",
    description: "orders distributions instead of pairs",
    paper: "2406.05882",
    parameters: { beta: BETA, ...smoothed },
  },
  aot_unpaired: {
    ...pair,
    refusesSmoothing: false,
    weights: false,
    formula: "sigmoid of sort(d_c) - sort(d_r) over the update",
    description: "the same where the sides of a pair need not belong together",
    paper: "2406.05882",
    parameters: { beta: BETA, ...smoothed },
  },
  apo_zero: {
    ...pair,
    formula: "1 - σ(βd_c) + σ(βd_r)",
    description: "raises chosen, lowers rejected: for answers better than the model's",
    paper: "2408.06266",
    parameters: { beta: BETA },
  },
  apo_down: {
    ...pair,
    formula: "σ(βd_c) + 1 - σ(βD)",
    description: "lowers both, rejected more: for answers worse than the model's",
    paper: "2408.06266",
    parameters: { beta: BETA, ...divergence },
  },
  discopop: {
    ...pair,
    formula: "(1-G) sp(-z) + G e^{-z}, z = βD, G = σ(z/t)",
    description: "a mixture that was found by search; starts uphill, see below",
    paper: "2406.08414",
    parameters: { beta: BETA, discopopTemperature: 0.05, ...divergence },
  },
  sft: {
    ...pair,
    reference: false,
    refusesSmoothing: false,
    formula: "-Σ lp_c / Σ n_c",
    description: "token-mean likelihood of the chosen sides, for mixtures",
    paper: "2305.18290",
    parameters: {},
  },
  sigmoid_norm: {
    ...soft,
    formula: "p sp(-βh) + (1-p) sp(βh), h = s_c/n_c - s_r/n_r",
    description: "DPO on log-ratios per token",
    paper: "2411.15124",
    parameters: { beta: BETA, ...smoothed, ...divergence },
  },
  simpo: {
    ...soft,
    reference: false,
    formula: "p sp(-z) + (1-p) sp(z), z = β(l_c - l_r) - g, l = mean lp; + w NLL",
    description: "no reference: mean log-probs and a margin",
    paper: "2405.14734",
    parameters: { beta: 2, simpoGamma: 1, nllWeight: 0, ...smoothed },
  },
  cpo: {
    ...soft,
    reference: false,
    formula: "p sp(-z) + (1-p) sp(z), z = β Σ(lp_c - lp_r); + w NLL",
    description: "no reference: DPO's form and imitation of the chosen sides",
    paper: "2401.08417",
    parameters: { beta: BETA, nllWeight: 1, ...smoothed },
  },
  orpo: {
    ...pair,
    reference: false,
    formula: "NLL + λ sp(-(o_c - o_r)), o = l - log(1 - e^l), l = mean lp",
    description: "no reference: imitation and an odds ratio, from the base model in one stage",
    paper: "2403.07691",
    parameters: { orpoLambda: 0.1 },
  },
  "plackett-luce": {
    ...ranking,
    formula: "-Σ_i (βd_i - lse_{j not better than i} βd_j)",
    description: "likelihood of the whole order; of two answers the same as sigmoid",
    paper: "2305.18290",
    ties: ["breslow", "average", "marginal"],
    parameters: { beta: BETA },
  },
  "all-pairs": {
    ...ranking,
    formula: "mean over the K(K-1)/2 pairs of sp(-β(d_better - d_worse))",
    description: "every pair of a ranking; a prompt counts once",
    paper: "2203.02155",
    ties: ["half", "drop"],
    parameters: { beta: BETA },
  },
  "best-of-k": {
    ...ranking,
    formula: "lse_k βd_k - βd_best",
    description: "the best answer against all others, whose order doesn't count",
    paper: "2301.11270",
    parameters: { beta: BETA },
  },
};

/** The losses on which a parameter acts. */
export function lossesWith(parameter: LossParameter): readonly DpoLossName[] {
  return dpoLossNames.filter((name) => dpoLosses[name].parameters[parameter] !== undefined);
}

/** The table of docs/losses.md. */
export function lossesMarkdown(): string {
  const rows = dpoLossNames.map((name) => {
    const { rows: data, formula, description, paper, reference, softLabels, parameters } = dpoLosses[name];
    const own = Object.entries(parameters).map(([key, value]) => `${dashes(key)} ${value}`);
    const link = `[${paper}](https://arxiv.org/abs/${paper})`;
    const cells = [
      `\`${name}\``,
      `\`${formula}\``,
      description,
      data,
      reference,
      softLabels,
      own.join(", "),
      link,
    ];
    return `| ${cells.map(cell).join(" | ")} |`;
  });
  const head =
    "| loss | of a pair or ranking | what it does | rows | reference | soft labels | parameters | arXiv |";
  return [head, "| --- | --- | --- | --- | --- | --- | --- | --- |", ...rows].join("\n");
}

function cell(value: string | boolean): string {
  if (typeof value === "boolean") return value ? "yes" : "";
  return value.replaceAll("|", "\\|");
}

function dashes(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
