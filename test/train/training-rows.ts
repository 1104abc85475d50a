// Rows, a folder with a tokenizer and a metrics reader for the tests of trainers.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTinyModel } from "../support/tiny-model.js";

export const demonstrations = [
  { prompt: "a?", completion: " one" },
  { prompt: "bb?", completion: " two two" },
  { prompt: "ccc?", completion: " three" },
  { prompt: "d?", completion: " four and more" },
  { prompt: "ee?", completion: " five" },
];

export const pairs = [
  { prompt: "a?", chosen: " yes", rejected: " no no" },
  { prompt: "bb?", chosen: " yes please", rejected: " never" },
  { prompt: "ccc?", chosen: " y", rejected: " nothing" },
  { prompt: "d?", chosen: " yes sir", rejected: " no" },
  { prompt: "ee?", chosen: " yes yes", rejected: " not now" },
];

export interface Place {
  /** A folder that goes away. */
  readonly folder: string;
  /** A tiny model with its tokenizer. */
  readonly model: string;
  output(name?: string): string;
  /** The lines of metrics.jsonl of an output. */
  metrics(name?: string): Record<string, number>[];
  record(name?: string): Record<string, unknown>;
  remove(): void;
}

export function temporaryPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), "attune-train-"));
  const model = join(folder, "model");
  writeTinyModel({ folder: model });
  const output = (name = "run") => join(folder, name);
  return {
    folder,
    model,
    output,
    metrics: (name) =>
      readFileSync(join(output(name), "metrics.jsonl"), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, number>),
    record: (name) =>
      JSON.parse(readFileSync(join(output(name), "run.json"), "utf8")) as Record<string, unknown>,
    remove: () => rmSync(folder, { recursive: true }),
  };
}
