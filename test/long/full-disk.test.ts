// A disk that fills while a run saves: a small tmpfs, so only where this process may mount one. Pending elsewhere.

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type DpoOptions, dpo } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { expectSameRun } from "../train/same-run.js";
import { type Place, pairs, temporaryPlace } from "../train/training-rows.js";

describe("a disk that fills while a run saves", () => {
  let place: Place;
  let disk = "";
  before(function () {
    place = temporaryPlace();
    disk = join(place.folder, "disk");
    mkdirSync(disk);
    const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", disk]);
    if (status !== 0) this.skip();
  });
  after(() => {
    spawnSync("umount", [disk]);
    place.remove();
  });

  const options = (output: string, more: Partial<DpoOptions> = {}): DpoOptions => ({
    model: place.model,
    data: pairs,
    output,
    batchSize: 2,
    epochs: 4,
    learningRate: 1e-3,
    threads: 1,
    saveEvery: 2,
    keepCheckpoints: 1,
    ...more,
  });

  for (const left of [0, 100_000]) {
    it(`ends the run and leaves the old checkpoint, from which it leaves no trace; ${left} bytes left`, async () => {
      const output = join(disk, `run-${left}`);
      const filler = join(disk, "filler");
      await dpo(options(place.output(`whole-${left}`))).result;
      const fill = ({ step }: { readonly step: number }) => {
        if (step !== 3) return;
        const { bavail, bsize } = statfsSync(disk);
        writeFileSync(filler, new Uint8Array(bavail * bsize - left));
      };
      const error = await failureOf(() => dpo({ ...options(output), onStep: fill }).result);
      expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OUTPUT", 2]);
      expect(readdirSync(join(output, "checkpoints"))).to.deep.equal(["step-2"]);
      rmSync(filler);
      await dpo(options(output, { resume: true })).result;
      expectSameRun(output, place.output(`whole-${left}`));
    });
  }
});
