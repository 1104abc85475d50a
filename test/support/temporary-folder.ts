// A folder for one suite that goes away with it. Must not know what is put there.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Call inside `describe`: the folder exists from the first test to the last. Returns a function that joins paths. */
export function suiteFolder(): (...names: string[]) => string {
  const folder = mkdtempSync(join(tmpdir(), "attune-test-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return (...names) => join(folder, ...names);
}
