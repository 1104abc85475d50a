// The packages as somebody gets them: packed, installed into an empty project, used there. Only what the package itself
// depends on is taken from npm's cache or registry.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { writeTinyModel } from "../../support/tiny-model.js";
import { pairs } from "../../train/training-rows.js";
import { floorTests } from "./floors.js";
import { nodeVersionTests } from "./node-versions.js";
import { type PackedProject, packedProject, root } from "./packed-project.js";

describe("the packed packages, in an empty project with nothing but Node on PATH", function () {
  this.timeout(600_000);
  let made: PackedProject;
  const project = () => made;
  before(() => {
    made = packedProject();
    writeTinyModel({ folder: made.at("path/to/SmolLM2-135M-Instruct") });
    writeFileSync(made.at("pairs.jsonl"), pairs.map((row) => JSON.stringify(row)).join("\n"));
  });
  after(() => made?.remove());

  usageTests(project);
  floorTests(project);
  nodeVersionTests(project);
});

function usageTests(project: () => PackedProject): void {
  it("run the README's API example as it is printed", () => {
    const readme = readFileSync(project().at("node_modules/attune/README.md"), "utf8");
    writeFileSync(project().at("example.mjs"), /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "");
    const { status, stdout, stderr } = project().node(["example.mjs"]);
    expect(stderr).to.equal("");
    expect(status).to.equal(0);
    expect(stdout).to.include("the trained adapter is in runs/first");
  });

  it("write a report of that run, with the scripts and styles that pages carry", () => {
    const { status, stderr } = project().attune(["report", "runs/first"]);
    expect([status, stderr]).to.deep.equal([0, ""]);
    expect(readFileSync(project().at("runs/first/report.html"), "utf8")).to.include("class Chart");
  });

  it("load the addon of the platform package", () => {
    const { status, stdout } = project().attune(["doctor"]);
    expect(stdout).to.include("native addon: ok");
    expect(status).to.equal(0);
    expect(existsSync(project().at("node_modules/attune/build-cmake"))).to.equal(false);
  });

  it("depend on the platform package at exactly their own version", () => {
    const read = (name: string) =>
      JSON.parse(readFileSync(project().at("node_modules", name, "package.json"), "utf8"));
    const { version, optionalDependencies, scripts } = read("attune");
    expect(optionalDependencies).to.include({ "attune-linux-x64": version });
    expect(optionalDependencies).to.include({ "attune-linux-x64-cuda": version });
    for (const name of ["attune-linux-x64", "attune-linux-x64-cuda"])
      expect(read(name).version).to.equal(version);
    expect(scripts).to.equal(undefined);
  });

  it("can be required from CommonJS, where nothing awaits at the top", () => {
    writeFileSync(project().at("use.cjs"), 'console.log(typeof require("attune").createEngine);');
    const { stdout } = project().node(["use.cjs"]);
    expect(stdout).to.equal("function\n");
  });

  it("have types that a strict project compiles against", () => {
    writeFileSync(
      project().at("use.ts"),
      'import { createEngine, type Engine } from "attune";\nexport const engine: Promise<Engine> = createEngine();\n',
    );
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const types = ["--types", "node", "--typeRoots", join(root, "node_modules/@types")];
    const target = ["--target", "es2022", "--lib", "es2023,esnext.disposable", "--module", "nodenext"];
    const { status, stdout } = project().node([tsc, "--noEmit", "--strict", ...target, ...types, "use.ts"]);
    expect(stdout).to.equal("");
    expect(status).to.equal(0);
  });

  it("bring along what reads Parquet", () => {
    const { stdout } = project().attune(["doctor"]);
    expect(stdout).to.match(/^hyparquet .*: installed$/m);
  });

  it("name the packages of npm that `attune build` lacks", () => {
    const { status, stderr } = project().attune(["build"]);
    expect(status).to.equal(1);
    expect(stderr).to.match(/npm i -D cmake-js@\S+ node-addon-api@\S+/);
  });
}
