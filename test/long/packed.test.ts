// The packages as somebody gets them: packed, installed into an empty project, used there. Only what the package itself
// depends on is taken from npm's cache or registry.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { writeTinyModel } from "../support/tiny-model.js";
import { pairs } from "../train/training-rows.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** The addon that the tests use; packing it as it is saves a second compilation. */
function builtAddon(): string {
  const places = ["build", "build-cmake"].map((folder) => join(root, folder, "Release", "attune.node"));
  const found = places.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`expected a built addon in ${places.join(" or ")}`);
  return found;
}

/** The CUDA kernels over fibers stand in for those of a GPU, which CI does not have. */
const simulatedCuda = join(root, "build-cmake", "Release", "libattune-cuda-simt.so");

describe("the packed packages, in an empty project", () => {
  let project = "";
  const run = (command: string, ...args: string[]) =>
    spawnSync(command, args, { cwd: project, encoding: "utf8", env: { ...process.env, ATTUNE_ADDON: "" } });
  before(() => {
    project = mkdtempSync(join(tmpdir(), "attune-packed-"));
    const target = join(project, "tarballs");
    const cuda = existsSync(simulatedCuda) ? simulatedCuda : "off";
    const pack = ["scripts/pack.mjs", `--addon=${builtAddon()}`, `--cuda=${cuda}`, `--target=${target}`];
    execFileSync(process.execPath, pack, { cwd: root, encoding: "utf8" });
    writeFileSync(join(project, "package.json"), '{ "name": "empty", "private": true, "type": "module" }');
    const tarballs = readdirSync(target).map((name) => join(target, name));
    expect(tarballs).to.have.length(cuda === "off" ? 2 : 3);
    execFileSync("npm", ["i", "--prefer-offline", "--no-audit", "--no-fund", ...tarballs], { cwd: project });
    writeTinyModel({ folder: join(project, "path/to/SmolLM2-135M-Instruct") });
    writeFileSync(join(project, "pairs.jsonl"), pairs.map((row) => JSON.stringify(row)).join("\n"));
  });
  after(() => rmSync(project, { recursive: true, force: true }));

  it("run the README's API example as it is printed", () => {
    const readme = readFileSync(join(project, "node_modules/attune/README.md"), "utf8");
    writeFileSync(join(project, "example.mjs"), /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "");
    const { status, stdout, stderr } = run(process.execPath, "example.mjs");
    expect(stderr).to.equal("");
    expect(status).to.equal(0);
    expect(stdout).to.include("the trained adapter is in runs/first");
  });

  it("write a report of that run, with the scripts and styles that pages carry", () => {
    const { status, stderr } = run("npx", "attune", "report", "runs/first");
    expect([status, stderr]).to.deep.equal([0, ""]);
    expect(readFileSync(join(project, "runs/first/report.html"), "utf8")).to.include("class Chart");
  });

  it("load the addon of the platform package", () => {
    const { status, stdout } = run("npx", "attune", "doctor");
    expect(stdout).to.include("native addon: ok");
    expect(status).to.equal(0);
    expect(existsSync(join(project, "node_modules/attune/build-cmake"))).to.equal(false);
  });

  it("open the CUDA kernels of their package, and say so where it is missing", function () {
    const folder = join(project, "node_modules/attune-linux-x64-cuda");
    if (!existsSync(simulatedCuda)) return this.skip();
    expect(run("npx", "attune", "doctor").stdout).to.match(/^cuda: ok \(simt/m);
    rmSync(folder, { recursive: true });
    const { status, stdout } = run("npx", "attune", "doctor");
    expect(stdout).to.match(/^cuda: missing \(the package attune-linux-x64-cuda is not installed/m);
    expect(status).to.equal(0);
  });

  it("depend on the platform package at exactly their own version", () => {
    const read = (name: string) =>
      JSON.parse(readFileSync(join(project, "node_modules", name, "package.json"), "utf8"));
    const { version, optionalDependencies, scripts } = read("attune");
    expect(optionalDependencies).to.include({ "attune-linux-x64": version });
    expect(read("attune-linux-x64").version).to.equal(version);
    expect(scripts).to.equal(undefined);
  });

  it("can be required from CommonJS, where nothing awaits at the top", () => {
    writeFileSync(join(project, "use.cjs"), 'console.log(typeof require("attune").createEngine);');
    const { stdout } = run(process.execPath, "use.cjs");
    expect(stdout).to.equal("function\n");
  });

  it("have types that a strict project compiles against", () => {
    writeFileSync(
      join(project, "use.ts"),
      'import { createEngine, type Engine } from "attune";\nexport const engine: Promise<Engine> = createEngine();\n',
    );
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const types = ["--types", "node", "--typeRoots", join(root, "node_modules/@types")];
    const target = ["--target", "es2022", "--lib", "es2023,esnext.disposable", "--module", "nodenext"];
    const { status, stdout } = run(
      process.execPath,
      tsc,
      "--noEmit",
      "--strict",
      ...target,
      ...types,
      "use.ts",
    );
    expect(stdout).to.equal("");
    expect(status).to.equal(0);
  });

  it("bring along what reads Parquet", () => {
    const { stdout } = run("npx", "attune", "doctor");
    expect(stdout).to.match(/^hyparquet .*: installed$/m);
  });

  it("name the packages of npm that `attune build` lacks", () => {
    const { status, stderr } = run("npx", "attune", "build");
    expect(status).to.equal(1);
    expect(stderr).to.match(/npm i -D cmake-js@\S+ node-addon-api@\S+/);
  });

  it("say what to do where the platform package is missing", () => {
    const folder = join(project, "node_modules/attune-linux-x64");
    rmSync(folder, { recursive: true });
    const { status, stdout } = run("npx", "attune", "doctor");
    expect(status).to.equal(1);
    expect(stdout)
      .to.include("npm i --include=optional")
      .and.include("npx attune build")
      .and.include("ATTUNE_ADDON_LOAD");
  });
});
