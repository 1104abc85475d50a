// Keeps a second process from an embedded store: a file with the process that has it. One that a killed process left
// behind counts for nothing. Must not know the store.
//
// A lock appears with all that it says: it is written beside and linked, which fails where there is one. Of several that find
// a dead process's lock, one alone links its own as that lock's heir (a name made of what the lock says) and takes its place;
// a lock of one that is alive is never moved, so nobody takes away what another has just got.

import { createHash, randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { fail, reasonOf } from "../../errors/index.js";

interface Owner {
  readonly pid: number;
  /** When the process began, as the system counts: another process may get the number again. */
  readonly started: string;
  /** Of this lock alone. */
  readonly id: string;
}

/** Each time somebody else was faster. */
const TRIES = 10;

/** @throws ATTUNE_STORE where another process has it; the result gives it back */
export function lockFile(file: string): () => void {
  const own: Owner = { pid: process.pid, started: startOf(process.pid) ?? "", id: randomUUID() };
  const text = JSON.stringify(own);
  const beside = `${file}.${own.id}`;
  try {
    writeFileSync(beside, text, { flag: "wx" });
  } catch (error) {
    throw cannotWrite(file, error);
  }
  try {
    for (let attempt = 0; attempt < TRIES; attempt++)
      if (linked(beside, file) || inherited(file, beside)) return () => release(file, text);
  } finally {
    rmSync(beside, { force: true });
  }
  throw fail("ATTUNE_STORE", `Expected to lock the store but others are at it (${file}).`);
}

/** False: somebody has it. */
function linked(beside: string, file: string): boolean {
  try {
    linkSync(beside, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw cannotWrite(file, error);
  }
}

/** Takes the place of a dead process's lock. False: it has changed meanwhile. @throws ATTUNE_STORE for one that is alive */
function inherited(file: string, beside: string): boolean {
  const first = textOf(file);
  const heirs: string[] = [];
  // Whoever inherits may be killed at it, and has an heir then.
  for (let held = first; ; ) {
    if (held === undefined) return false;
    refuseAlive(file, held);
    const heir = `${file}.${createHash("sha256").update(held).digest("hex").slice(0, 16)}`;
    heirs.unshift(heir);
    if (linked(beside, heir)) break;
    held = textOf(heir);
  }
  // One who was faster may have done all this and cleared up behind it.
  const inTime = textOf(file) === first;
  if (inTime) renameSync(beside, file);
  for (const heir of inTime ? heirs : heirs.slice(0, 1)) rmSync(heir, { force: true });
  return inTime;
}

function refuseAlive(file: string, held: string): void {
  const owner = ownerOf(held);
  if (owner === undefined || !isAlive(owner)) return;
  const who = owner.pid === process.pid ? "this process" : `process ${owner.pid}`;
  const text = `Expected a store that nobody else has open but ${who} has (${file}).`;
  throw fail("ATTUNE_STORE", `${text} Use PostgreSQL for several processes.`);
}

function cannotWrite(file: string, error: unknown) {
  return fail("ATTUNE_STORE", `Expected to write ${file} but ${reasonOf(error)}`, { cause: error });
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function ownerOf(text: string): Owner | undefined {
  try {
    return JSON.parse(text) as Owner;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  const now = startOf(pid);
  return now === undefined || started === "" || now === started;
}

/** In ticks since the system began (Linux); undefined elsewhere. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Behind the name, which may hold spaces and parentheses.
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function release(file: string, text: string): void {
  if (textOf(file) === text) rmSync(file, { force: true });
}
