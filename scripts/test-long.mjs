// Runs everything that takes long: the usual tests, those below test/long, the oracles under every instruction set, and
// the oracles and invariants on CUDA's kernels over fibers. Its summary belongs into docs/test-long.md. Must not hide a run
// that failed: the exit code is theirs together.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "../native/build.mjs";
import { countedStep, totalOf } from "./counted-steps.mjs";

const step = (name, args, environment) => countedStep({ name, args, environment });

/** Instruction sets that this machine can run, native and emulated, as the addon lists them. */
function instructionSets() {
  const result = spawnSync(process.execPath, ["dist/cli/main.js", "doctor", "--json"], {
    cwd: root,
    encoding: "utf8",
  });
  if (result.status !== 0) throw new Error(`attune doctor failed:\n${result.stderr}`);
  return JSON.parse(result.stdout)
    .isas.filter((isa) => isa.runnable)
    .map((isa) => isa.name);
}

/** Not the derivatives of every loss, which no device computes and which fibers would need hours for. */
function invariants() {
  const folder = join("test", "invariant");
  const files = readdirSync(join(root, folder)).filter((name) => name.endsWith(".test.ts"));
  return files.filter((name) => name !== "every-loss.test.ts").map((name) => join(folder, name));
}

const build = spawnSync(process.execPath, ["scripts/build.mjs", "--if-needed"], {
  cwd: root,
  stdio: "inherit",
});
if (build.status !== 0) process.exit(1);
const results = [step("all tests with test/long", ["scripts/test.mjs", "--long"])];
for (const isa of instructionSets()) {
  results.push(step(`oracles, ATTUNE_ISA=${isa}`, ["scripts/test.mjs", "--oracle"], { ATTUNE_ISA: isa }));
}
const cuda = { ATTUNE_TEST_DEVICE: "cuda" };
results.push(step("oracles, CUDA over fibers", ["scripts/test.mjs", "--oracle"], cuda));
results.push(step("invariants, CUDA over fibers", ["scripts/test.mjs", "--long", ...invariants()], cuda));
const { passed, failed, ok } = totalOf(results);
console.log("\n| run | result | seconds |\n| --- | --- | --- |");
for (const { name, line, seconds } of results) console.log(`| ${name} | ${line} | ${seconds} |`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = ok ? 0 : 1;
