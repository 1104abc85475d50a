// Makes the tarballs that npm would publish, in dist-packages/: `attune` and its platform packages, at one exact version.
// The optional dependencies on those are written here only: in the repository npm would look them up.
// Flags: --addon=FILE packs an addon that is already built instead of building one without the emulated kernels,
// --cuda=FILE a library of CUDA kernels instead of that of `npm run build:cuda -- --release`, which is built where it is
// older than its sources (needs nvcc), --cuda=off none, --target=DIR writes the tarballs there.
// Prints sizes, and what each binary needs of the system.
// Must not publish anything.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildNative, root } from "../native/build.mjs";
import { expectPackable, floorsOf, floorsText } from "./package-floors.mjs";

const flag = (name) => process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
const target = resolve(flag("target") ?? join(root, "dist-packages"));
const stage = join(target, "stage");
const platform = "attune-linux-x64";
const cudaPackage = `${platform}-cuda`;
const cudaLibrary = "libattune-cuda.so";
/** npm fetches it on machines without a GPU too. */
const mostCudaBytes = 30e6;

function run(command, args, cwd = root) {
  const result = spawnSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (result.status === 0) return result.stdout;
  throw new Error(
    `${command} ${args.join(" ")} ended with ${result.status ?? result.error}\n${result.stdout}`,
  );
}

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const writeJson = (path, content) => writeFileSync(path, `${JSON.stringify(content, undefined, 2)}\n`);

/** A binary without the names of local symbols, beside its package.json, README and license. */
function stagePlatform({ name, file, binary, version }) {
  const folder = join(stage, name);
  cpSync(join(root, "packages", name), folder, { recursive: true });
  const found = readJson(join(folder, "package.json")).version;
  if (found !== version)
    throw new Error(`packages/${name}/package.json: expected version ${version}, found ${found}`);
  cpSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  run("strip", ["-o", join(folder, file), binary]);
  return folder;
}

/** The library of CUDA kernels; undefined where none is wanted. */
function cudaKernels(given) {
  if (given === "off") return undefined;
  if (given !== undefined) return resolve(given);
  run(process.execPath, ["scripts/build-cuda.mjs", "--release", "--if-needed"]);
  return join(root, "build-cuda", cudaLibrary);
}

/** What goes into the platform packages. */
function binariesOf({ addon, cuda, version }) {
  expectPackable(addon, ["napi_register_module_v1", "node_api_module_get_api_version_v1"]);
  const binaries = [{ name: platform, file: "attune.node", binary: addon, version }];
  if (cuda === undefined) return binaries;
  expectPackable(cuda, ["attune_backend_entry"]);
  const { size } = statSync(cuda);
  if (size > mostCudaBytes)
    throw new Error(`${cuda}: expected less than ${mostCudaBytes / 1e6} MB, found ${size / 1e6}`);
  return [...binaries, { name: cudaPackage, file: cudaLibrary, binary: cuda, version }];
}

/** What `files` names, with a package.json that has the platform packages and no scripts of the repository. */
function stageMain(description, platforms) {
  const folder = join(stage, "attune");
  mkdirSync(folder);
  for (const name of description.files.filter((name) => !name.startsWith("!"))) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  const { scripts: _, ...kept } = description;
  writeJson(join(folder, "package.json"), {
    ...kept,
    optionalDependencies: {
      ...description.optionalDependencies,
      ...Object.fromEntries(platforms.map((name) => [name, description.version])),
    },
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
  const cuda = cudaKernels(flag("cuda"));
  run(process.execPath, ["scripts/build.mjs", "--if-needed", "--scripts"]);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  const { version } = description;
  const binaries = binariesOf({ addon, cuda, version });
  const names = binaries.map(({ name }) => name);
  const folders = [stageMain(description, names), ...binaries.map(stagePlatform)];
  for (const folder of folders) {
    const [packed] = JSON.parse(run("npm", ["pack", folder, "--json", "--pack-destination", target]));
    const tarball = join(target, packed.filename);
    check(tarball);
    const [size, whole] = [packed.size, packed.unpackedSize].map((bytes) => (bytes / 1e6).toFixed(2));
    console.log(`${packed.filename}: ${size} MB, ${packed.entryCount} files of ${whole} MB`);
  }
  for (const { file, binary } of binaries) console.log(`${file} needs ${floorsText(floorsOf(binary))}`);
  rmSync(stage, { recursive: true });
}

try {
  main();
} catch (error) {
  console.error(`Packing failed. ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
