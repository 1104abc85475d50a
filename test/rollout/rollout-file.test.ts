// Rollouts on disk: the same bits back, in order; and files that are broken in every way.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import {
  type Rollout,
  readRollout,
  replayRollouts,
  rolloutFiles,
  rolloutPath,
  writeRollout,
} from "../../lib/rollout/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { madeRollout } from "./made-rollout.js";

/** All bytes of all arrays, and the rest as it is. */
function bitsOf(rollout: Rollout): unknown {
  const bits = (value: unknown): unknown => {
    if (ArrayBuffer.isView(value))
      return `${value.constructor.name} ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`;
    if (Array.isArray(value)) return value.map(bits);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, bits(entry)]));
  };
  return bits(rollout);
}

describe("the file of a rollout", () => {
  const at = suiteFolder();

  it("gives the same bits back, NaN, -0 and a seed of 64 bits too", async () => {
    const rollout = madeRollout({ number: 12, policyStep: 480 });
    const path = await writeRollout(at("new", "folder"), rollout);
    expect(path).to.equal(at("new", "folder", "rollout-000012.bin"));
    expect(bitsOf(await readRollout(path))).to.deep.equal(bitsOf(rollout));
    expect(readdirSync(at("new", "folder"))).to.deep.equal(["rollout-000012.bin"]);
  });

  it("leaves out what a rollout does not have", async () => {
    const { referenceLogprobs: _reference, values: _values, ...rest } = madeRollout();
    const read = await readRollout(await writeRollout(at("bare"), rest));
    expect(bitsOf(read)).to.deep.equal(bitsOf(rest));
  });

  it("is the same for the same rollout, and replaces an earlier one", async () => {
    const bytes = async (policyStep: number) =>
      readFileSync(await writeRollout(at("same"), madeRollout({ policyStep })));
    const first = await bytes(1);
    expect(await bytes(1)).to.deep.equal(first);
    expect(await bytes(2)).to.not.deep.equal(first);
    expect((await readRollout(rolloutPath(at("same"), 0))).policyStep).to.equal(2);
  });

  it("are replayed in the order of recording, whatever else lies there", async () => {
    for (const number of [10, 2, 1_000_000, 0]) await writeRollout(at("many"), madeRollout({ number }));
    writeFileSync(at("many", "rollout-000003.bin.partial"), "half");
    const numbers: number[] = [];
    for await (const rollout of replayRollouts(at("many"))) {
      numbers.push(rollout.number);
      expect(bitsOf(rollout)).to.deep.equal(bitsOf(madeRollout({ number: rollout.number })));
    }
    expect(numbers).to.deep.equal([0, 2, 10, 1_000_000]);
    expect(await rolloutFiles(at("many"))).to.have.lengthOf(4);
  });

  it("is refused by name when it is cut anywhere, changed in any part, or of another kind", async () => {
    const path = await writeRollout(at("broken"), madeRollout());
    const whole = readFileSync(path);
    const refused = async (bytes: Uint8Array, text: string) => {
      writeFileSync(path, bytes);
      await expectFailure(() => readRollout(path), "ATTUNE_FORMAT", text);
      await expectFailure(() => readRollout(path), "ATTUNE_FORMAT", path);
    };
    for (const length of [30, 60, whole.length - 40, whole.length - 1])
      await refused(whole.subarray(0, length), "its checksum differs");
    for (const place of [40, Math.floor(whole.length / 2), whole.length - 5]) {
      const changed = Uint8Array.from(whole);
      changed[place] = (changed[place] ?? 0) ^ 1;
      await refused(changed, "its checksum differs");
    }
    await refused(Buffer.from("PK\u0003\u0004 something else"), "another kind of file");
    await refused(new Uint8Array(0), "another kind of file");
    const newer = Uint8Array.from(whole);
    newer.set(Buffer.from("7"), "attune rollout ".length);
    await refused(newer, "its version is 7, not 1");
  });

  it("that is missing, and a folder that cannot be made, are said", async () => {
    await expectFailure(() => readRollout(at("nowhere.bin")), "ATTUNE_FILE", "nowhere.bin");
    await expectFailure(() => rolloutFiles(at("nowhere")), "ATTUNE_FILE", "nowhere");
    writeFileSync(at("file"), "");
    await expectFailure(
      () => writeRollout(join(at("file"), "below"), madeRollout()),
      "ATTUNE_OUTPUT",
      "below",
    );
    expect(existsSync(join(at("file"), "below"))).to.equal(false);
  });
});
