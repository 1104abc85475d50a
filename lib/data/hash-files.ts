// SHA-256 of files: what tells whether data changed. Must not look at what they hold.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { fail, reasonOf } from "../errors/index.js";

export interface HashedFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of its bytes, hexadecimal. */
  readonly hash: string;
}

export interface HashFilesOptions {
  readonly paths: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Throws ATTUNE_FILE when a file cannot be read. */
export async function hashFiles({ paths, signal }: HashFilesOptions): Promise<HashedFile[]> {
  const files: HashedFile[] = [];
  for (const path of paths) {
    const hash = createHash("sha256");
    let bytes = 0;
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
        signal?.throwIfAborted();
        hash.update(chunk as Buffer);
        bytes += (chunk as Buffer).length;
      }
    } catch (error) {
      if (!(error instanceof Error && "syscall" in error)) throw error;
      const text = `Expected a file of rows at ${path}, but it cannot be read: ${reasonOf(error)}`;
      throw fail("ATTUNE_FILE", text, { cause: error, details: { file: path } });
    }
    files.push({ path, bytes, hash: hash.digest("hex") });
  }
  return files;
}
