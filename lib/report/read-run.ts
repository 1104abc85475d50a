// Reads the folder of a run: run.json, config.yaml, metrics.jsonl, samples.jsonl, alarms.jsonl and evaluations beside them.
// Whatever is missing stays empty; only a folder without metrics is no run. Must not write.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { fail, reasonOf } from "../errors/index.js";
import { readEvaluations } from "./read-evaluations.js";
import { asNumber, asObject, type JsonObject, readJsonLines, readObject } from "./read-lines.js";
import { readMetrics } from "./read-metrics.js";
import { readOverOptimisation } from "./read-over-optimisation.js";
import type { ReportAlarm, ReportSample, RunData, RunSummary } from "./run-data.js";

/** Damaged lines of a file that are named one by one. */
const mostLines = 5;

/**
 * The runs in the given folders; a folder that only holds runs stands for all of them.
 * @throws ATTUNE_FILE when a folder is missing or holds no run
 */
export async function readRuns(folders: readonly string[]): Promise<readonly RunData[]> {
  const found = [...new Set(folders.flatMap(runFolders))];
  const names = shortNames(found);
  const runs: RunData[] = [];
  for (const [i, folder] of found.entries()) runs.push(await readRun(folder, names[i] ?? folder));
  return runs;
}

function runFolders(folder: string): readonly string[] {
  if (!existsSync(folder)) throw noRun(folder, "it does not exist");
  if (!statSync(folder).isDirectory()) throw noRun(folder, "it is a file");
  if (existsSync(join(folder, "metrics.jsonl"))) return [folder];
  const inside = readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(path, "metrics.jsonl")))
    .toSorted((a, b) => startOf(a) - startOf(b));
  if (inside.length === 0) throw noRun(folder, "there is no metrics.jsonl in it, nor in the folders in it");
  return inside;
}

function noRun(folder: string, why: string) {
  const advice = "Give the --output of a training command, or a folder of such folders.";
  return fail("ATTUNE_FILE", `Expected the folder of a run but found ${folder}: ${why}. ${advice}`, {
    details: { path: folder },
  });
}

/** Runs of a common folder stand in the order in which they began. */
function startOf(folder: string): number {
  const started = Date.parse(text(readObject(join(folder, "run.json"))?.started) ?? "");
  return Number.isNaN(started) ? Number.POSITIVE_INFINITY : started;
}

/** The last part of each path; as many more as it takes to tell them apart. */
export function shortNames(folders: readonly string[]): readonly string[] {
  const whole = folders.map((folder) => resolve(folder));
  const taken = (parts: number) =>
    whole.map((folder) => {
      const names = [basename(folder)];
      for (let at = dirname(folder); names.length < parts && dirname(at) !== at; at = dirname(at))
        names.unshift(basename(at));
      return names.join("/");
    });
  for (let parts = 1; parts < 8; parts++) {
    const names = taken(parts);
    if (new Set(names).size === names.length) return names;
  }
  return whole;
}

async function readRun(folder: string, name: string): Promise<RunData> {
  const { train, evaluation, badLines } = await readMetrics(folder);
  const samples: ReportSample[] = [];
  const badSamples: number[] = [];
  await readJsonLines({
    file: join(folder, "samples.jsonl"),
    onLine: (line) => samples.push(sampleOf(line)),
    onBadLine: (line) => badSamples.push(line),
  });
  const { alarms, badAlarms } = await readAlarms(folder);
  const record = readObject(join(folder, "run.json"));
  const warnings: string[] = [];
  if (record === undefined)
    warnings.push("run.json is missing or no JSON object: command and status are unknown");
  const settings = readSettings(join(folder, "config.yaml"), warnings);
  // Of files, before single lines.
  warnings.push(
    ...passedOver("metrics.jsonl", badLines),
    ...passedOver("samples.jsonl", badSamples),
    ...passedOver("alarms.jsonl", badAlarms),
  );
  return {
    name,
    folder: resolve(folder),
    summary: summaryOf(record ?? {}),
    settings,
    train,
    evaluation,
    samples,
    alarms,
    overOptimisation: readOverOptimisation(record ?? {}),
    evaluations: readEvaluations(folder),
    warnings,
  };
}

/** A file of which every line is damaged is not told line by line. */
function passedOver(file: string, lines: readonly number[]): readonly string[] {
  const told = lines
    .slice(0, mostLines)
    .map((line) => `${file}:${line} is no JSON object and was passed over`);
  const rest = lines.length - told.length;
  return rest > 0 ? [...told, `${file}: ${rest} more lines are no JSON objects and were passed over`] : told;
}

function readSettings(file: string, warnings: string[]): Readonly<Record<string, string>> {
  if (!existsSync(file)) return {};
  try {
    const options = asObject(parse(readFileSync(file, "utf8"))) ?? {};
    return Object.fromEntries(
      Object.entries(options).map(([key, value]) => [
        key,
        Array.isArray(value) ? value.join(", ") : String(value),
      ]),
    );
  } catch (error) {
    warnings.push(`config.yaml cannot be read: ${reasonOf(error)}`);
    return {};
  }
}

function sampleOf(line: JsonObject): ReportSample {
  return {
    step: asNumber(line.step) ?? 0,
    prompt: String(line.prompt ?? ""),
    completion: String(line.completion ?? ""),
    finished: String(line.finished ?? ""),
    score: asNumber(line.score),
  };
}

/** By step; an alarm of one name that a resumed run gave again stands once. */
async function readAlarms(folder: string) {
  const alarms = new Map<string, ReportAlarm>();
  const badAlarms: number[] = [];
  await readJsonLines({
    file: join(folder, "alarms.jsonl"),
    onLine: (line) => {
      const { name, text } = line;
      const step = asNumber(line.step) ?? 0;
      alarms.set(`${step} ${name}`, { step, name: String(name ?? "alarm"), text: String(text ?? "") });
    },
    onBadLine: (line) => badAlarms.push(line),
  });
  return { alarms: [...alarms.values()].toSorted((a, b) => a.step - b.step), badAlarms };
}

function summaryOf(record: JsonObject): RunSummary {
  const result = asObject(record.result) ?? {};
  const error = asObject(record.error);
  const early = asObject(result.endedEarly);
  const resumes = Array.isArray(record.resumes) ? record.resumes : [];
  return {
    command: text(record.command) ?? "run",
    status: text(record.status) ?? "unknown",
    started: text(record.started),
    finished: text(record.finished),
    stepsDone: asNumber(record.stepsDone),
    stepsPlanned: asNumber(record.stepsPlanned),
    seconds: asNumber(result.seconds),
    bestStep: asNumber(result.bestStep),
    endedEarly: early === undefined ? undefined : { by: String(early.by), why: String(early.why) },
    machine: text(record.machine),
    versions: texts(record.versions),
    hashes: texts(record.hashes),
    rows: asObject(record.rows) ?? {},
    evaluationRows: asObject(record.evaluationRows) ?? {},
    error: error === undefined ? undefined : { code: String(error.code), message: String(error.message) },
    resumes: resumes.flatMap((one) => {
      const entry = asObject(one);
      return entry === undefined ? [] : { date: String(entry.date), step: asNumber(entry.step) ?? 0 };
    }),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function texts(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(asObject(value) ?? {}).map(([key, one]) => [key, String(one)]));
}
