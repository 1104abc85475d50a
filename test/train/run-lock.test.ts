// The lock of a run's folder: one holder, and a dead one does not count.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { RunLock, requireUnlocked } from "../../lib/train/run-lock.js";
import { failureOf } from "../errors/expect-failure.js";

describe("the lock of a run's folder", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-lock-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const path = () => join(folder, "run.lock");
  /** The lock as if another process had left it. */
  const rewrite = (change: Readonly<Record<string, unknown>>) => {
    const owner = JSON.parse(readFileSync(path(), "utf8")) as Record<string, unknown>;
    writeFileSync(path(), `${JSON.stringify({ ...owner, ...change })}\n`);
  };

  it("is refused to a second run, which is told the process", async () => {
    RunLock.acquire(folder);
    for (const attempt of [() => RunLock.acquire(folder), () => requireUnlocked(folder)]) {
      const error = await failureOf(attempt);
      expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OUTPUT_EXISTS", 2]);
      expect(error.message).to.include(`process ${process.pid}`);
    }
  });

  it("is free again after the release, and leaves no file", () => {
    RunLock.acquire(folder).release();
    requireUnlocked(folder);
    expect(readdirSync(folder)).to.deep.equal([]);
    RunLock.acquire(folder).release();
  });

  it("is taken over from a process that is gone", () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    RunLock.acquire(folder);
    rewrite({ pid });
    RunLock.acquire(folder).release();
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it("is taken over when another process has the dead one's number", () => {
    RunLock.acquire(folder);
    rewrite({ started: "1" });
    RunLock.acquire(folder).release();
  });

  it("is taken over after the machine started anew", () => {
    RunLock.acquire(folder);
    rewrite({ boot: "another" });
    RunLock.acquire(folder).release();
  });

  it("is taken over when it is damaged", () => {
    writeFileSync(path(), "{");
    RunLock.acquire(folder).release();
  });

  it("counts as held on another machine, and says which file to remove", async () => {
    RunLock.acquire(folder);
    rewrite({ host: "elsewhere", pid: 1 });
    const error = await failureOf(() => RunLock.acquire(folder));
    expect(error.message).to.include("on elsewhere").and.include(path());
  });

  it("is not released by one that lost it", () => {
    const lock = RunLock.acquire(folder);
    rewrite({ pid: process.ppid });
    lock.release();
    expect(existsSync(path())).to.equal(true);
  });
});
