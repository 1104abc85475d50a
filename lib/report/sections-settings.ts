// Tables that set runs side by side: what became of the rows, settings, machine, versions. Must not read files.

import { type Html, html, scrollTable } from "./html.js";
import type { RunData } from "./run-data.js";
import { duration, moment, swatch } from "./sections-runs.js";

interface ComparedRow {
  readonly name: string;
  /** [runs] empty where a run has no such value. */
  readonly values: readonly string[];
}

/** Counts by the names of run.json; others are shown under their own name. */
const countNames: Readonly<Record<string, string>> = {
  read: "read",
  kept: "used",
  truncated: "truncated to --max-length, and used",
  ties: "ties: neither side judged better, and used",
  bad: "bad: could not be read, and skipped",
  split: "pairs taken apart into single answers",
  desirable: "good answers",
  undesirable: "bad answers",
  merged: "merged: joined an earlier row of their prompt",
  duplicates: "duplicates: judged the same way before, and used",
  contradictions: "contradictions: judged the other way before, and used",
  bothBad: "both bad: call both answers bad",
  "dropped / identical": "dropped: chosen and rejected are identical",
  "dropped / tie": "dropped: neither side is better",
  "dropped / too_long": "dropped: longer than --max-length",
  "dropped / prompt_too_long": "dropped: the prompt alone fills --max-length",
  "dropped / no_target": "dropped: nothing to train on after the first token",
  "dropped / empty_prompt": "dropped: the prompt has no token in this vocabulary",
  "dropped / empty_answer": "dropped: an answer says nothing",
  "dropped / identical_when_cut": "dropped: identical after cutting to --max-length",
};

/** Counts that are shown though they are 0. */
const alwaysShown: ReadonlySet<string> = new Set(["read", "kept", "truncated", "ties", "bad"]);

function comparedTable(
  label: string,
  runs: readonly RunData[],
  rows: readonly ComparedRow[],
  mark: boolean,
): Html {
  const head = html`<tr><th></th>${runs.map(({ name }, i) => html`<th>${runs.length > 1 ? swatch(i, runs.length) : undefined}${name}</th>`)}</tr>`;
  const body = rows.map(({ name, values }) => {
    const differs = runs.length > 1 && new Set(values).size > 1;
    const kind = !mark ? "" : differs ? "differs" : "same";
    return html`<tr class="${kind}"><th scope="row" class="free">${name}</th>${values.map((value) => html`<td class="free">${value}</td>`)}</tr>
`;
  });
  return scrollTable(label, head, body);
}

/** One row per name that any run has, in the order of first sight. */
function compared(
  all: readonly (ReadonlyMap<string, string> | Readonly<Record<string, string>>)[],
): readonly ComparedRow[] {
  const maps = all.map((one) => (one instanceof Map ? one : new Map(Object.entries(one))));
  const names = [...new Set(maps.flatMap((map) => [...map.keys()]))];
  return names.map((name) => ({ name, values: maps.map((map) => map.get(name) ?? "") }));
}

export function rowsSection(runs: readonly RunData[]): Html {
  const parts = [
    { title: "Rows of training", of: (run: RunData) => run.summary.rows },
    { title: "Rows of evaluation", of: (run: RunData) => run.summary.evaluationRows },
  ].flatMap(({ title, of }) => {
    const rows = compared(runs.map((run) => counts(of(run))));
    if (rows.length === 0) return [];
    return html`<h3>${title}</h3>${comparedTable(title, runs, rows, false)}`;
  });
  const messages = runs.flatMap(({ summary }) => {
    const { badMessages } = summary.rows;
    return Array.isArray(badMessages)
      ? badMessages.slice(0, 10).map((text) => html`<li>${String(text)}</li>`)
      : [];
  });
  if (parts.length === 0) return html``;
  return html`<section id="rows"><h2>Data</h2>
<p>What became of every row: nothing is left out without being counted here, and what is not named did not happen.</p>
${parts}${messages.length === 0 ? undefined : html`<p>The first bad rows:</p><ul>${messages}</ul>`}</section>
`;
}

/** Numbers of an object and of objects in it, under their names; dropped rows by reason. */
function counts(rows: Readonly<Record<string, unknown>>, path = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(rows)) {
    const name = `${path}${key}`;
    const plain = name.replaceAll("_", " ").replaceAll(" / ", ": ");
    if (typeof value === "number") {
      if (value !== 0 || alwaysShown.has(name))
        found.set(countNames[name] ?? plain, value.toLocaleString("en-US"));
    } else if (typeof value === "string" || typeof value === "boolean") found.set(plain, String(value));
    else if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      const inner = counts(value as Record<string, unknown>, `${name} / `);
      for (const [innerName, text] of inner) found.set(innerName, text);
    }
  }
  return found;
}

export function settingsSection(runs: readonly RunData[]): Html {
  const rows = compared(runs.map(({ settings }) => settings));
  if (rows.length === 0) return html``;
  const several = runs.length > 1;
  const filter = html`<input type="checkbox" id="only-different"><label for="only-different"> only settings that differ</label>`;
  return html`<section id="settings"><h2>Settings</h2>
<p>Every option of ${several ? "the runs; rows marked ≠ differ between them" : "the run"}, as config.yaml holds them.</p>
${several ? filter : undefined}
${comparedTable("Settings", runs, rows, true)}</section>
`;
}

export function machineSection(runs: readonly RunData[]): Html {
  const rows = compared(
    runs.map(({ summary }) => {
      const { machine, versions, hashes, started, finished, seconds } = summary;
      const facts: (readonly [string, string | undefined])[] = [
        ["machine", machine],
        ...Object.entries(versions).map(([name, version]) => [`version of ${name}`, version] as const),
        ["began", started === undefined ? undefined : moment(started)],
        ["ended", finished === undefined ? undefined : moment(finished)],
        ["time of all steps", seconds === undefined ? undefined : duration(seconds)],
        ...Object.entries(hashes).map(([path, hash]) => [`SHA-256 of ${path}`, hash] as const),
      ];
      return new Map(facts.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
    }),
  );
  if (rows.length === 0) return html``;
  return html`<section id="machine"><h2>Machine and versions</h2>
<p>What made the run${runs.length > 1 ? "s" : ""}: the same code, data and seed on the same machine give the same bits.</p>
${comparedTable("Machine and versions", runs, rows, true)}</section>
`;
}
