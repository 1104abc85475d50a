// Tiny models and rows for tests of evaluation. Must not evaluate anything.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeTinyModel } from "../support/tiny-model.js";

export interface PairRow {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
  readonly source: string;
  readonly label: number;
}

const foods = ["apples", "bread", "cheese", "dates", "eggs"];

/** 30 pairs: five prompts, two sources, four ties. */
export const pairs: readonly PairRow[] = Array.from({ length: 30 }, (_, i) => ({
  prompt: `What are ${foods[i % 5]}?`,
  chosen: ` They are ${"very ".repeat(i % 4)}good.`,
  rejected: ` Number ${i}.`,
  source: i % 3 === 0 ? "ai" : "human",
  label: i % 7 === 3 ? 0.5 : 1,
}));

/** Two policies of the same tokens, one of other weights than it was, and reward models of one head and of three. */
export function writeWorld(folder: string): void {
  const at = (name: string) => join(folder, name);
  writeTinyModel({ folder: at("policy"), seed: 4 });
  writeTinyModel({ folder: at("reference"), seed: 5 });
  writeTinyModel({ folder: at("reward"), kind: "reward", seed: 6 });
  writeFileSync(at("pairs.jsonl"), jsonLines(pairs));
}

export function jsonLines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}
