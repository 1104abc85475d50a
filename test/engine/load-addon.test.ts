// Where the addon is looked for, and what is said when it is nowhere.

import { createRequire } from "node:module";
import { expect } from "chai";
import { BackendLoadError, findAddon, type LoadPlaces } from "../../lib/engine/load-addon.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";

describe("the loader of the addon", () => {
  const at = suiteFolder();
  const places = (): LoadPlaces => ({
    root: at(),
    require: createRequire(at("package.json")),
    platform: "linux",
    arch: "x64",
    napi: 9,
  });

  it("tries both builds and the platform package, and keeps every reason", async () => {
    const error = await failureOf(() => findAddon(places()));
    expect(error).to.be.instanceOf(BackendLoadError);
    expect(error.code).to.equal("ATTUNE_ADDON_LOAD");
    const tried = (error as BackendLoadError).attempts.map(({ place }) => place);
    expect(tried).to.deep.equal([
      at("build", "Release", "attune.node"),
      at("build-cmake", "Release", "attune.node"),
      "attune-linux-x64/attune.node",
    ]);
  });

  it("names what to do on this platform", async () => {
    const error = await failureOf(() => findAddon(places()));
    expect(error.message).to.contain("npm i --include=optional").and.contain("--libc=glibc");
  });

  it("offers no prebuilt package where there is none", async () => {
    const error = await failureOf(() => findAddon({ ...places(), platform: "win32" }));
    expect(error.message).to.contain("no prebuilt package for win32-x64").and.not.contain("npm i");
  });

  it("tries nothing but ATTUNE_ADDON when it is set", async () => {
    const error = await failureOf(() => findAddon({ ...places(), explicit: at("gone.node") }));
    expect((error as BackendLoadError).attempts).to.have.length(1);
    expect(error.message).to.contain(at("gone.node")).and.contain("ATTUNE_ADDON");
  });

  it("refuses a Node without Node-API 9 before it loads anything", async () => {
    const error = await failureOf(() => findAddon({ ...places(), napi: 8 }));
    expect((error as BackendLoadError).attempts).to.have.length(0);
    expect(error.message).to.contain("Node 20.19");
  });
});
