// The NEON kernels on a machine without NEON: cross compiles the C++ runner for 64-bit ARM and lets it compare every op
// with its reference under qemu-user. Prints `N passed, N failed` as its last line, the runner's own counts.
// Must not time anything, and must not pass when the NEON table was not among what ran.

import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { dropForeign, root } from "../native/build.mjs";

const folder = "build-neon";
const checker = join(root, folder, "attune-tool");
const compiler = "aarch64-linux-gnu-g++";
const emulator = "qemu-aarch64";
const system = "/usr/aarch64-linux-gnu";
/** A small family, enough to see which table a run picks. */
const few = ["copy"];

function requirePrograms() {
  const packages = {
    [compiler]: "g++-aarch64-linux-gnu",
    [emulator]: "qemu-user",
    cmake: "cmake",
    make: "make",
  };
  const missing = Object.keys(packages).filter((name) => spawnSync(name, ["--version"]).status !== 0);
  if (missing.length === 0) return;
  const names = missing.map((name) => packages[name]).join(" ");
  throw new Error(`Missing: ${missing.join(", ")}. On Debian: apt-get install ${names}`);
}

function run(command, args) {
  console.log(`> ${[command, ...args].join(" ").replaceAll(`${root}/`, "")}`);
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error(`${command} ended with ${status ?? signal ?? error}`);
}

function build() {
  dropForeign(join(root, folder));
  const definitions = [
    "CMAKE_TOOLCHAIN_FILE=native/cross/aarch64-linux-gnu.cmake",
    "CMAKE_BUILD_TYPE=Release",
  ];
  if (process.env.ATTUNE_STRICT === "1") definitions.push("ATTUNE_STRICT=ON");
  run("cmake", [
    "-S",
    ".",
    "-B",
    folder,
    "--no-warn-unused-cli",
    ...definitions.map((definition) => `-D${definition}`),
  ]);
  run("cmake", ["--build", folder, "--target", "attune-tool", "-j", "2"]);
}

/** What a run of the runner printed; it is shown as it comes. */
function check(args, isa) {
  console.log(
    `> ${emulator} attune-tool check ${args.join(" ")}${isa === undefined ? "" : `  (ATTUNE_ISA=${isa})`}`,
  );
  const env = { ...process.env, ATTUNE_ISA: isa ?? "" };
  const child = spawn(emulator, ["-L", system, checker, "check", ...args], { cwd: root, env });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      text += data;
      process.stdout.write(data);
    });
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, text }));
  });
}

/** Counts of the line that ends a run, or that ends one table (`isa neon: `). */
function countsOf(text, isa) {
  const start = isa === undefined ? "" : `isa ${isa}: `;
  const [, passed, failed] = new RegExp(`^${start}(\\d+) passed, (\\d+) failed$`, "m").exec(text) ?? [];
  return { passed: Number(passed ?? 0), failed: Number(failed ?? 0) };
}

/** Adds up runs; a run that ended badly without a failure of its own, or that misses a table, is one more failure. */
async function checkAll() {
  const runs = [
    { args: ["--isa", "all"], isas: ["neon", "scalar"] },
    { args: few, isas: ["neon"] },
    { args: few, isa: "scalar", isas: ["scalar"] },
  ];
  const total = { passed: 0, failed: 0 };
  for (const { args, isa, isas } of runs) {
    const { code, text } = await check(args, isa);
    const { passed, failed } = countsOf(text);
    total.passed += passed;
    total.failed += failed;
    if (code !== 0 && failed === 0) total.failed += 1;
    for (const name of isas) {
      if (countsOf(text, name).passed > 0) continue;
      console.log(`FAILED: nothing was compared on ${name}`);
      total.failed += 1;
    }
  }
  return total;
}

try {
  requirePrograms();
  build();
  const { passed, failed } = await checkAll();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
