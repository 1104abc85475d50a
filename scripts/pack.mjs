// Makes the tarballs that npm would publish, in dist-packages/: `attune` and its platform package, at one exact version.
// The optional dependency on the platform package is written here only: in the repository npm would look it up.
// Flags: --addon=FILE packs an addon that is already built instead of building one without the emulated kernels,
// --target=DIR writes the tarballs there.
// Must not publish anything.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildNative, root } from "../native/build.mjs";

const flag = (name) => process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
const target = resolve(flag("target") ?? join(root, "dist-packages"));
const stage = join(target, "stage");
const platform = "attune-linux-x64";

function run(command, args, cwd = root) {
  const result = spawnSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (result.status === 0) return result.stdout;
  throw new Error(
    `${command} ${args.join(" ")} ended with ${result.status ?? result.error}\n${result.stdout}`,
  );
}

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const writeJson = (path, content) => writeFileSync(path, `${JSON.stringify(content, undefined, 2)}\n`);

/** The addon without the names of local symbols, beside its package.json, README and license. */
function stagePlatform(addon, version) {
  const folder = join(stage, platform);
  cpSync(join(root, "packages", platform), folder, { recursive: true });
  const found = readJson(join(folder, "package.json")).version;
  if (found !== version)
    throw new Error(`packages/${platform}/package.json: expected version ${version}, found ${found}`);
  cpSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  run("strip", ["-o", join(folder, "attune.node"), addon]);
  return folder;
}

/** What `files` names, with a package.json that has the platform package and no scripts of the repository. */
function stageMain(description) {
  const folder = join(stage, "attune");
  mkdirSync(folder);
  for (const name of description.files.filter((name) => !name.startsWith("!"))) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  const { scripts: _, ...kept } = description;
  writeJson(join(folder, "package.json"), {
    ...kept,
    optionalDependencies: { ...description.optionalDependencies, [platform]: description.version },
  });
  return folder;
}

/** Both checkers read the packed file, as a registry would. */
function check(tarball) {
  run(process.execPath, [join(root, "node_modules/publint/src/cli.js"), tarball, "--strict"]);
  // CommonJS callers use require() of ESM, which the lowest supported Node has.
  const attw = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js");
  run(process.execPath, [attw, tarball, "--profile", "esm-only", "--exclude-entrypoints", "./cli"]);
}

function main() {
  const given = flag("addon");
  const description = readJson(join(root, "package.json"));
  const addon =
    given === undefined
      ? buildNative({ tool: "cmake", folder: "build-package", emulated: false, addonOnly: true })
      : resolve(given);
  run(process.execPath, ["scripts/build.mjs", "--if-needed", "--scripts"]);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  const folders = [stageMain(description), stagePlatform(addon, description.version)];
  for (const folder of folders) {
    const [packed] = JSON.parse(run("npm", ["pack", folder, "--json", "--pack-destination", target]));
    const tarball = join(target, packed.filename);
    check(tarball);
    console.log(`${packed.filename}: ${packed.entryCount} files, ${(packed.size / 1e6).toFixed(2)} MB`);
  }
  rmSync(stage, { recursive: true });
}

try {
  main();
} catch (error) {
  console.error(`Packing failed. ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
