// Starts a worker thread from a file of this package, compiled or run from its TypeScript sources.
// Must not know what it does.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ResourceLimits, Worker } from "node:worker_threads";

export interface StartThread {
  /** Of the compiled file, beside the caller's: new URL("name.js", import.meta.url). */
  readonly file: URL;
  readonly workerData: unknown;
  readonly resourceLimits?: ResourceLimits;
}

/** A thread is a file of the compiled package; run from its TypeScript sources, those are made one file first. */
export function startThread({ file, ...options }: StartThread): Worker {
  // How the program's text came in, such as `node --input-type=module -e`, is not how a thread's does: Node refuses that.
  const execArgv = process.execArgv.filter((flag) => !flag.startsWith("--input-type"));
  const own = import.meta.url.endsWith(".ts") ? compiledFromSources(file) : file;
  return new Worker(own, { ...options, execArgv });
}

/** What this module needs of esbuild, which is there where the sources are run (tsx brings it). */
interface Bundler {
  buildSync(options: {
    readonly entryPoints: readonly string[];
    readonly bundle: true;
    readonly packages: "external";
    readonly format: "esm";
    readonly platform: "node";
    readonly write: false;
  }): { readonly outputFiles: readonly { readonly text: string }[] };
}

const compiled = new Map<string, string>();

/** Loading the sources one by one would take every new thread two seconds; so it takes the first one half a second. */
function compiledFromSources(file: URL): string {
  const source = fileURLToPath(file).replace(/\.js$/, ".ts");
  const known = compiled.get(source);
  if (known !== undefined) return known;
  const require = createRequire(import.meta.url);
  const { buildSync } = require("esbuild") as Bundler;
  const { outputFiles } = buildSync({
    entryPoints: [source],
    ...{ bundle: true, packages: "external", format: "esm", platform: "node", write: false },
  });
  const text = outputFiles[0]?.text ?? "";
  // Beside the packages that it imports.
  const folder = join(dirname(dirname(require.resolve("esbuild/package.json"))), ".cache", "attune-threads");
  const path = join(folder, `${createHash("sha256").update(text).digest("hex").slice(0, 16)}.mjs`);
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const own = `${path}.${process.pid}`;
    writeFileSync(own, text);
    // Whole or not at all: other processes may be about to run it.
    renameSync(own, path);
  }
  compiled.set(source, path);
  return path;
}
