// Folders that are made with their parents, and taken back.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { makeFolder, removeMade } from "../../lib/engine/make-folder.js";
import { suiteFolder } from "../support/temporary-folder.js";

describe("makeFolder", () => {
  const at = suiteFolder();

  it("tells which folders it made, outermost first", () => {
    expect(makeFolder(at("a", "b"))).to.deep.equal([at("a"), at("a", "b")]);
    expect(makeFolder(at("a", "b"))).to.deep.equal([]);
  });

  it("ends where the system denies that the parent exists", function () {
    if (!existsSync("/proc/self")) this.skip();
    expect(() => makeFolder("/proc/attune-makes-nothing-here")).to.throw();
  });

  it("takes back what it made before it failed", () => {
    mkdirSync(at("kept"));
    expect(() => makeFolder(at("kept", "new", "n".repeat(300)))).to.throw("ENAMETOOLONG");
    expect(readdirSync(at("kept"))).to.deep.equal([]);
  });

  it("is undone only as far as folders are empty", () => {
    const made = makeFolder(at("p", "q", "r"));
    writeFileSync(at("p", "note"), "");
    removeMade(made);
    expect(readdirSync(at("p"))).to.deep.equal(["note"]);
  });
});
