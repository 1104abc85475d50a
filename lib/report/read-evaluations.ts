// Finds results of `attune evaluate` beside a run (JSON files in its folder) and takes figures and reliability curves
// out of them, wherever they stand in the file. Must not read other files of a run.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { keyFigures } from "./key-figures.js";
import { asNumber, asObject, type JsonObject } from "./read-lines.js";
import type { EvaluationFile, FigureOfFile, Reliability, ReliabilityBin } from "./run-data.js";

/** Figures beyond this many of one file are left to the file. */
const mostFigures = 200;
const largestFile = 32 * 2 ** 20;
/** Parts of a path that say nothing to people. */
const plainParts: ReadonlySet<string> = new Set(["calibration", "judged", "slices"]);

/** Files that are no JSON, or no object, are not results. */
export function readEvaluations(folder: string): readonly EvaluationFile[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json") && entry.name !== "run.json")
    .map(({ name }) => name)
    .toSorted()
    .flatMap((name) => {
      const content = parsedFile(join(folder, name));
      if (content === undefined) return [];
      const found = collect(content);
      const useful = found.figures.length + found.reliability.length > 0;
      if (!useful) return [];
      const { figures, reliability } = found;
      const shown = figures.slice(0, mostFigures);
      const omitted = figures.length - shown.length;
      return { file: name, key: keyFigures(figures), figures: shown, omitted, reliability };
    });
}

function parsedFile(path: string): JsonObject | undefined {
  try {
    const text = readFileSync(path, "utf8");
    return text.length > largestFile ? undefined : asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

interface Found {
  readonly figures: FigureOfFile[];
  readonly reliability: Reliability[];
}

function collect(content: JsonObject): Found {
  const found: Found = { figures: [], reliability: [] };
  visit(content, [], found);
  return found;
}

/** Lists are data of single rows, not figures; only a curve's bins are looked at. */
function visit(content: JsonObject, path: readonly string[], found: Found): void {
  const bins = binsOf(content.bins);
  if (bins !== undefined) {
    const name = path.filter((part) => !plainParts.has(part)).join(" / ");
    const group = path.includes("slices");
    found.reliability.push({ name, group, bins, ece: asNumber(content.ece), brier: asNumber(content.brier) });
  }
  for (const [key, value] of Object.entries(content)) {
    const inner = asObject(value);
    if (inner !== undefined) visit(inner, [...path, key], found);
    else if (typeof value === "number" || typeof value === "string")
      found.figures.push({ name: [...path, key].join(" / "), value });
  }
}

function binsOf(value: unknown): readonly ReliabilityBin[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const bins = value.map((one): ReliabilityBin | undefined => {
    const bin = asObject(one) ?? {};
    const [from, to, count] = [asNumber(bin.from), asNumber(bin.to), asNumber(bin.count)];
    if (from === undefined || to === undefined || count === undefined) return undefined;
    return { from, to, count, predicted: asNumber(bin.predicted), observed: asNumber(bin.observed) };
  });
  const whole = bins.filter((bin) => bin !== undefined);
  return whole.length === bins.length ? whole : undefined;
}
