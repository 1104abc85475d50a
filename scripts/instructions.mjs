// Counts the instructions of fixed cases of the C++ runner under callgrind and holds them against bench/instructions.json:
// how fast the kernels are, without a clock. --write renews that file. Builds nothing: run it after the build. Must not
// compare counts of different compilers, nor pass when it counted nothing. The last line is `N passed, N failed`.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const file = "bench/instructions.json";
const isa = "avx2";
/**
 * valgrind shows every program the same processor with AVX2, so the C library picks the same copies everywhere; these but for
 * `rep movsb`, which would count each byte as an instruction.
 */
const tunables = "glibc.cpu.hwcaps=-ERMS,-FSRM";
/** How far a count may be from the committed one, either way. */
const tolerance = 0.03;
const advice = "npm run test:instructions -- --write";

/** Where CMake leaves the runner, with one configuration and with several. */
function findTool() {
  const places = ["build-cmake/attune-tool", "build-cmake/Release/attune-tool"];
  const found = places.find((place) => existsSync(join(root, place)));
  if (found === undefined) throw new Error(`Expected ${places[0]}. Build it with: npm run build:native`);
  return join(root, found);
}

function run(command, args) {
  const env = { ...process.env, ATTUNE_ISA: isa, GLIBC_TUNABLES: tunables };
  const result = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 26, env });
  if (result.error?.code === "ENOENT")
    throw new Error(`Expected ${command}. Debian: apt-get install ${command}`);
  if (result.status !== 0) {
    const said = (result.error?.message ?? result.stderr).trim();
    throw new Error(`${command} ${args.join(" ")} ended with ${result.status ?? result.signal}:\n${said}`);
  }
  return result;
}

/** What the runner was compiled with, and the names of its cases. */
function describe(tool) {
  const lines = run(tool, ["list"]).stdout.split("\n");
  const values = (key) =>
    lines.filter((line) => line.startsWith(`${key} `)).map((l) => l.slice(key.length + 1));
  return { compiler: values("compiler")[0] ?? "unknown", cases: values("case") };
}

/** Instructions of one case: of what the runner does within attune_counted(), on one thread. */
function count(tool, name) {
  const args = ["--tool=callgrind", "--toggle-collect=attune_counted", "--callgrind-out-file=/dev/null"];
  const { stderr } = run("valgrind", [...args, tool, "case", name]);
  const collected = Number(/Collected\s*:\s*(\d+)/.exec(stderr)?.[1] ?? 0);
  if (collected === 0) throw new Error(`callgrind counted nothing of the case ${name}:\n${stderr}`);
  return collected;
}

/** One row of the table. */
function compare(name, counted, committed) {
  if (committed === undefined) return { name, counted, ok: false, note: `not in ${file}` };
  if (counted === undefined) return { name, committed, ok: false, note: "the runner has no such case" };
  const difference = counted / committed - 1;
  const ok = Math.abs(difference) <= tolerance;
  const note = ok ? "" : difference > 0 ? "more than committed" : "fewer than committed";
  return { name, counted, committed, difference, ok, note };
}

function print(rows) {
  const wide = Math.max(...rows.map(({ name }) => name.length));
  const number = (value) => (value === undefined ? "-" : value.toLocaleString("en-US")).padStart(14);
  for (const { name, counted, committed, difference, ok, note } of rows) {
    const percent = difference === undefined ? "" : `${(100 * difference).toFixed(2)} %`;
    const line = [name.padEnd(wide), number(committed), number(counted), percent.padStart(9)].join("  ");
    console.log(`${ok ? "ok    " : "FAILED"}  ${line}  ${note}`.trimEnd());
  }
}

function committedCounts() {
  if (!existsSync(join(root, file))) throw new Error(`Expected ${file}. Write it with: ${advice}`);
  return JSON.parse(readFileSync(join(root, file), "utf8"));
}

function countAll(tool, cases) {
  if (cases.length === 0) throw new Error("The runner has no cases.");
  return Object.fromEntries(cases.map((name) => [name, count(tool, name)]));
}

function write() {
  const tool = findTool();
  const { compiler, cases } = describe(tool);
  const counts = countAll(tool, cases);
  writeFileSync(join(root, file), `${JSON.stringify({ compiler, isa, counts }, null, 2)}\n`);
  console.log(`wrote ${cases.length} counts to ${file}`);
}

function check() {
  const committed = committedCounts();
  const tool = findTool();
  const { compiler, cases } = describe(tool);
  if (committed.compiler !== compiler)
    throw new Error(
      `Expected a runner compiled with ${committed.compiler}, as the counts of ${file} were, but it is of ${compiler}. ` +
        `Counts of different compilers cannot be compared: use that one, or renew them with: ${advice}`,
    );
  const counts = countAll(tool, cases);
  const names = [...new Set([...cases, ...Object.keys(committed.counts)])];
  const rows = names.map((name) => compare(name, counts[name], committed.counts[name]));
  print(rows);
  const failed = rows.filter(({ ok }) => !ok).length;
  if (failed > 0)
    console.log(
      `Counts may differ by ${100 * tolerance} %. Where the change is meant, also to fewer, renew them: ${advice}`,
    );
  return { passed: rows.length - failed, failed };
}

function checked() {
  try {
    return check();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return { passed: 0, failed: 1 };
  }
}

if (process.argv.includes("--write")) {
  write();
} else {
  const { passed, failed } = checked();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}
