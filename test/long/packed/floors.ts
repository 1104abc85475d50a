// What the packed binaries need of a system, beside what README promises, and that they show nothing but their entry.
// Must not read a binary by itself: scripts/package-floors.mjs does.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { expect } from "chai";
import { addonPackage, cudaPackage, type PackedProject, root } from "./packed-project.js";

interface Floors {
  readonly glibc: string;
  readonly libstdcxx: string;
  readonly driver?: number;
  readonly capabilities?: readonly string[];
  readonly needed: readonly string[];
  readonly exported: readonly string[];
}

function floorsOf(binary: string): Floors {
  const words = ["scripts/package-floors.mjs", binary];
  return JSON.parse(execFileSync(process.execPath, words, { cwd: root, encoding: "utf8" })) as Floors;
}

/** The larger of two dotted numbers. */
const later = (one: string, other: string) =>
  one.localeCompare(other, "en", { numeric: true }) > 0 ? one : other;

export function floorTests(project: () => PackedProject): void {
  const readme = () => readFileSync(project().at("node_modules/attune/README.md"), "utf8");
  const both = () => Object.values(project().binaries).map(floorsOf);

  it("need no newer C library and C++ runtime than README says, nor older ones", () => {
    const floors = both();
    const glibc = floors.map((one) => one.glibc).reduce(later);
    const libstdcxx = floors.map((one) => one.libstdcxx).reduce(later);
    expect(readme()).to.contain(`glibc ${glibc} or newer`).and.contain(`GLIBCXX_${libstdcxx}`);
  });

  it("need the driver that README says", function () {
    if (!project().realCuda) return this.skip();
    const { driver, capabilities = [] } = floorsOf(project().binaries.cuda);
    expect(readme()).to.contain(`driver ${driver} or newer`);
    expect(capabilities).to.include("80");
  });

  it("have CUDA kernels that need nothing of CUDA but the driver, which is opened at run time", () => {
    const { needed } = floorsOf(project().at("node_modules", cudaPackage, "libattune-cuda.so"));
    expect(needed).to.include("libc.so.6");
    expect(needed.filter((name) => /cuda|cudart|cublas|nv/.test(name))).to.deep.equal([]);
  });

  it("show their entries and nothing else", () => {
    const exported = (...path: readonly string[]) => floorsOf(project().at("node_modules", ...path)).exported;
    expect(exported(cudaPackage, "libattune-cuda.so")).to.deep.equal(["attune_backend_entry"]);
    expect(exported(addonPackage, "attune.node").toSorted()).to.deep.equal([
      "napi_register_module_v1",
      "node_api_module_get_api_version_v1",
    ]);
  });

  it("have less than 30 MB of CUDA kernels", () => {
    const { size } = statSync(project().at("node_modules", cudaPackage, "libattune-cuda.so"));
    expect(size).to.be.below(30e6);
  });

  it("print sizes and floors while they are packed", () => {
    const { printed } = project();
    for (const name of ["attune", addonPackage, cudaPackage])
      expect(printed).to.match(
        new RegExp(`^${name}-\\d+\\.\\d+\\.\\d+\\.tgz: \\d+\\.\\d\\d MB, \\d+ files`, "m"),
      );
    for (const name of ["attune.node", "libattune-cuda.so"])
      expect(printed).to.match(new RegExp(`^${name} needs glibc [0-9.]+, libstdc\\+\\+ with GLIBCXX_`, "m"));
  });

  it("hold the binary and its papers alone", () => {
    for (const [name, file] of [
      [addonPackage, "attune.node"],
      [cudaPackage, "libattune-cuda.so"],
    ] as const)
      expect(readdirSync(project().at("node_modules", name)).sort()).to.deep.equal(
        ["LICENSE", "README.md", file, "package.json"].sort(),
      );
  });

  it("install without running any script", () => {
    const lock = readFileSync(project().at("node_modules/.package-lock.json"), "utf8");
    const { packages } = JSON.parse(lock) as { packages: Record<string, { hasInstallScript?: boolean }> };
    expect(Object.keys(packages)).to.include(`node_modules/${cudaPackage}`);
    expect(Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript)).to.deep.equal([]);
  });
}
