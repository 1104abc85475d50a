// The lock of an embedded store, with several processes after it at the same moment.

import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { suiteFolder } from "../support/temporary-folder.js";

const script = fileURLToPath(new URL("lock-process.ts", import.meta.url));
const ROUNDS = 150;
const STEP_MS = 15;

/** Which locks a process got. */
function locksOf(folder: string, first: number): Promise<readonly number[]> {
  const places = [folder, first, STEP_MS, ROUNDS].map(String);
  const child = spawn(process.execPath, ["--import", "tsx", script, ...places], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (piece: Buffer) => {
    text += piece.toString();
  });
  return new Promise((resolve) =>
    child.on("close", () => resolve(text.split("\n").filter(Boolean).map(Number))),
  );
}

describe("a lock file", () => {
  const at = suiteFolder();

  for (const [what, left] of [
    ["nobody had before", undefined],
    ["a killed process left behind", '{"pid":2147483646,"started":"1"}'],
    ["is broken", "{"],
  ] as const)
    it(`that ${what} is given to one of three processes, ${ROUNDS} times`, async () => {
      const folder = at(`${what.length}`);
      mkdirSync(folder);
      if (left !== undefined)
        for (let round = 0; round < ROUNDS; round++) writeFileSync(`${folder}/lock-${round}`, left);
      // When all three have started.
      const first = Date.now() + 4_000;
      const got = await Promise.all([1, 2, 3].map(() => locksOf(folder, first)));
      expect(got.flat().sort((a, b) => a - b)).to.deep.equal(Array.from({ length: ROUNDS }, (_, i) => i));
      // Nothing else is left.
      expect(readdirSync(folder)).to.have.length(ROUNDS);
    });
});
