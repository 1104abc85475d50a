// `npm run build:cuda [-- --release] [--if-needed]`: compiles the CUDA kernels into build-cuda/libattune-cuda.so wherever nvcc
// is, GPU or not. For compute capabilities 8.0 and 9.0a; --release for all that the package has, and PTX for newer ones;
// --if-needed keeps a library that is newer than its sources and has all of them. Every warning is an error, and so is a
// kernel whose registers spill or that keeps an array in local memory. Must not need a GPU.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { root } from "../native/build.mjs";
import { cudaLibraryIsFresh, cudaRecord } from "./cuda-record.mjs";

const lists = JSON.parse(readFileSync(join(root, "native", "sources.json"), "utf8"));
const folder = join(root, "build-cuda");
const library = join(folder, "libattune-cuda.so");

const architectures = (release) => (release ? lists.gencode_release : lists.gencode);

/** Flags of nvcc for each architecture; a release has PTX too, for processors that come later. */
function targets(release) {
  const list = architectures(release);
  const flags = list.map((arch) => `-gencode=arch=compute_${arch},code=sm_${arch}`);
  return release ? [...flags, "-gencode=arch=compute_90,code=compute_90", "-Xfatbin=-compress-all"] : flags;
}

function nvcc(args) {
  return new Promise((resolve) => {
    const child = spawn("nvcc", args, { cwd: root });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (piece) => {
        text += piece;
      });
    child.on("error", (error) => resolve({ status: 1, text: error.message }));
    child.on("close", (status) => resolve({ status, text }));
  });
}

/** Kernels that ptxas gave memory of their own: no warning covers arrays that are indexed at run time. */
function slowKernels(text) {
  const lines = text.split("\n");
  return lines.flatMap((line, i) => {
    const frame = /(\d+) bytes stack frame/.exec(line)?.[1];
    const kernel = /for (\S+)/.exec(lines[i - 1] ?? "")?.[1];
    return frame === undefined || frame === "0" ? [] : [`${kernel}: ${line.trim()}`];
  });
}

async function compile(source, flags) {
  const object = join(folder, `${basename(source)}.o`);
  const { status, text } = await nvcc([
    ...lists.cuda_flags,
    ...flags,
    "-Inative",
    "-c",
    source,
    "-o",
    object,
  ]);
  const slow = slowKernels(text);
  if (status !== 0) throw new Error(`${source}: nvcc ended with ${status}\n${text}`);
  if (slow.length > 0) throw new Error(`${source}: kernels use local memory\n${slow.join("\n")}`);
  const kernels = (text.match(/Compiling entry function/g) ?? []).length;
  console.error(kernels === 0 ? source : `${source}: ${kernels} kernels, none spills`);
  return object;
}

/** Such as "13.0". */
function toolkitVersion() {
  const { status, stdout } = spawnSync("nvcc", ["--version"], { encoding: "utf8" });
  const version = /release ([0-9.]+)/.exec(stdout ?? "")?.[1];
  if (status !== 0 || version === undefined)
    throw new Error("Expected nvcc (CUDA 12 or 13) on PATH but there is none.");
  return version;
}

async function main(args) {
  const unknown = args.find((arg) => !["--release", "--if-needed"].includes(arg));
  if (unknown !== undefined) throw new Error(`Unknown flag ${unknown}. Known: --release, --if-needed.`);
  const release = args.includes("--release");
  if (args.includes("--if-needed") && cudaLibraryIsFresh(library, architectures(release)))
    return console.error(`${library}: nothing to do`);
  const cuda = toolkitVersion();
  mkdirSync(folder, { recursive: true });
  // A build that fails must not leave yesterday's library behind.
  for (const file of [library, cudaRecord(library)]) rmSync(file, { force: true });
  const flags = targets(release);
  const waiting = [...lists.cuda, ...lists.cuda_runtime, ...lists.cuda_host, ...lists.cuda_entry];
  const objects = [];
  const worker = async () => {
    for (let source = waiting.shift(); source !== undefined; source = waiting.shift())
      objects.push(await compile(source, flags));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  const shown = ["-Xlinker", "--version-script=native/cuda/exports.map"];
  const { status, text } = await nvcc([
    "-shared",
    "-cudart=static",
    ...shown,
    "-o",
    library,
    ...objects.toSorted(),
  ]);
  if (status !== 0) throw new Error(text);
  const record = { cuda, architectures: architectures(release), ptx: release };
  writeFileSync(cudaRecord(library), `${JSON.stringify(record)}\n`);
  console.error(`${library}: ${(statSync(library).size / 2 ** 20).toFixed(1)} MiB`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
