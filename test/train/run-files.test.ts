// Files of a run on a disk that refuses them. /dev/full is a disk without room.

import { closeSync, existsSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { expect } from "chai";
import { MetricsWriter } from "../../lib/train/metrics.js";
import { replaceFile } from "../../lib/train/run-files.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";

describe("the files of a run", () => {
  const at = suiteFolder();

  it("leave no temporary file when the last step fails", () => {
    mkdirSync(at("place", "taken"), { recursive: true });
    expect(() => replaceFile(at("place", "taken"), "text")).to.throw();
    expect(readdirSync(at("place"))).to.deep.equal(["taken"]);
  });

  it("say ATTUNE_OUTPUT, the file and the reason when metrics meet a full disk", async function () {
    if (!existsSync("/dev/full")) this.skip();
    const file = openSync("/dev/full", "a");
    const error = await failureOf(() => new MetricsWriter(file, "run/metrics.jsonl").write({ step: 1 }));
    closeSync(file);
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OUTPUT", 2]);
    expect(error.message).to.include("run/metrics.jsonl").and.include("ENOSPC").and.include("free space");
  });
});
