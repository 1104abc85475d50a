// Builds the C++ checks of native/formats with the address and undefined-behaviour sanitisers and runs them.
// Needs only the C++ compiler that the addon needs; knows no format itself.
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("../..", import.meta.url));
const compiler = process.env.CXX ?? "c++";
const sanitisers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

async function sourcesIn(folder: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(join(root, folder));
  return names
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(root, folder, name));
}

function run(command: string, args: readonly string[]): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root });
    let output = "";
    child.stdout.on("data", (data: Buffer) => {
      output += data.toString();
    });
    child.stderr.on("data", (data: Buffer) => {
      output += data.toString();
    });
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output }));
  });
}

/** Where the compiler comes without the sanitisers' libraries the checks still run, and the output says so. */
async function availableSanitisers(folder: string): Promise<readonly string[]> {
  const source = join(folder, "empty.cpp");
  await writeFile(source, "int main() { return 0; }\n");
  const program = join(folder, "empty");
  const built = spawnSync(compiler, [...sanitisers, source, "-o", program]).status === 0;
  if (built && spawnSync(program).status === 0) return sanitisers;
  console.log(`      ${compiler} has no sanitisers here: over-reads would not be seen`);
  return [];
}

/** Compiles on two processors and returns the program. */
async function build(folder: string, flags: readonly string[]): Promise<string> {
  const sources = [
    ...(await sourcesIn("native/formats", /\.cpp$/)),
    ...(await sourcesIn("test/native", /^formats_.*\.cpp$/)),
    join(root, "native/core/error.cpp"),
  ];
  const objects = sources.map((source) => join(folder, `${basename(source)}.o`));
  const includes = [`-I${join(root, "native")}`, `-I${join(root, "test/native")}`];
  const waiting = [...sources.entries()];
  const compileNext = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [index, source] = next;
      const object = objects[index] ?? "";
      const { status, output } = await run(compiler, [
        ...["-std=c++20", "-O1", "-Wall", "-Wextra", ...flags, ...includes],
        ...["-c", source, "-o", object],
      ]);
      if (status !== 0) throw new Error(`${compiler} failed on ${source}:\n${output}`);
    }
  };
  await Promise.all([compileNext(), compileNext()]);
  const program = join(folder, "formats_test");
  const { status, output } = await run(compiler, [...flags, ...objects, "-o", program]);
  if (status !== 0) throw new Error(`${compiler} failed to link:\n${output}`);
  return program;
}

describe("native formats", function () {
  this.timeout(300_000);
  let folder = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "attune-native-formats-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("pass all their checks, and damaged files never make them read outside a file", async () => {
    const program = await build(folder, await availableSanitisers(folder));
    const { status, output } = await run(program, []);
    const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(output) ?? [];
    expect(Number(failed), output).to.equal(0);
    expect(Number(passed), output).to.be.greaterThan(250);
    expect(status, output).to.equal(0);
  });
});
