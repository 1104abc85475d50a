// The program of a child process: loads the addon and computes a little with it, so that a crash cannot take the parent
// along. Answers over the channel of `fork`. Must not print.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, listBackends } from "../engine/index.js";
import { AttuneError, reasonOf } from "../errors/index.js";
import { writeTinyModel } from "../world/index.js";
import type { ProbeAnswer } from "./doctor-report.js";

/** A tiny model through the kernels that this processor gets, in both number formats. */
async function compute(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "attune-doctor-"));
  try {
    await writeTinyModel({ folder, seed: 0 });
    const engine = await createEngine({ device: "cpu" });
    for (const dtype of ["fp32", "bf16"] as const) {
      const model = await engine.loadModel(folder, { dtype });
      const [values] = await model.logprobs([{ prompt: "a", completion: "bc" }]);
      if (values === undefined || !values.every((value) => value < 0))
        throw new Error(`the ${dtype} kernels give wrong numbers: ${values?.join(", ")}`);
      await model.dispose();
    }
    await engine.dispose();
    return engine.isa;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function answer(): Promise<ProbeAnswer> {
  try {
    const backends = listBackends();
    return { stage: "ok", backends, isa: await compute() };
  } catch (error) {
    const code = error instanceof AttuneError ? error.code : "ATTUNE_INTERNAL";
    return { stage: "failed", backends: [], reason: `${reasonOf(error)} [${code}]` };
  }
}

const reply = await answer();
process.send?.(reply, () => process.disconnect());
