// 200 loads, trainings with checkpoints and disposals leave the process as large as it was.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { temporaryPlace } from "../train/training-rows.js";

const child = fileURLToPath(new URL("children/run-cycles.ts", import.meta.url));

describe("200 loads, trainings and disposals", () => {
  it("leave resident memory within 20 MB", async () => {
    const place = temporaryPlace();
    try {
      const args = ["--expose-gc", "--import=tsx", child, place.folder, "200"];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      console.log(`        ${(Number(stdout) / 1e6).toFixed(1)} MB`);
      expect(stdout.trim()).to.match(/^-?\d+$/);
      expect(Number(stdout)).to.be.below(20e6);
    } finally {
      place.remove();
    }
  }).timeout(600_000);
});
