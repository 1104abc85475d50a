// Enforces the house: who may import whom in lib/ and native/, and how long files and functions may be.
// Fails when it looked at nothing. Run alone it prints every violation; tests call `checkHouse` on planted trees.

import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { libraryRooms, libraryTypes, limits, nativeRooms, ownHeaders, trainLoops } from "./import-rules.mjs";
import { longFunctions } from "./long-functions.mjs";

function files(folder, endings) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** The room of a file below `base`; a file directly in lib/ is a room of its own (`index`). */
function roomOf(base, file) {
  const parts = relative(base, file).split(sep);
  return parts.length === 1 ? parts[0].replace(/\.[a-z]+$/, "") : parts[0];
}

/** Imports of a TypeScript file: what is named, whether only types are. */
export function importsOf(text) {
  const code = text.replaceAll(/^\s*\/\/.*$/gm, "");
  const found = [];
  for (const match of code.matchAll(
    /^\s*(?:import|export)\s+(type\s)?(?:[^;"'`]*?\sfrom\s*)?["']([^"']+)["']/gm,
  )) {
    found.push({ name: match[2], typeOnly: match[1] !== undefined });
  }
  for (const match of code.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g)) {
    found.push({ name: match[1], typeOnly: false });
  }
  return found;
}

function checkLibraryFile(base, file, text) {
  const room = roomOf(base, file);
  const allowed = libraryRooms[room];
  const name = relative(dirname(base), file);
  if (allowed === undefined)
    return [`${name}: lib/${room} is no room of the house (scripts/import-rules.mjs)`];
  const wrong = [];
  for (const { name: imported, typeOnly } of importsOf(text)) {
    // The package by its own name would reach every room.
    if (/^attune(\/|$)/.test(imported))
      wrong.push(`${name}: ${room} must not import the package itself (${imported})`);
    if (!imported.startsWith(".")) continue;
    const target = resolve(dirname(file), imported);
    const other = roomOf(base, target);
    const sameRoom = other === room;
    const types = typeOnly && libraryTypes[room]?.includes(other);
    if (!sameRoom && !["errors", "options", ...allowed].includes(other) && !types) {
      wrong.push(`${name}: ${room} must not import ${other} (${imported})`);
    }
    const loop = relative(join(base, "train"), target).replace(/\.js$/, "");
    const own = relative(join(base, "train"), file).replace(/\.ts$/, "");
    if (room === "train" && own !== "index" && trainLoops.includes(loop) && loop !== own) {
      wrong.push(`${name}: a trainer must not import another's loop (${imported})`);
    }
  }
  return wrong;
}

function checkNativeFile(base, file, text) {
  const room = roomOf(base, file);
  const allowed = nativeRooms[room];
  const name = relative(dirname(base), file);
  if (allowed === undefined)
    return [`${name}: native/${room} is no room of the house (scripts/import-rules.mjs)`];
  const wrong = [];
  for (const [, header] of text.matchAll(/^\s*#\s*include\s+[<"]([^>"]+)[>"]/gm)) {
    const owner = ownHeaders[header];
    if (owner !== undefined && owner !== room) wrong.push(`${name}: only ${owner} may include ${header}`);
    const path = header.startsWith(".") ? relative(base, resolve(dirname(file), header)) : header;
    const other = path.includes(sep) ? path.split(sep)[0] : room;
    if (nativeRooms[other] === undefined || other === room || allowed.includes(other)) continue;
    if (allowed.includes("formula") && /^loss\/\w+_formula\.h$/.test(path)) continue;
    wrong.push(`${name}: ${room} must not include ${header}`);
  }
  return wrong;
}

function checkLength(root, file, text) {
  const name = relative(root, file);
  const lines = text.trimEnd().split("\n").length;
  const limit = /^lib\/train\//.test(name) ? limits.trainerLines : limits.fileLines;
  const wrong = lines > limit ? [`${name}: ${lines} lines, at most ${limit}`] : [];
  for (const { line, length, title } of longFunctions(file, text, limits.functionLines)) {
    wrong.push(`${name}:${line}: ${title} has ${length} lines, at most ${limits.functionLines}`);
  }
  return wrong;
}

/** Every violation below `root`, and how many files were looked at. */
export function checkHouse(root) {
  const library = files(join(root, "lib"), [".ts"]);
  const native = files(join(root, "native"), [".h", ".cpp", ".cu", ".cuh"]);
  const violations = [];
  for (const file of [...library, ...native]) {
    const text = readFileSync(file, "utf8");
    const isLibrary = library.includes(file);
    const check = isLibrary ? checkLibraryFile : checkNativeFile;
    violations.push(
      ...check(join(root, isLibrary ? "lib" : "native"), file, text),
      ...checkLength(root, file, text),
    );
  }
  if (library.length === 0) violations.push(`looked at no file below ${join(root, "lib")}`);
  if (native.length === 0) violations.push(`looked at no file below ${join(root, "native")}`);
  return { violations, looked: library.length + native.length };
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === self) {
  const { violations, looked } = checkHouse(join(dirname(self), ".."));
  for (const violation of violations) console.error(violation);
  console.log(`imports and lengths: ${looked} files, ${violations.length} violations`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
