// Everything about form: Biome, clang-format, the import rules and the generated docs tables. --write repairs what a
// program can repair. Must not change what code does.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const write = process.argv.includes("--write");

function nativeFiles() {
  return readdirSync(join(root, "native"), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(h|cpp|cu|cuh)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function check(name, command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  const ok = result.status === 0;
  console.log(`${ok ? "ok" : "FAILED"}: ${name}`);
  return ok;
}

const program = (name) => join(root, "node_modules/.bin", name);
const sources = nativeFiles();
if (sources.length === 0) throw new Error("no native source was found to check");
const results = [
  check("biome", program("biome"), ["check", "--error-on-warnings", ...(write ? ["--write"] : [])]),
  check(
    `clang-format, ${sources.length} files`,
    program("clang-format"),
    write ? ["-i", ...sources] : ["--dry-run", "-Werror", ...sources],
  ),
  check("types", program("tsc"), ["-p", "tsconfig.json"]),
  check("imports and lengths", process.execPath, ["scripts/imports.mjs"]),
  check("docs tables", process.execPath, [
    "--import",
    "tsx",
    "scripts/docs-tables.mjs",
    ...(write ? ["--write"] : []),
  ]),
  check("docs of the API", process.execPath, ["scripts/docs.mjs", ...(write ? [] : ["--check"])]),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
