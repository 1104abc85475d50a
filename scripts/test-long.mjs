// Runs everything that takes long: the usual tests, those below test/long, the oracles under every instruction set, and
// the oracles and invariants on CUDA's kernels over fibers. Its summary belongs into docs/test-long.md. Must not hide a run that failed: the exit code is theirs together.

import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

function step(name, args, environment = {}) {
  const started = Date.now();
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.stdout.write(result.stdout);
  const line = /^\d+ passed, \d+ failed$/m.exec(result.stdout.trimEnd().split("\n").at(-1) ?? "")?.[0];
  const seconds = Math.round((Date.now() - started) / 1000);
  return { name, seconds, line: line ?? "0 passed, 1 failed", ok: result.status === 0 && line !== undefined };
}

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
results.push(step("invariants, CUDA over fibers", ["scripts/test.mjs", "test/invariant"], cuda));
const passed = results.reduce((sum, { line }) => sum + Number(/^\d+/.exec(line)?.[0]), 0);
const failed = results.reduce((sum, { line }) => sum + Number(/(\d+) failed/.exec(line)?.[1]), 0);
console.log("\n| run | result | seconds |\n| --- | --- | --- |");
for (const { name, line, seconds } of results) console.log(`| ${name} | ${line} | ${seconds} |`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
