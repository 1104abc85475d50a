// Writes reports: a page, pictures, or both. Must not know who asks for them.

import { mkdirSync, readFileSync, renameSync, rmSync, type Stats, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fail, reasonOf } from "../errors/index.js";
import { dataElement, reportPage } from "./page.js";
import { renderPng } from "./png.js";
import { readPolicies } from "./read-policies.js";
import { readRuns } from "./read-run.js";
import { picturesOf } from "./svg-pictures.js";

export interface WriteReportOptions {
  /** Folders of runs, or folders of such folders. */
  readonly runs: readonly string[];
  /** The page to write. */
  readonly output: string;
  /** Folder for the plots as PNG; needs @resvg/resvg-js. */
  readonly png?: string | undefined;
  /** Folder for the plots as SVG. */
  readonly svg?: string | undefined;
  readonly clock?: () => Date;
}

export interface WrittenReport {
  readonly page: string;
  /** Names of the runs in it. */
  readonly runs: readonly string[];
  /** Paths of the plots. */
  readonly pictures: readonly string[];
  /** What could not be read and was passed over, by run. */
  readonly warnings: readonly string[];
}

/**
 * Reads runs and writes them as one page, and as pictures where asked for.
 * @throws ATTUNE_FILE when a folder holds no run or PNG cannot be made, ATTUNE_OUTPUT_EXISTS when something else than an
 * earlier report is at `output`, ATTUNE_OUTPUT when a file cannot be written
 */
export async function writeReport(options: WriteReportOptions): Promise<WrittenReport> {
  const { runs: folders, output, png, svg, clock = () => new Date() } = options;
  requireReplaceable(output);
  const runs = await readRuns(folders);
  const comparisons = folders.flatMap((folder) => readPolicies(folder) ?? []);
  const drawn = png === undefined && svg === undefined ? [] : picturesOf(runs);
  const rendered = png === undefined ? [] : await renderPng(drawn);
  const page = reportPage({ runs, comparisons, date: clock() });
  const files: (readonly [string, string | Uint8Array])[] = [[output, page]];
  if (svg !== undefined) files.push(...drawn.map((one) => [join(svg, `${one.name}.svg`), one.svg] as const));
  if (png !== undefined)
    files.push(...rendered.map((one) => [join(png, `${one.name}.png`), one.png] as const));
  for (const [path, content] of files) writePart(path, content);
  return {
    page: output,
    runs: runs.map(({ name }) => name),
    pictures: files.slice(1).map(([path]) => path),
    warnings: runs.flatMap(({ name, warnings }) => warnings.map((text) => `${name}: ${text}`)),
  };
}

/** The page of one run in its own folder, which a trainer may be given as `report`. Resolves with its path. */
export async function writeRunReport(folder: string): Promise<string> {
  const output = join(folder, "report.html");
  await writeReport({ runs: [folder], output });
  return output;
}

/** An earlier report is written again; anything else that is there may be somebody's only copy. */
function requireReplaceable(path: string): void {
  const found = foundAt(path);
  if (found === undefined || (found.isFile() && isReport(path))) return;
  const what = found.isFile() ? "is no report" : "is no file";
  const text = `Expected --output to be a new file or an earlier report but ${path} ${what}. Choose another place.`;
  throw fail("ATTUNE_OUTPUT_EXISTS", text, { details: { path } });
}

/** What cannot be looked at cannot be written either, and the writing says why. */
function foundAt(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function isReport(path: string): boolean {
  try {
    return readFileSync(path, "utf8").includes(dataElement);
  } catch {
    return false;
  }
}

/** A whole file or none, in a folder that is made if need be. Throws ATTUNE_OUTPUT. */
function writePart(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, content);
    renameSync(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    const text = `Cannot write ${path}: ${reasonOf(error)}. Choose another place, with enough free space.`;
    throw fail("ATTUNE_OUTPUT", text, { cause: error, details: { path } });
  }
}

/** What could not be written may not be there to remove, nor its folder; the failed write is what counts. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The folder is none.
  }
}
