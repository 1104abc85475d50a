// Small row files in a folder that goes away. Must not know what rows hold.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

export interface TemporaryFiles {
  /** Writes contents under a new name and returns the path. */
  write(contents: string | Uint8Array): string;
  /** Writes one JSON object a line. */
  writeRows(rows: readonly unknown[]): string;
  writeGzipped(contents: string): string;
  readonly folder: string;
  remove(): void;
}

export function temporaryFiles(): TemporaryFiles {
  const folder = mkdtempSync(join(tmpdir(), "attune-rows-"));
  let next = 0;
  const write = (contents: string | Uint8Array) => {
    const path = join(folder, `rows-${next++}.jsonl`);
    writeFileSync(path, contents);
    return path;
  };
  return {
    write,
    writeRows: (rows) => write(rows.map((row) => `${JSON.stringify(row)}\n`).join("")),
    writeGzipped: (contents) => write(gzipSync(contents)),
    folder,
    remove: () => rmSync(folder, { recursive: true }),
  };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
