// Builds the addon (native/build.mjs) and the JavaScript (tsc).
// Flags: --if-needed (only what is older than its sources), --native (the addon only), --scripts (the JavaScript only),
// --tool=cmake|gyp (one of them).
// Must not need anything but Node before it has checked what is there.

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { addons, buildNative, root } from "../native/build.mjs";

const nativeSources = ["native", "CMakeLists.txt", "binding.gyp"];

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
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  if (!existsSync(compiler)) throw new Error("The build tools are not installed. Run: npm install");
  console.error("> tsc -p tsconfig.build.json");
  const args = [compiler, "-p", "tsconfig.build.json"];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error(`tsc ended with ${status}`);
  // Scripts and styles that pages carry as they are.
  for (const pages of ["report/page", "web"])
    cpSync(join(root, "lib", pages), join(root, "dist", pages), {
      recursive: true,
      filter: (path) => !path.endsWith(".d.ts"),
    });
  // `npx attune` inside the repository runs the file itself.
  chmodSync(join(root, "dist/cli/main.js"), 0o755);
}

function main(args) {
  const ifNeeded = args.includes("--if-needed");
  const nativeOnly = args.includes("--native");
  const tool = args.find((arg) => arg.startsWith("--tool="))?.slice("--tool=".length);
  const nativeFresh = Object.values(addons).some((addon) => !changed(nativeSources, addon));
  if (!args.includes("--scripts")) {
    if (!ifNeeded || !nativeFresh) buildNative({ tool });
    dropStale();
  }
  const scriptsFresh = !changed(["lib", "tsconfig.json", "tsconfig.build.json"], "dist/cli/main.js");
  if (!nativeOnly && !(ifNeeded && scriptsFresh)) buildScripts();
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(`\nBuild failed. ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
