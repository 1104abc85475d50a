// What a report knows of a run, whatever trained it. Types only.

/** Lines of one split, as columns. */
export interface MetricColumns {
  /** [lines] ascending. */
  readonly steps: readonly number[];
  /** By key: [lines], NaN where a line has no finite number. */
  readonly values: ReadonlyMap<string, readonly number[]>;
  /** By key: lines whose value was written but is no finite number. */
  readonly notFinite: ReadonlyMap<string, number>;
}

/** The parts of run.json that a report shows; all may be missing in a run of another version. */
export interface RunSummary {
  readonly command: string;
  readonly status: string;
  readonly started: string | undefined;
  readonly finished: string | undefined;
  readonly stepsDone: number | undefined;
  readonly stepsPlanned: number | undefined;
  readonly seconds: number | undefined;
  readonly bestStep: number | undefined;
  /** The option that ended it before its last step, and what was found. */
  readonly endedEarly: { readonly by: string; readonly why: string } | undefined;
  readonly machine: string | undefined;
  readonly versions: Readonly<Record<string, string>>;
  readonly hashes: Readonly<Record<string, string>>;
  /** What became of the rows, as counted: nested objects allowed. */
  readonly rows: Readonly<Record<string, unknown>>;
  readonly evaluationRows: Readonly<Record<string, unknown>>;
  readonly error: { readonly code: string; readonly message: string } | undefined;
  /** Each time the run went on from a checkpoint. */
  readonly resumes: readonly { readonly date: string; readonly step: number }[];
}

export interface ReportSample {
  readonly step: number;
  readonly prompt: string;
  readonly completion: string;
  readonly finished: string;
  /** By the run's own reward. */
  readonly score: number | undefined;
}

/** Something about an online run that looks wrong. */
export interface ReportAlarm {
  readonly step: number;
  readonly name: string;
  /** A sentence with the numbers. */
  readonly text: string;
}

/** What the gold score gains over the start at a distance d = sqrt(KL): "best-of-n" d (a - b d), "rl" d (a - b log d). */
export interface FittedGold {
  readonly method: "best-of-n" | "rl";
  readonly a: number;
  readonly b: number;
  readonly peak: GoldPeak | undefined;
}

/** Where a fitted curve is highest; the interval is one of 95%. */
export interface GoldPeak {
  /** sqrt(nats) */
  readonly sqrtKl: number;
  readonly low: number | undefined;
  readonly high: number | undefined;
  readonly gain: number;
}

/** Mean scores of the best of N answers of the start, by the proxy. */
export interface BestOfNPoint {
  readonly n: number;
  /** To the start, nats. */
  readonly kl: number;
  readonly proxy: number;
  readonly gold: number | undefined;
}

export interface OverOptimisation {
  readonly fitted: FittedGold | undefined;
  readonly bestOfN: readonly BestOfNPoint[];
}

/** One point of a reliability curve; an empty bin has no means. */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly predicted: number | undefined;
  readonly observed: number | undefined;
}

export interface Reliability {
  /** Of what, by its path in the file: empty for all rows, `length / 32-63`. */
  readonly name: string;
  /** Of some rows only. */
  readonly group: boolean;
  readonly bins: readonly ReliabilityBin[];
  readonly ece: number | undefined;
  readonly brier: number | undefined;
}

/** A number or text by its path in the file. */
export interface FigureOfFile {
  readonly name: string;
  readonly value: string | number;
}

/** A figure that people ask for first; the interval is one of 95%. */
export interface KeyFigure {
  readonly title: string;
  readonly meaning: string;
  readonly value: number;
  readonly low: number | undefined;
  readonly high: number | undefined;
  /** The standard error, where there is no interval. */
  readonly deviation: number | undefined;
}

/** A result of `attune evaluate` beside the run. */
export interface EvaluationFile {
  readonly file: string;
  readonly key: readonly KeyFigure[];
  readonly figures: readonly FigureOfFile[];
  /** Figures that are only in the file. */
  readonly omitted: number;
  readonly reliability: readonly Reliability[];
}

export interface RunData {
  /** Short and unique among the runs of a report. */
  readonly name: string;
  readonly folder: string;
  readonly summary: RunSummary;
  /** Options by the names of config.yaml, as text. */
  readonly settings: Readonly<Record<string, string>>;
  readonly train: MetricColumns;
  /** Keys without `eval_`. */
  readonly evaluation: MetricColumns;
  readonly samples: readonly ReportSample[];
  /** By step. */
  readonly alarms: readonly ReportAlarm[];
  readonly overOptimisation: OverOptimisation;
  readonly evaluations: readonly EvaluationFile[];
  /** What could not be read and was passed over. */
  readonly warnings: readonly string[];
}

/** What a policy is worth on prompts that nobody trained on: means over one answer to each. */
export interface PolicyResult {
  readonly policy: string;
  /** How it was made. */
  readonly how: string;
  readonly trueReward: number;
  readonly proxyReward: number;
  /** Against the SFT model by true reward, with an interval of 95%; undefined for that model itself. */
  readonly won: { readonly rate: number; readonly low: number; readonly high: number } | undefined;
  /** Nats per answer to the SFT model. */
  readonly kl: number;
  /** Tokens. */
  readonly length: number;
}

/** policies.json in a folder of runs. */
export interface PolicyComparison {
  readonly folder: string;
  readonly prompts: number;
  readonly policies: readonly PolicyResult[];
}
