// One run at a time in a folder: a file that names the process at work. A lock whose process is gone is taken over.
// Must not know what a run does.

import { constants, copyFileSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type AttuneError, fail } from "../errors/index.js";

const lockName = "run.lock";

/** Who works in a folder. Numbers of processes are used again: the start time and the boot tell them apart. */
interface LockOwner {
  readonly host: string;
  readonly boot: string;
  readonly pid: number;
  readonly started: string;
}

/** A folder that this process holds. */
export class RunLock {
  readonly #path: string;
  readonly #text: string;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  /**
   * Takes the folder, which must exist.
   * @throws ATTUNE_OUTPUT_EXISTS when a run is at work in it
   */
  static acquire(folder: string): RunLock {
    const path = join(folder, lockName);
    const text = `${JSON.stringify(ownerOf(process.pid))}\n`;
    // Complete before it gets its name, so that nobody reads half of it.
    const own = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`;
    writeFileSync(own, text);
    try {
      for (;;) {
        if (linked(own, path)) return new RunLock(path, text);
        const found = readLock(path);
        if (found === undefined) continue;
        if (atWork(found)) throw busy(folder, found);
        clearStale(path, found);
      }
    } finally {
      rmSync(own, { force: true });
    }
  }

  /** Lets the folder go; not what somebody else holds by now. */
  release(): void {
    if (readLock(this.#path) === this.#text) rmSync(this.#path, { force: true });
  }
}

/**
 * Refuses a folder in which a run is at work; takes nothing.
 * @throws ATTUNE_OUTPUT_EXISTS
 */
export function requireUnlocked(folder: string): void {
  const found = readLock(join(folder, lockName));
  if (found !== undefined && atWork(found)) throw busy(folder, found);
}

/** False when the name is taken. */
function linked(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (!withoutLinks.has(code ?? "")) throw error;
    return copied(own, path);
  }
}

/** What file systems without hard links answer. */
const withoutLinks: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** There a reader may meet half a lock: only for a moment, and only when two runs begin at once. */
function copied(own: string, path: string): boolean {
  try {
    copyFileSync(own, path, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Moves a dead lock away. When it was replaced meanwhile, the living one goes back to its place. */
function clearStale(path: string, found: string): void {
  const aside = `${path}.${process.pid}.stale.tmp`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (readLock(aside) !== found) linked(aside, path);
  rmSync(aside, { force: true });
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Whether the process lives. On another machine nobody can tell, and it counts as alive. */
function atWork(text: string): boolean {
  const owner = parseOwner(text);
  if (owner === undefined) return false;
  const self = ownerOf(process.pid);
  if (owner.host !== self.host) return true;
  if (owner.boot !== self.boot) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return ownerOf(owner.pid).started === owner.started;
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const { host, boot, pid, started } = JSON.parse(text) as Partial<LockOwner>;
    if (typeof host !== "string" || typeof boot !== "string") return undefined;
    if (typeof pid !== "number" || typeof started !== "string") return undefined;
    return { host, boot, pid, started };
  } catch {
    return undefined;
  }
}

function ownerOf(pid: number): LockOwner {
  return { host: hostname(), boot: bootOf(), pid, started: startOf(pid) };
}

/** Empty where the system does not say. */
function bootOf(): string {
  return (readLock("/proc/sys/kernel/random/boot_id") ?? "").trim();
}

/** Clock ticks between boot and the start of a process; empty where the system does not say. */
function startOf(pid: number): string {
  const text = readLock(`/proc/${pid}/stat`) ?? "";
  // The name in parentheses may hold spaces; the start time is field 22, the 20th behind it.
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function busy(folder: string, text: string): AttuneError {
  const { host, pid } = parseOwner(text) ?? { host: "?", pid: 0 };
  const elsewhere = host === hostname() ? "" : ` on ${host}`;
  return fail(
    "ATTUNE_OUTPUT_EXISTS",
    `Expected no other run at work in ${folder}, but process ${pid}${elsewhere} is. Wait for its end, or choose ` +
      `another output.${elsewhere === "" ? "" : ` If it is gone, remove ${join(folder, lockName)}.`}`,
    { details: { folder, pid, host } },
  );
}
