// Finds and loads the native addon, once and only when something needs it.
// Must not fall back silently: every failed place and its reason end up in the error.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { AttuneError, reasonOf } from "../errors/index.js";
import type { NativeAddon } from "./addon-types.js";

const NODE_API = 9;

/** The addon could not be loaded; `attempts` keeps what was tried. */
export class BackendLoadError extends AttuneError {
  override readonly name = "BackendLoadError";
  readonly attempts: readonly LoadAttempt[];

  constructor(message: string, attempts: readonly LoadAttempt[]) {
    const errors = attempts.map(({ error }) => error);
    super("ATTUNE_ADDON_LOAD", message, { cause: new AggregateError(errors, "every place failed") });
    this.attempts = attempts;
  }
}

export interface LoadAttempt {
  readonly place: string;
  readonly error: unknown;
}

export interface LoadPlaces {
  /** Path given by ATTUNE_ADDON: no other place is tried. */
  readonly explicit?: string | undefined;
  /** Folder of attune's package.json. */
  readonly root: string;
  readonly require: NodeJS.Require;
  readonly platform: string;
  readonly arch: string;
  /** Version of Node-API that this Node offers. */
  readonly napi: number;
}

/** The folder above this file that holds package.json: two levels up from lib/engine and from dist/engine. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

let loaded: NativeAddon | undefined;

/** The addon of this process or worker. Throws BackendLoadError. */
export function loadAddon(): NativeAddon {
  loaded ??= findAddon({
    explicit: process.env.ATTUNE_ADDON || undefined,
    root: packageRoot(),
    require: createRequire(import.meta.url),
    platform: process.platform,
    arch: process.arch,
    napi: Number(process.versions.napi),
  });
  return loaded;
}

/** Tries the places in order. Exported for tests. */
export function findAddon(places: LoadPlaces): NativeAddon {
  if (!(places.napi >= NODE_API)) {
    const text = `Expected a Node with Node-API ${NODE_API} or newer but this one offers ${places.napi}.`;
    throw new BackendLoadError(`${text} Use Node 20.19 or newer.`, []);
  }
  const attempts: LoadAttempt[] = [];
  for (const place of candidates(places)) {
    try {
      return places.require(place) as NativeAddon;
    } catch (error) {
      attempts.push({ place, error });
    }
  }
  throw new BackendLoadError(explain(places, attempts), attempts);
}

function candidates({ explicit, root, platform, arch }: LoadPlaces): string[] {
  if (explicit !== undefined) return [explicit];
  return [
    join(root, "build", "Release", "attune.node"),
    join(root, "build-cmake", "Release", "attune.node"),
    `attune-${platform}-${arch}/attune.node`,
  ];
}

function explain({ explicit, platform, arch, root }: LoadPlaces, attempts: readonly LoadAttempt[]): string {
  // Node adds the require stack behind the first line.
  const reasons = attempts.map(({ place, error }) => `  ${place}: ${reasonOf(error).split("\n")[0]}`);
  const head = `Could not load the native addon for ${platform}-${arch}. Tried:\n${reasons.join("\n")}`;
  const remedies =
    explicit === undefined
      ? remediesFor({ platform, arch, build: buildCommand(root) })
      : ["ATTUNE_ADDON names this file and rules out others: correct the path, or unset it."];
  return `${head}\nPossible solutions:\n${remedies.map((line) => `  - ${line}`).join("\n")}`;
}

interface Platform {
  readonly platform: string;
  readonly arch: string;
  /** Undefined where the sources are not. */
  readonly build: string | undefined;
}

/** In the repository its own script; in an installed package the command that compiles the shipped sources. */
function buildCommand(root: string): string | undefined {
  if (!existsSync(join(root, "native", "sources.json"))) return undefined;
  return existsSync(join(root, "scripts", "build.mjs")) ? "npm run build" : "npx attune build";
}

function remediesFor({ platform, arch, build }: Platform): string[] {
  const text = "Build it from the shipped sources (needs a C++20 compiler and CMake or Python 3)";
  const remedies = build === undefined ? [] : [`${text}: ${build}`];
  if (platform !== "linux" || arch !== "x64") {
    remedies.push(`There is no prebuilt package for ${platform}-${arch}; only linux-x64 is tested.`);
    return remedies;
  }
  remedies.push("Install the prebuilt package: npm i --include=optional");
  remedies.push(
    "A lock file written on another system can miss it: npm i --os=linux --cpu=x64 --libc=glibc, or remove the lock file.",
  );
  if (isMusl())
    remedies.push("This system uses musl; the prebuilt package needs glibc 2.34. Build from sources.");
  return remedies;
}

function isMusl(): boolean {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return process.platform === "linux" && report?.header?.glibcVersionRuntime === undefined;
}
