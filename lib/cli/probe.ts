// The program of a child process: loads the addon and computes a little with it, so that a crash cannot take the parent
// along. Answers over the channel of `fork`. Must not print.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, listBackends } from "../engine/index.js";
import { AttuneError, reasonOf } from "../errors/index.js";
import { writeTinyModel } from "../world/index.js";
import { type ProbeAnswer, withoutGpu } from "./doctor-report.js";

/** A tiny model through the kernels that this machine gets, in both number formats. */
async function compute(device: "cpu" | `cuda:${number}`): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "attune-doctor-"));
  try {
    await writeTinyModel({ folder, seed: 0 });
    const engine = await createEngine({ device });
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

const send = (answer: ProbeAnswer): Promise<void> =>
  new Promise((resolve) => process.send?.(answer, () => resolve()));

/** Looking at a GPU says nothing of its kernels and of the settings: computing does. */
async function withGpuTried(answer: ProbeAnswer): Promise<ProbeAnswer> {
  const cuda = answer.backends.find(({ name }) => name === "cuda");
  const devices = cuda?.stage === "ok" ? (cuda.devices ?? []) : [];
  let found = answer;
  for (const { index } of devices) {
    // What is known where the process ends of it.
    await send({ ...withoutGpu(found, index, "computing on it"), trying: index });
    try {
      await compute(`cuda:${index}`);
    } catch (error) {
      found = withoutGpu(found, index, reasonOf(error));
    }
  }
  return found;
}

async function answer(): Promise<ProbeAnswer> {
  try {
    const backends = listBackends();
    return await withGpuTried({ stage: "ok", backends, isa: await compute("cpu") });
  } catch (error) {
    const code = error instanceof AttuneError ? error.code : "ATTUNE_INTERNAL";
    return { stage: "failed", backends: [], reason: `${reasonOf(error)} [${code}]` };
  }
}

await send(await answer());
process.disconnect();
