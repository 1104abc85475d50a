// Checkpoints on the disk: complete or not there, whatever ends the writing or the removal of one.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { CheckpointRecord } from "../../lib/train/checkpoint-record.js";
import {
  checkpointSteps,
  clearLeftovers,
  newestCheckpoint,
  removeCheckpoint,
  type WriteCheckpoint,
  writeCheckpoint,
} from "../../lib/train/checkpoints.js";
import { failureOf } from "../errors/expect-failure.js";

describe("checkpoints", () => {
  let output = "";
  beforeEach(() => {
    output = mkdtempSync(join(tmpdir(), "attune-checkpoints-"));
  });
  afterEach(() => rmSync(output, { recursive: true }));

  const parent = () => join(output, "checkpoints");
  interface Written extends Partial<Omit<WriteCheckpoint, "files">> {
    readonly saveState?: (file: string) => Promise<void>;
    readonly bytes?: number;
  }
  const write = (step: number, { saveState, bytes = 7, ...more }: Written = {}) =>
    writeCheckpoint({
      output,
      // Only what is read here.
      record: { formatVersion: 1, step, log: {}, identity: {} } as CheckpointRecord,
      files: [
        {
          name: "state.safetensors",
          bytes,
          save: saveState ?? (async (file) => writeFileSync(file, `state ${step}`)),
        },
      ],
      keep: 2,
      ...more,
    });
  const full = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });

  it("are passed over when their record lacks a part", async () => {
    await write(3);
    const folder = await write(4);
    writeFileSync(join(folder, "checkpoint.json"), JSON.stringify({ formatVersion: 1, step: 4 }));
    const { found, broken } = newestCheckpoint(output);
    expect([found?.record.step, broken[0]?.step]).to.deep.equal([3, 4]);
    expect(broken[0]?.problem).to.include("does not say files");
  });

  it("hold the state and, with its size, the record", async () => {
    const folder = await write(3);
    expect(readFileSync(join(folder, "state.safetensors"), "utf8")).to.equal("state 3");
    expect(newestCheckpoint(output).found?.record.files).to.deep.equal({ "state.safetensors": 7 });
  });

  it("go when newer ones are complete, and not before", async () => {
    const seen: (readonly number[])[] = [];
    for (const step of [2, 4, 6]) {
      await write(step, {
        saveState: async (file) => {
          writeFileSync(file, "");
          seen.push(checkpointSteps(output));
        },
      });
    }
    expect(seen).to.deep.equal([[], [2], [4, 2]]);
    expect(checkpointSteps(output)).to.deep.equal([6, 4]);
  });

  it("stay when the disk has no room for another, which is said with both figures", async () => {
    await write(2);
    const error = await failureOf(() => write(4, { bytes: 3e9, free: async () => 1e9 }));
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OUTPUT", 2]);
    expect(error.message).to.include("3.00 GB").and.include("1.00 GB").and.include("a checkpoint");
    expect(newestCheckpoint(output).found?.record.step).to.equal(2);
  });

  it("stay when the disk fills while another is written, of which nothing is left", async () => {
    await write(2);
    const saveState = async (file: string) => {
      writeFileSync(file, "half");
      throw full;
    };
    const error = await failureOf(() => write(4, { saveState }));
    expect(error.code).to.equal("ATTUNE_OUTPUT");
    expect(error.message).to.include("step-4").and.include("no space left on device");
    expect(readdirSync(parent())).to.deep.equal(["step-2"]);
  });

  it("have no name while they are written: a writer that is killed leaves none", async () => {
    let during: readonly string[] = [];
    await write(4, {
      saveState: async (file) => {
        writeFileSync(file, "");
        during = readdirSync(parent());
      },
    });
    expect(during).to.deep.equal([".step-4.partial"]);
  });

  it("have no name while they are removed: a removal that is killed leaves none", async () => {
    await write(2);
    await write(4);
    const killed = () => Promise.reject(new Error("killed"));
    const end = await removeCheckpoint(parent(), 4, killed).catch((error: Error) => error.message);
    expect(end).to.equal("killed");
    expect(newestCheckpoint(output)).to.deep.include({ broken: [] });
    expect(newestCheckpoint(output).found?.record.step).to.equal(2);
    expect(existsSync(join(parent(), ".step-4.removed", "state.safetensors"))).to.equal(true);
  });

  it("may be written where a killed run left half of one", async () => {
    mkdirSync(join(parent(), ".step-4.partial"), { recursive: true });
    writeFileSync(join(parent(), ".step-4.partial", "checkpoint.json"), "{}");
    await write(4);
    expect(readdirSync(parent())).to.deep.equal(["step-4"]);
  });

  it("take the place of a damaged one of the same step", async () => {
    const folder = await write(4);
    writeFileSync(join(folder, "state.safetensors"), "");
    await write(4);
    expect(newestCheckpoint(output).found?.record.step).to.equal(4);
  });

  it("are found by number, not by the alphabet", async () => {
    for (const step of [9, 10, 100]) await write(step, { keep: 0 });
    expect(checkpointSteps(output)).to.deep.equal([100, 10, 9]);
  });

  it("leave no hidden folder once leftovers are cleared, and nothing else goes", async () => {
    await write(2);
    for (const name of [".step-4.partial", ".step-1.removed", "notes"]) mkdirSync(join(parent(), name));
    await clearLeftovers(output);
    expect(readdirSync(parent()).toSorted()).to.deep.equal(["notes", "step-2"]);
  });
});
