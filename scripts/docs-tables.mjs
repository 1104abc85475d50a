// Keeps the generated parts of the docs current: option tables and JSON Schemas come from the schemas, error codes,
// reasons for dropped rows, losses and metrics from their tables, speed from what bench/results keeps; every error code has
// its heading in troubleshooting.md.
// Without --write it only compares, and fails when something is stale or when there was nothing to compare.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { speedMarkdown } from "../bench/speed-tables.ts";
import { dropReasons } from "../lib/data/index.ts";
import { errorCodes } from "../lib/errors/index.ts";
import { commandSchemas, lossesMarkdown, optionsJsonSchema, optionsMarkdown } from "../lib/options/index.ts";
import { metricsMarkdown } from "../lib/report/metric-table.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const marked =
  /(<!-- (options|errors|reasons|metrics|losses|speed) (\S+(?: \S+)?): generated -->\n)([\s\S]*?)(<!-- end of \2 -->)/g;
/** Commands with a configuration file. */
const configured = [
  "sft",
  "dpo",
  "kto",
  "reward",
  "ppo",
  "rloo",
  "grpo",
  "online-dpo",
  "generate",
  "evaluate",
  "score",
  "feedback serve",
];

function optionsTable(name) {
  const schema = commandSchemas[name];
  if (schema === undefined) throw new Error(`no options are declared for "${name}"`);
  return optionsMarkdown(schema);
}

function errorsTable() {
  const rows = Object.entries(errorCodes).map(([code, { meaning, exitCode }]) => {
    return `| [\`${code}\`](troubleshooting.md#${code.toLowerCase()}) | ${exitCode} | ${meaning} |`;
  });
  return ["| code | exit | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

const reasonsRows = () =>
  Object.entries(dropReasons)
    .map(([reason, text]) => `| \`${reason}\` | ${text} |`)
    .join("\n");

const makers = {
  options: optionsTable,
  errors: errorsTable,
  reasons: reasonsRows,
  metrics: metricsMarkdown,
  losses: lossesMarkdown,
  speed: speedMarkdown,
};

/** The page with its tables made new, and how many there were. */
function renewed(text) {
  let tables = 0;
  const page = text.replaceAll(marked, (_, open, kind, name, __, close) => {
    tables += 1;
    return `${open}${makers[kind](name)}\n${close}`;
  });
  return { page, tables };
}

/** Every file with generated parts: its path, what it says and what it should say. */
function* generatedFiles() {
  for (const entry of readdirSync(join(root, "docs"), { withFileTypes: true, recursive: true })) {
    if (!entry.name.endsWith(".md")) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, "utf8");
    const { page, tables } = renewed(text);
    if (tables > 0) yield { path, text, page, tables };
  }
  for (const command of configured) {
    const path = join(root, "docs", "schema", `${command.replaceAll(" ", "-")}.json`);
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    yield { path, text, page: `${JSON.stringify(optionsJsonSchema(command), undefined, 2)}\n`, tables: 1 };
  }
}

/** Error codes that troubleshooting.md does not explain, and headings there that are no codes. */
function headingProblems() {
  const text = readFileSync(join(root, "docs", "troubleshooting.md"), "utf8");
  const headings = [...text.matchAll(/^## (.*)$/gm)].map((match) => match[1]);
  return [
    ...Object.keys(errorCodes).filter((code) => !headings.includes(code)),
    ...headings.filter((heading) => !(heading in errorCodes)),
  ];
}

function main(write) {
  let tables = 0;
  let stale = 0;
  for (const file of generatedFiles()) {
    tables += file.tables;
    if (file.page === file.text) continue;
    if (write) {
      mkdirSync(dirname(file.path), { recursive: true });
      writeFileSync(file.path, file.page);
    } else {
      stale += 1;
      console.error(`${file.path.slice(root.length + 1)}: a generated part is stale; run: npm run format`);
    }
  }
  const headings = headingProblems();
  for (const code of headings)
    console.error(`docs/troubleshooting.md: ${code} is no heading there, or no error code`);
  if (tables === 0) console.error("no generated table was found below docs/");
  console.log(
    `docs tables: ${tables}, stale: ${stale}, headings without code or codes without heading: ${headings.length}`,
  );
  process.exitCode = tables === 0 || stale > 0 || headings.length > 0 ? 1 : 0;
}

main(process.argv.includes("--write"));
