// What the embedded store does when processes die, disks are full and others want the same file.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { backupEmbeddedStore, openEmbeddedStore } from "../../lib/feedback/store/embedded-store.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { expectFailure } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { lease, PROJECT, personName, sampleProject, say } from "./sample-project.js";

const script = fileURLToPath(new URL("writer-process.ts", import.meta.url));

interface Writing {
  readonly process: ChildProcess;
  /** What it printed, line by line. */
  readonly lines: readonly string[];
  readonly ended: Promise<void>;
}

/** limit: of the size of any file that it writes, in KiB. */
function writeInProcess(folder: string, { limit }: { limit?: number } = {}): Writing {
  const node = ["--import", "tsx", script, folder];
  // Without the signal, a write beyond the limit fails as on a full disk.
  const bounded = `ulimit -f ${limit}; trap '' XFSZ; exec "$0" "$@"`;
  const child =
    limit === undefined
      ? spawn(process.execPath, node, { stdio: ["ignore", "pipe", "inherit"] })
      : spawn("bash", ["-c", bounded, process.execPath, ...node], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  let rest = "";
  child.stdout?.on("data", (piece: Buffer) => {
    const parts = (rest + piece.toString()).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  return { process: child, lines, ended };
}

async function linesOf(writing: Writing, count: number): Promise<void> {
  while (writing.lines.length < count && writing.process.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 5));
}

async function judgementsOf(store: FeedbackStore): Promise<ReadonlySet<string>> {
  const rows = await store.reading.selectFrom("judgements").select("judgement").execute();
  return new Set(rows.map(({ judgement }) => judgement));
}

/** Every acknowledged judgement is there, and the log is without gaps. */
async function checkKilled(folder: string, acknowledged: readonly string[]): Promise<void> {
  const store = await openEmbeddedStore({ folder });
  try {
    const kept = await judgementsOf(store);
    expect(acknowledged.filter((judgement) => !kept.has(judgement))).to.deep.equal([]);
    const { count, last } = await store.reading
      .selectFrom("events")
      .select((e) => [e.fn.countAll<number>().as("count"), e.fn.max<number>("seq").as("last")])
      .executeTakeFirstOrThrow();
    expect(Number(count)).to.equal(Number(last));
  } finally {
    await store.close();
  }
}

describe("an embedded feedback store", () => {
  const at = suiteFolder();

  it("loses nothing that was acknowledged when its process is killed, 10 times", async () => {
    const acknowledged: string[] = [];
    for (let kill = 0; kill < 10; kill++) {
      const writing = writeInProcess(at("killed"));
      // Somewhere in the middle, elsewhere each time.
      await linesOf(writing, 20 + 7 * kill);
      writing.process.kill("SIGKILL");
      await writing.ended;
      acknowledged.push(...writing.lines.filter((line) => line !== "open"));
      await checkKilled(at("killed"), acknowledged);
    }
    expect(acknowledged.length).to.be.greaterThan(200);
  });

  it("refuses a second process, and this one a second time, while it is open", async () => {
    const folder = at("locked");
    const writing = writeInProcess(folder);
    await linesOf(writing, 1);
    const pid = writing.process.pid;
    await expectFailure(() => openEmbeddedStore({ folder }), "ATTUNE_STORE", `process ${pid} has`);
    writing.process.kill("SIGKILL");
    await writing.ended;
    const store = await openEmbeddedStore({ folder });
    await expectFailure(() => openEmbeddedStore({ folder }), "ATTUNE_STORE", "this process has");
    await store.close();
    expect(existsSync(join(folder, "feedback.lock"))).to.equal(false);
  });

  it("is not kept closed by the lock of a process that is gone, nor by a broken one", async () => {
    for (const [name, lock] of [
      ["gone", '{"pid":2147483646,"started":"1"}'],
      ["again", `{"pid":${process.pid},"started":"1"}`],
      ["broken", "{"],
    ] as const) {
      const store = await openEmbeddedStore({ folder: at(name) });
      await store.close();
      writeFileSync(join(at(name), "feedback.lock"), lock);
      const again = await openEmbeddedStore({ folder: at(name) });
      expect(readFileSync(join(at(name), "feedback.lock"), "utf8")).to.include(`"pid":${process.pid}`);
      await again.close();
    }
  });

  it("stops with the reason when the disk is full, and keeps what was acknowledged", async () => {
    const folder = at("full");
    const writing = writeInProcess(folder, { limit: 2048 });
    await writing.ended;
    const end = writing.lines.at(-1) ?? "";
    expect(end).to.match(
      /^failed ATTUNE_STORE Expected to write the store but .*Nothing that was acknowledged is lost/,
    );
    const acknowledged = writing.lines.filter((line) => /^[0-9a-f-]{36}$/.test(line));
    expect(acknowledged).to.not.be.empty;
    await checkKilled(folder, acknowledged);
  });

  it("fails with the reason for a file that is no store, and for a folder that cannot be made", async () => {
    const store = await openEmbeddedStore({ folder: at("bad") });
    await store.close();
    expect(statSync(join(at("bad"), "feedback.db")).size, "all is in the file").to.be.greaterThan(50_000);
    for (const name of ["feedback.db-wal", "feedback.db-shm"]) rmSync(join(at("bad"), name), { force: true });
    writeFileSync(
      join(at("bad"), "feedback.db"),
      "this is no database, but long enough to look like one".repeat(50),
    );
    await expectFailure(() => openEmbeddedStore({ folder: at("bad") }), "ATTUNE_STORE", "feedback.db");
    expect(existsSync(join(at("bad"), "feedback.lock")), "the lock is given back").to.equal(false);
    writeFileSync(at("file"), "");
    await expectFailure(
      () => openEmbeddedStore({ folder: join(at("file"), "store") }),
      "ATTUNE_STORE",
      "store",
    );
  });

  it("is backed up while it is in use, and the copy is a store", async () => {
    const store = await openEmbeddedStore({ folder: at("original") });
    await sampleProject(store, { items: 5 });
    const { judgement } = await say(store, personName(0), (await lease(store, personName(0))).lease);
    await openEmbeddedStore({ folder: at("copy") }).then((copy) => copy.close());
    await store.backup(join(at("copy"), "backup.db"));
    expect(statSync(join(at("copy"), "backup.db")).size).to.be.greaterThan(0);
    await store.close();
    for (const name of ["feedback.db", "feedback.db-wal", "feedback.db-shm"])
      rmSync(join(at("copy"), name), { force: true });
    renameSync(join(at("copy"), "backup.db"), join(at("copy"), "feedback.db"));
    const copy = await openEmbeddedStore({ folder: at("copy") });
    expect(await judgementsOf(copy)).to.deep.equal(new Set([judgement]));
    expect(await copy.rebuild()).to.be.greaterThan(8);
    expect(await lease(copy, personName(0))).to.have.property("lease");
    await copy.close();
  });

  it("is backed up by another connection while somebody has it open, and where nobody has", async () => {
    const folder = at("served");
    const store = await openEmbeddedStore({ folder });
    await sampleProject(store, { items: 5 });
    const { judgement } = await say(store, personName(0), (await lease(store, personName(0))).lease);
    mkdirSync(at("open-copy"));
    mkdirSync(at("closed-copy"));
    await backupEmbeddedStore(folder, join(at("open-copy"), "feedback.db"));
    await say(store, personName(0), (await lease(store, personName(0))).lease);
    await store.close();
    await backupEmbeddedStore(folder, join(at("closed-copy"), "feedback.db"));
    for (const [name, count] of [
      ["open-copy", 1],
      ["closed-copy", 2],
    ] as const) {
      const copy = await openEmbeddedStore({ folder: at(name) });
      expect([...(await judgementsOf(copy))])
        .to.include(judgement)
        .and.to.have.length(count);
      await copy.close();
    }
    await expectFailure(() => backupEmbeddedStore(at("none"), at("none.db")), "ATTUNE_STORE", "there is no");
    expect(existsSync(at("none"))).to.equal(false);
  });

  it("answers what waits, and then nothing, when it is closed", async () => {
    const store = await openEmbeddedStore({ folder: at("closed") });
    await sampleProject(store, { items: 1 });
    const leasing = lease(store, personName(0));
    const closing = store.close();
    expect(await leasing).to.have.property("lease");
    await closing;
    await expectFailure(
      () => store.write(PROJECT, "next", { annotator: personName(0) }),
      "ATTUNE_STORE",
      "open store",
    );
    await store.close();
  });
});
