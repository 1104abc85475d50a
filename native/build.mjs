// Compiles the addon from these sources: cmake-js where CMake is installed, else node-gyp. The repository's build and
// `attune build` in an installed package both run it. Must not need anything but Node before it has checked what is there.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync, rmSync, utimesSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of attune's package.json. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const jobs = "2";

/** Where each tool leaves the addon; the loader looks in these two places. */
export const addons = { cmake: "build-cmake/Release/attune.node", gyp: "build/Release/attune.node" };

function has(command, args, input) {
  return spawnSync(command, args, { input, encoding: "utf8" }).status === 0;
}

function run(command, args) {
  console.error(`> ${[command, ...args].join(" ").replaceAll(`${root}/`, "")}`);
  const result = spawnSync(process.execPath, [command, ...args], { cwd: root, stdio: "inherit" });
  if (result.status !== 0)
    throw new Error(`${command} ended with ${result.status ?? result.signal ?? result.error}`);
}

/** The JavaScript file of a build tool, or undefined where it is not installed. */
function program(name) {
  try {
    const file = createRequire(join(root, "package.json")).resolve(`${name}/package.json`);
    const { bin } = JSON.parse(readFileSync(file, "utf8"));
    return join(dirname(file), typeof bin === "string" ? bin : bin[name]);
  } catch {
    return undefined;
  }
}

/** Packages of npm that the build needs and that are not there, as `name@range`. */
function missingPackages(tool) {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const needed = [tool === "gyp" ? "node-gyp" : "cmake-js", "node-addon-api"];
  const require = createRequire(join(root, "package.json"));
  const there = (name) => {
    try {
      return require.resolve(`${name}/package.json`) !== "";
    } catch {
      return false;
    }
  };
  return needed.filter((name) => !there(name)).map((name) => `${name}@${devDependencies[name]}`);
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
  const packages = missingPackages(tool);
  if (packages.length > 0) missing.push(`packages of npm; run: npm i -D ${packages.join(" ")}`);
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

/**
 * Builds the addon and returns its path. `tool`: "cmake" or "gyp", else whichever is there. `folder` and `emulated` are
 * for packing: another folder, and no kernels over the emulated vector type. `addonOnly` leaves the plain C++ runner out.
 */
export function buildNative({
  tool: wanted,
  folder = "build-cmake",
  emulated = true,
  addonOnly = false,
} = {}) {
  const tool = pickTool(wanted);
  const missing = missingTools(tool);
  if (missing.length > 0) {
    throw new Error(
      `The addon cannot be built here. Missing:\n${missing.map((text) => `  - ${text}`).join("\n")}`,
    );
  }
  if (tool === "gyp") {
    run(program("node-gyp"), ["rebuild", "-j", jobs, "--loglevel=warn", ...nodedirArguments()]);
    return touch(join(root, addons.gyp));
  }
  dropForeign(join(root, folder));
  const definitions = emulated ? [] : ["--CDATTUNE_EMULATED=OFF"];
  // Other compilers warn of other things: only the project's own test run (.ci/run) refuses to go on.
  if (process.env.ATTUNE_STRICT === "1") definitions.push("--CDATTUNE_STRICT=ON");
  const target = addonOnly ? ["--target", "attune"] : [];
  run(program("cmake-js"), ["compile", "-O", folder, "-p", jobs, "-l", "warn", ...target, ...definitions]);
  return touch(join(root, folder, "Release", "attune.node"));
}

/**
 * A build folder that came along when the sources were copied or moved: its cache names the place where they were, and
 * CMake would go on compiling those without a word.
 */
export function dropForeign(folder) {
  const cache = join(folder, "CMakeCache.txt");
  if (!existsSync(cache)) return;
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, "utf8"))?.[1];
  if (home !== undefined && existsSync(home) && realpathSync(home) === realpathSync(root)) return;
  console.error(`removing ${folder}: it was made for the sources in ${home}`);
  rmSync(folder, { recursive: true });
}

/** A build that had nothing to do leaves the file's old time; it is current all the same. */
function touch(addon) {
  const now = new Date();
  utimesSync(addon, now, now);
  return addon;
}

/** `node native/build.mjs [--tool=cmake|gyp]` */
function main(args) {
  try {
    const tool = args.find((arg) => arg.startsWith("--tool="))?.slice("--tool=".length);
    // Whoever has only the package asks for no tests of kernels.
    console.log(`built ${buildNative({ tool, emulated: false, addonOnly: true })}`);
  } catch (error) {
    console.error(`\nBuild failed. ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
