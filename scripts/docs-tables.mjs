// Keeps the generated tables of the docs current: options come from the schemas, error codes from their table.
// Without --write it only compares, and fails when a table is stale or when there was none to compare.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { errorCodes } from "../lib/errors/index.ts";
import { commandSchemas, optionsMarkdown } from "../lib/options/index.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const marked = /(<!-- (options|errors) (\S+): generated -->\n)([\s\S]*?)(\n<!-- end of \2 -->)/g;

function optionsTable(name) {
  const schema = commandSchemas[name];
  if (schema === undefined) throw new Error(`no options are declared for "${name}"`);
  return optionsMarkdown(schema);
}

function errorsTable() {
  const rows = Object.entries(errorCodes).map(([code, { meaning, exitCode }]) => {
    return `| \`${code}\` | ${exitCode} | ${meaning} |`;
  });
  return ["| code | exit | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The page with its tables made new, and how many there were. */
function renewed(text) {
  let tables = 0;
  const page = text.replaceAll(marked, (_, open, kind, name, __, close) => {
    tables += 1;
    return `${open}${kind === "errors" ? errorsTable() : optionsTable(name)}${close}`;
  });
  return { page, tables };
}

const write = process.argv.includes("--write");
let tables = 0;
let stale = 0;
for (const entry of readdirSync(join(root, "docs"), { withFileTypes: true, recursive: true })) {
  if (!entry.name.endsWith(".md")) continue;
  const path = join(entry.parentPath, entry.name);
  const text = readFileSync(path, "utf8");
  const { page, tables: found } = renewed(text);
  tables += found;
  if (page === text) continue;
  if (write) writeFileSync(path, page);
  else {
    stale += 1;
    console.error(`${path.slice(root.length + 1)}: a generated table is stale; run: npm run format`);
  }
}
if (tables === 0) console.error("no generated table was found below docs/");
console.log(`docs tables: ${tables}, stale: ${stale}`);
process.exitCode = tables === 0 || stale > 0 ? 1 : 0;
