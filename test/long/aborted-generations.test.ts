// A thousand generations that are broken off leave no memory behind.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const child = fileURLToPath(new URL("children/aborted-generations.ts", import.meta.url));

describe("a thousand aborted generations", () => {
  const at = suiteFolder();

  it("leave the process within 20 MB of what it held", async function () {
    this.timeout(600_000);
    writeTinyModel({ folder: at("tiny"), layers: 4, width: 128, heads: 4 });
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [
      "--expose-gc",
      "--import=tsx",
      child,
      at("tiny"),
      "1000",
    ]);
    const { grown, tokens } = JSON.parse(stdout) as { grown: number; tokens: number };
    console.log(`      ${(grown / 1e6).toFixed(1)} MB after ${tokens} tokens`);
    expect(tokens).to.be.above(20_000);
    expect(grown).to.be.below(20e6);
  });
});
