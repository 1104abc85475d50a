// Starts a TypeScript file in a worker: Node 20 does not hand the loader of its parent down.
// Must not do anything else. workerData.file is the file to run.

import { workerData } from "node:worker_threads";
import { register } from "tsx/esm/api";

register();
await import(workerData.file);
