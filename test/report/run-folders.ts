// Folders of runs as training commands leave them, for the tests of reports. Must not call what is tested.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Line = Readonly<Record<string, unknown>>;

export interface RunFolderContent {
  readonly folder: string;
  readonly command?: string;
  readonly status?: string;
  /** Lines of training; `dpoLines(count)` makes some. */
  readonly lines: readonly Line[];
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly samples?: readonly Line[];
  readonly alarms?: readonly Line[];
  readonly record?: Line;
  /** By file name. */
  readonly evaluations?: Readonly<Record<string, unknown>>;
}

export function writeRunFolder(content: RunFolderContent): string {
  const {
    folder,
    command = "dpo",
    status = "done",
    lines,
    settings = {},
    samples = [],
    alarms = [],
    evaluations = {},
  } = content;
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const jsonl = (items: readonly Line[]) => items.map((item) => `${JSON.stringify(item)}\n`).join("");
  const trained = lines.filter(({ split }) => split === "train");
  const record = {
    formatVersion: 1,
    command,
    status,
    started: "2026-03-01T10:00:00.000Z",
    finished: "2026-03-01T10:12:00.000Z",
    versions: { attune: "0.1.0", node: "20.19.0" },
    machine: "A processor, 2 threads, 23.5 GiB, linux x64",
    hashes: { "pairs.jsonl": "a".repeat(64) },
    rows: {
      read: 330,
      kept: 320,
      truncated: 4,
      ties: 3,
      bad: 2,
      badMessages: ["pairs.jsonl:7: no JSON"],
      dropped: { too_long: 8 },
    },
    stepsPlanned: trained.length,
    stepsDone: trained.length,
    result: { seconds: 718 },
    ...content.record,
  };
  write("run.json", JSON.stringify(record));
  write("metrics.jsonl", jsonl(lines));
  const options = { model: "path/to/model", "learning-rate": 1e-6, beta: 0.1, ...settings };
  write(
    "config.yaml",
    Object.entries(options)
      .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
      .join(""),
  );
  if (samples.length > 0) write("samples.jsonl", jsonl(samples));
  if (alarms.length > 0) write("alarms.jsonl", jsonl(alarms));
  for (const [name, value] of Object.entries(evaluations)) write(name, JSON.stringify(value));
  return folder;
}

export interface DpoLines {
  readonly steps: number;
  /** Evaluations every so many steps, and before the first. */
  readonly evalEvery?: number;
  /** Moves the curves, so that two runs differ. */
  readonly shift?: number;
}

/** Lines of a run that goes well: the loss falls, noise on it, no randomness. */
export function dpoLines({ steps, evalEvery = 0, shift = 0 }: DpoLines): Line[] {
  const lines: Line[] = [];
  const evaluate = (step: number) => {
    const progress = 1 - Math.exp((-3 * step) / steps);
    lines.push({
      step,
      split: "eval",
      eval_loss: Math.LN2 - (0.2 + shift) * progress,
      "eval_rewards/accuracies": 0.5 + 0.2 * progress,
      eval_ms: 1000,
    });
  };
  if (evalEvery > 0) evaluate(0);
  for (let step = 1; step <= steps; step++) {
    const progress = 1 - Math.exp((-3 * step) / steps);
    const noise = 0.05 * Math.sin(12.9898 * step) * Math.cos(step / 3);
    lines.push({
      step,
      split: "train",
      loss: Math.LN2 - (0.25 + shift) * progress + noise,
      entropy: 1.6 - 0.2 * progress,
      mean_token_accuracy: 0.5 + 0.1 * progress + noise,
      "rewards/chosen": 0.2 * progress + noise,
      "rewards/rejected": -0.9 * progress + noise,
      "rewards/margins": 1.1 * progress,
      "rewards/accuracies": 0.5 + 0.25 * progress + noise,
      "logps/chosen": -94 - 3 * progress + noise,
      tokens: 3000,
      tokens_computed: 2000,
      learning_rate: 1e-6 * (1 - step / (steps + 1)),
      grad_norm: 1.2 + 4 * noise,
      num_tokens: 3000 * step,
      step_ms: 2400 + 1000 * noise,
      tokens_per_second: 1250,
      peak_rss_bytes: 1_024_737_280 + 1e6 * Math.min(step, 50),
    });
    if (evalEvery > 0 && step % evalEvery === 0) evaluate(step);
  }
  return lines;
}

/** Ten bins of a model that is a little too sure of itself. */
export function reliabilityBins(): readonly Line[] {
  return Array.from({ length: 10 }, (_, i) => ({
    from: i / 10,
    to: (i + 1) / 10,
    count: 40 - 4 * Math.abs(i - 5),
    predicted: (i + 0.5) / 10,
    observed: 0.5 + 0.7 * ((i + 0.5) / 10 - 0.5),
  }));
}
