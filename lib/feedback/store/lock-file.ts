// Keeps a second process from an embedded store: a file with the process that has it. One that a killed process left
// behind counts for nothing. Must not know the store.

import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { fail, reasonOf } from "../../errors/index.js";

interface Owner {
  readonly pid: number;
  /** When the process began, as the system counts: another process may get the number again. */
  readonly started: string;
}

/** @throws ATTUNE_STORE where another process has it; the result gives it back */
export function lockFile(file: string): () => void {
  const own: Owner = { pid: process.pid, started: startOf(process.pid) ?? "" };
  for (let attempt = 0; attempt < 3; attempt++) {
    if (create(file, own)) return () => release(file, own);
    const owner = ownerOf(file);
    if (owner !== undefined && isAlive(owner)) {
      const who = owner.pid === process.pid ? "this process" : `process ${owner.pid}`;
      const text = `Expected a store that nobody else has open but ${who} has (${file}).`;
      throw fail("ATTUNE_STORE", `${text} Use PostgreSQL for several processes.`);
    }
    // Moved away first: of two that find it stale, one alone succeeds.
    const stale = `${file}.${process.pid}.stale`;
    try {
      renameSync(file, stale);
      rmSync(stale, { force: true });
    } catch {
      // The other one was faster.
    }
  }
  throw fail("ATTUNE_STORE", `Expected to lock the store but others are at it (${file}).`);
}

function create(file: string, own: Owner): boolean {
  try {
    const handle = openSync(file, "wx");
    writeSync(handle, JSON.stringify(own));
    closeSync(handle);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw fail("ATTUNE_STORE", `Expected to write ${file} but ${reasonOf(error)}`, { cause: error });
  }
}

function ownerOf(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Owner;
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

function release(file: string, own: Owner): void {
  const owner = ownerOf(file);
  if (owner?.pid === own.pid && owner.started === own.started) rmSync(file, { force: true });
}
