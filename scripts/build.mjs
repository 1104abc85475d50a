// Builds the addon and the JavaScript: cmake-js where CMake is installed, else node-gyp, then tsc.
// Flags: --if-needed (only what is older than its sources), --native (the addon only), --tool=cmake|gyp (one of them).
// Must not need anything but Node before it has checked what is there.

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const jobs = "2";
const nativeSources = ["native", "CMakeLists.txt", "binding.gyp"];
const addons = { cmake: "build-cmake/Release/attune.node", gyp: "build/Release/attune.node" };

/** Newest change below a path, in milliseconds; 0 when there is nothing. */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function changed(sources, output) {
  const built = statSync(join(root, output), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Math.max(...sources.map((source) => newest(join(root, source)))) > built;
}

function has(command, args, input) {
  const result = spawnSync(command, args, { input, encoding: "utf8" });
  return result.status === 0;
}

function run(command, args) {
  const shown = [command.replace(`${root}/`, ""), ...args].join(" ");
  console.error(`> ${shown}`);
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (result.status !== 0)
    throw new Error(`${shown} ended with ${result.status ?? result.signal ?? result.error}`);
}

/** What is missing, each with what to do about it. */
function missingTools(tool) {
  const missing = [];
  const compiler = process.env.CXX ?? (has("c++", ["--version"]) ? "c++" : "g++");
  const probe = "#include <span>\n#include <concepts>\nint main() { return std::span<int>().size(); }\n";
  if (!has(compiler, ["-std=c++20", "-fsyntax-only", "-x", "c++", "-"], probe)) {
    missing.push(
      `a C++20 compiler (${compiler} does not compile C++20): g++ 11 or clang 14 and newer; Debian: apt install g++`,
    );
  }
  if (tool === "none") {
    missing.push(
      "CMake 3.19 or newer with make (Debian: apt install cmake make), or Python 3 with make for node-gyp",
    );
  }
  return missing;
}

function pickTool(wanted) {
  const make = has("make", ["--version"]) || has("ninja", ["--version"]);
  const cmake = make && has("cmake", ["--version"]);
  const python = make && has(process.env.PYTHON ?? "python3", ["--version"]);
  if (wanted === "cmake") return cmake ? "cmake" : "none";
  if (wanted === "gyp") return python ? "gyp" : "none";
  if (cmake) return "cmake";
  if (!python) return "none";
  console.error(
    "CMake was not found: building the addon with node-gyp instead (slower to rebuild, same addon).",
  );
  return "gyp";
}

/** Headers beside this Node, so that node-gyp downloads nothing where they are installed. */
function nodedirArguments() {
  const prefix = join(dirname(process.execPath), "..");
  const given =
    process.env.npm_config_nodedir !== undefined || !existsSync(join(prefix, "include/node/node_api.h"));
  return given ? [] : [`--nodedir=${prefix}`];
}

function buildNative(wanted) {
  const tool = pickTool(wanted);
  const missing = missingTools(tool);
  if (missing.length > 0) {
    throw new Error(
      `The addon cannot be built here. Missing:\n${missing.map((text) => `  - ${text}`).join("\n")}`,
    );
  }
  const program = (name) => join(root, "node_modules/.bin", name);
  if (!existsSync(program("cmake-js")))
    throw new Error("The build tools are not installed. Run: npm install");
  const cmake = tool === "cmake";
  // Other compilers warn of other things: only the project's own test run (.ci/run) refuses to go on.
  const strict = process.env.ATTUNE_STRICT === "1" ? ["--CDATTUNE_STRICT=ON"] : [];
  if (cmake) run(program("cmake-js"), ["compile", "-O", "build-cmake", "-p", jobs, "-l", "warn", ...strict]);
  else run(program("node-gyp"), ["rebuild", "-j", jobs, "--loglevel=warn", ...nodedirArguments()]);
  // A build that had nothing to do leaves the file's old time; it is current all the same.
  const now = new Date();
  utimesSync(join(root, cmake ? addons.cmake : addons.gyp), now, now);
}

/** The other tool's addon, when it is older than the sources: the loader must not find yesterday's build. */
function dropStale() {
  for (const addon of Object.values(addons)) {
    if (!existsSync(join(root, addon)) || !changed(nativeSources, addon)) continue;
    console.error(`removing ${addon}: it is older than the sources`);
    rmSync(join(root, addon));
  }
}

function buildScripts() {
  rmSync(join(root, "dist"), { recursive: true, force: true });
  run(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"]);
  // `npx attune` inside the repository runs the file itself.
  chmodSync(join(root, "dist/cli/main.js"), 0o755);
}

function main(args) {
  const ifNeeded = args.includes("--if-needed");
  const nativeOnly = args.includes("--native");
  const wanted = args.find((arg) => arg.startsWith("--tool="))?.slice("--tool=".length);
  const nativeFresh = Object.values(addons).some((addon) => !changed(nativeSources, addon));
  if (!ifNeeded || !nativeFresh) buildNative(wanted);
  dropStale();
  const scriptsFresh = !changed(["lib", "tsconfig.json", "tsconfig.build.json"], "dist/cli/main.js");
  if (!nativeOnly && !(ifNeeded && scriptsFresh)) buildScripts();
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(`\nBuild failed. ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
