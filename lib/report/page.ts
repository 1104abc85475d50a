// Puts a report's page together: sections, styles and scripts in one file that asks no network for anything.
// Must not write files.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Html, html, jsonForScript } from "./html.js";
import type { PolicyComparison, RunData } from "./run-data.js";
import { curvesSection, figuresSection } from "./sections-curves.js";
import { evaluationsSection } from "./sections-evaluations.js";
import { alarmsSection, overOptimisationSection } from "./sections-over-optimisation.js";
import { policiesSection } from "./sections-policies.js";
import { runsSection } from "./sections-runs.js";
import { samplesSection } from "./sections-samples.js";
import { machineSection, rowsSection, settingsSection } from "./sections-settings.js";

export interface PageOptions {
  readonly runs: readonly RunData[];
  readonly comparisons?: readonly PolicyComparison[];
  /** When the report is written. */
  readonly date: Date;
}

/** Every report has this element and hardly anything else has: by it a page is known as one. */
export const dataElement = '<script type="application/json" id="report-data">';

/** Modules of the page's own script, each behind those that it uses. */
const modules = ["format-value.js", "smooth.js", "chart-data.js", "chart.js", "main.js"];
const pageFolder = join(dirname(fileURLToPath(import.meta.url)), "page");

/** The whole page. */
export function reportPage({ runs, comparisons = [], date }: PageOptions): string {
  const title = `${runs.map(({ name }) => name).join(", ")}: training report`;
  const curves = curvesSection(runs);
  const sections: readonly (readonly [string, string, Html])[] = [
    ["policies", "The policies", policiesSection(comparisons, runs)],
    ["runs", runs.length === 1 ? "The run" : "The runs", runsSection(runs)],
    ["alarms", "Alarms", alarmsSection(runs)],
    ["over-optimisation", "Over-optimisation", overOptimisationSection(runs)],
    ["curves", "Curves", curves.section],
    ["figures", "First, last, best", figuresSection(runs)],
    ["samples", "Answers", samplesSection(runs)],
    ["evaluations", "Evaluations", evaluationsSection(runs)],
    ["rows", "Data", rowsSection(runs)],
    ["settings", "Settings", settingsSection(runs)],
    ["machine", "Machine", machineSection(runs)],
  ];
  const filled = sections.filter(([, , section]) => section.html !== "");
  const links = filled.map(([id, name]) => html`<a href="#${id}">${name}</a>`);
  const styles = `${plotAsset("uPlot.min.css")}\n${pageAsset("page.css")}`;
  const scripts = [plotAsset("uPlot.iife.min.js"), pageScript()];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy(scripts)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${{ html: styles }}</style>
</head>
<body>
<header><h1>${runs.length === 1 ? runs[0]?.name : `${runs.length} runs compared`}</h1>
<p class="quiet">${introduction(runs)}</p>
<nav aria-label="Sections">${links}</nav></header>
<main>
${filled.map(([, , section]) => section)}</main>
<footer><p>Written by attune report on ${date.toISOString().slice(0, 16).replace("T", " ")} UTC. This file needs nothing else: keep it, send it, print it.</p></footer>
${{ html: dataElement }}${jsonForScript(curves.data)}</script>
${scripts.map((script) => html`<script>${{ html: script }}</script>`)}
</body>
</html>
`.html;
}

const commands = new Intl.ListFormat("en-GB", { type: "conjunction" });

function introduction(runs: readonly RunData[]): string {
  // A run whose run.json cannot be read has the name "run".
  const known = [...new Set(runs.map(({ summary }) => summary.command).filter((name) => name !== "run"))];
  const of = known.length === 0 ? "" : ` of attune ${commands.format(known)}`;
  const what = runs.length === 1 ? `A training run${of}` : `Training runs${of}`;
  return `${what}: how it went, what the model says before and after, what it was trained on, and with which settings.`;
}

/** Only the scripts of this very page may run, and nothing may be fetched. */
function policy(scripts: readonly string[]): string {
  const hashes = scripts.map((script) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`);
  return `default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; script-src ${hashes.join(" ")}`;
}

/** One classic script of all modules: a page that is opened from a disk may not import any. */
function pageScript(): string {
  const parts = modules.map((name) =>
    pageAsset(name)
      .replaceAll(/^import [^;]*;$/gm, "")
      .replaceAll(/^export /gm, ""),
  );
  return `(() => {\n"use strict";\n${parts.join("\n")}})();\n`;
}

function pageAsset(name: string): string {
  return readFileSync(join(pageFolder, name), "utf8");
}

function plotAsset(name: string): string {
  const plot = createRequire(import.meta.url).resolve("uplot/package.json");
  return readFileSync(join(dirname(plot), "dist", name), "utf8");
}
