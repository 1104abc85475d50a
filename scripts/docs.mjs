// Writes docs/api/ from the types and comments of what the package exports (attune, attune/feedback, attune/server) with
// TypeDoc, as Markdown. With --check it writes nothing and fails when docs/api/ is not what it would write, or when there is
// nothing to compare.
// Must not need a build.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const target = join(root, "docs", "api");

/** What can be imported, and where its pages are: the first one's folder is emptied, the others lie inside. */
const entries = [
  { name: "attune", file: "lib/index.ts", folder: "." },
  { name: "attune/feedback", file: "lib/feedback/index.ts", folder: "feedback" },
  { name: "attune/server", file: "lib/server/index.ts", folder: "server" },
];

function generate(folder) {
  for (const entry of entries) generateOne(entry, join(folder, entry.folder));
}

function generateOne({ name, file }, folder) {
  const result = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/typedoc/bin/typedoc"),
      "--options",
      join(root, "typedoc.json"),
      ...["--entryPoints", file, "--name", name],
      "--out",
      folder,
    ],
    { cwd: root, stdio: ["ignore", "ignore", "inherit"] },
  );
  if (result.status !== 0) throw new Error(`typedoc of ${name} ended with ${result.status ?? result.error}`);
}

function pages(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
}

/** Pages that are missing, superfluous or different. */
function stalePages(fresh) {
  const names = new Set([...pages(fresh), ...pages(target)]);
  const text = (folder, name) =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : "";
  return [...names].filter((name) => text(fresh, name) !== text(target, name));
}

function main() {
  if (!process.argv.includes("--check")) {
    generate(target);
    console.log(`docs/api: ${pages(target).length} pages`);
    return;
  }
  const fresh = mkdtempSync(join(tmpdir(), "attune-docs-"));
  try {
    generate(fresh);
    const stale = stalePages(fresh);
    for (const name of stale) console.error(`docs/api/${name} is stale; run: npm run docs`);
    const count = pages(fresh).length;
    console.log(`docs/api: ${count} pages, stale: ${stale.length}`);
    process.exitCode = count === 0 || stale.length > 0 ? 1 : 0;
  } finally {
    rmSync(fresh, { recursive: true });
  }
}

main();
