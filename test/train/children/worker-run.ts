// A training run in a worker thread; says how it ended. Its options come as workerData.options.

import { parentPort, workerData } from "node:worker_threads";
import { type DpoOptions, dpo } from "../../../lib/train/index.js";

const { options } = workerData as { readonly options: DpoOptions };
const { status, steps } = await dpo(options).result;
parentPort?.postMessage({ status, steps });
