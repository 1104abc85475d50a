// The oldest system that a packed binary runs on, as the binary itself tells, and what a library of CUDA kernels may need
// and show. As a program: `node scripts/package-floors.mjs FILE`, which prints all of it as JSON. Must not build or pack.

import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { oldestDriver, readCudaRecord } from "./cuda-record.mjs";
import { leastVersion, readElf } from "./elf.mjs";

/** Part of every glibc system with a C++ runtime. The driver is opened at run time and not among what is needed. */
const systemLibraries = [
  "ld-linux-x86-64.so.2",
  "libc.so.6",
  "libdl.so.2",
  "libgcc_s.so.1",
  "libm.so.6",
  "libpthread.so.0",
  "librt.so.1",
  "libstdc++.so.6",
];

/** { glibc, libstdcxx, driver?, capabilities?, ptx? }: versions as text; the last three where the binary has kernels for GPUs. */
export function floorsOf(binary) {
  const { versions } = readElf(binary);
  const record = readCudaRecord(binary);
  const floors = { glibc: leastVersion(versions, "GLIBC"), libstdcxx: leastVersion(versions, "GLIBCXX") };
  if (record === undefined) return floors;
  return { ...floors, driver: oldestDriver(record), capabilities: record.architectures, ptx: record.ptx };
}

/** One line of text. */
export function floorsText({ glibc, libstdcxx, driver, capabilities, ptx }) {
  const system = `glibc ${glibc}, libstdc++ with GLIBCXX_${libstdcxx}`;
  if (driver === undefined) return system;
  const later = ptx ? ", PTX for later ones" : "";
  return `${system}, driver ${driver}, kernels for sm_${capabilities.join(", sm_")}${later}`;
}

/** Throws where more than the system is needed, or where other libraries could link with more than `exported`. */
export function expectPackable(binary, exported) {
  const { needed, exported: found } = readElf(binary);
  const foreign = needed.filter((name) => !systemLibraries.includes(name));
  if (foreign.length > 0) throw new Error(`${basename(binary)} needs ${foreign.join(", ")}`);
  const extra = found.filter((name) => !exported.includes(name));
  if (extra.length > 0)
    throw new Error(
      `${basename(binary)}: expected ${exported.join(", ")} alone, also shows ${extra.join(", ")}`,
    );
}

const [, program, file] = process.argv;
if (program === fileURLToPath(import.meta.url)) {
  const { needed, exported } = readElf(file);
  console.log(JSON.stringify({ ...floorsOf(file), needed, exported }));
}
