// Starts a worker thread from a file of this package, compiled or run from its TypeScript sources.
// Must not know what it does.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { type ResourceLimits, Worker } from "node:worker_threads";

export interface StartThread {
  /** Of the compiled file, beside the caller's: new URL("name.js", import.meta.url). */
  readonly file: URL;
  readonly workerData: unknown;
  readonly resourceLimits?: ResourceLimits;
}

/** A thread is a file of the compiled package; run from its TypeScript sources, it needs their loader first. */
export function startThread({ file, ...options }: StartThread): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(file, options);
  // Its module form: `import.meta.resolve` would find it, but is not there when this file was loaded by require().
  const path = createRequire(import.meta.url)
    .resolve("tsx/esm/api")
    .replace(/\.cjs$/, ".mjs");
  const loader = JSON.stringify(pathToFileURL(path).href);
  const source = JSON.stringify(file.href.replace(/\.js$/, ".ts"));
  const code = `import(${loader}).then(({ register }) => { register(); return import(${source}); })`;
  return new Worker(code, { eval: true, ...options });
}
