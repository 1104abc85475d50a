// `npm run test:cuda [-- --sanitize]`: the CUDA kernels on the GPU of this machine. Every op and whole steps in C++
// (native/tool/check-on-gpu.sh), engines, invariants, and the oracles where they are; what is missing is built first. The
// last line is `N passed, N failed`; where no GPU can be used that is a failure, and says so.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { root } from "../native/build.mjs";
import { countedStep, totalOf } from "./counted-steps.mjs";

const library = join(root, "build-cuda", "libattune-cuda.so");
const oracles = process.env.ATTUNE_ORACLE || resolve(root, "../shared/oracle");

function build(script, ...flags) {
  const { status } = spawnSync(process.execPath, [script, ...flags], { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error(`${script} ended with ${status}`);
}

/** Throws with what to say where the kernels cannot run or be built. */
function requireGpu() {
  const { status, stdout, error } = spawnSync("nvidia-smi", ["-L"], { encoding: "utf8" });
  const reason = error === undefined ? stdout.trim() : "there is no nvidia-smi";
  if (status !== 0) throw new Error(`No NVIDIA GPU can be used here (${reason}): nothing was tested.`);
  if (spawnSync("nvcc", ["--version"]).status !== 0)
    throw new Error("nvcc is not here, which compiles the kernels: nothing was tested.");
  console.log(stdout.trim());
}

function steps(flags) {
  const test = (name, ...args) =>
    countedStep({
      name,
      args: ["scripts/test.mjs", ...args],
      environment: { ATTUNE_CUDA: library, ATTUNE_TEST_DEVICE: "cuda" },
    });
  const results = [
    countedStep({ name: "ops and steps", command: "native/tool/check-on-gpu.sh", args: flags }),
    test("engines", "test/engine/cuda.test.ts"),
    test("invariants", "test/invariant"),
  ];
  if (existsSync(oracles)) return [...results, test("oracles", "--oracle")];
  console.log(`The oracles were not compared: ${oracles} does not exist.`);
  return results;
}

function main(args) {
  const unknown = args.find((arg) => arg !== "--sanitize");
  if (unknown !== undefined) throw new Error(`Unknown flag ${unknown}. Known: --sanitize.`);
  requireGpu();
  build("scripts/build.mjs", "--if-needed");
  build("scripts/build-cuda.mjs", "--if-needed");
  const results = steps(args);
  for (const { name, line, seconds } of results) console.log(`${name}: ${line} (${seconds} s)`);
  const { passed, failed, ok } = totalOf(results);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = ok ? 0 : 1;
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.log(error.message);
  console.log("0 passed, 1 failed");
  process.exitCode = 1;
}
