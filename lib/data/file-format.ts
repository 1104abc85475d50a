// Tells what a row file is by its first bytes, whatever its name. Must not read further.

import { open } from "node:fs/promises";
import { fail, reasonOf } from "../errors/index.js";

/** Lines of JSON as they are or in an archive, or Parquet. */
export type FileFormat = "plain" | "gzip" | "zstd" | "parquet";

const ownFormats: readonly (readonly [readonly number[], FileFormat])[] = [
  [[0x1f, 0x8b], "gzip"],
  [[0x28, 0xb5, 0x2f, 0xfd], "zstd"],
  [[0x50, 0x41, 0x52, 0x31], "parquet"],
];

/** Formats somebody may pass by mistake. */
const otherFormats: readonly (readonly [readonly number[], string])[] = [
  [[0x50, 0x41, 0x52, 0x45], "an encrypted Parquet file"],
  [[0x50, 0x4b, 0x03, 0x04], "a zip archive"],
  [[0x42, 0x5a, 0x68], "a bzip2 archive"],
  [[0xfd, 0x37, 0x7a, 0x58], "an xz archive"],
  [[0x47, 0x47, 0x55, 0x46], "a GGUF model"],
  [[0x41, 0x52, 0x52, 0x4f], "an Arrow file"],
];

/** Throws ATTUNE_FILE when the file cannot be read, ATTUNE_DATA when it is empty or of another format. */
export async function fileFormat({ path }: { readonly path: string }): Promise<FileFormat> {
  const head = await firstBytes(path);
  const startsWith = (magic: readonly number[]) => magic.every((byte, i) => head[i] === byte);
  const expected = "expected one JSON object per line (JSONL, also in gzip or zstd) or a Parquet file";
  if (head.length === 0) {
    throw fail("ATTUNE_DATA", `${path}: ${expected} but the file is empty.`, { details: { file: path } });
  }
  const other = otherFormats.find(([magic]) => startsWith(magic))?.[1];
  if (other === undefined) return ownFormats.find(([magic]) => startsWith(magic))?.[1] ?? "plain";
  throw fail("ATTUNE_DATA", `${path}: ${expected} but found ${other}. Convert it.`, {
    details: { file: path },
  });
}

async function firstBytes(path: string): Promise<Uint8Array> {
  const head = new Uint8Array(4);
  try {
    const file = await open(path);
    try {
      return head.subarray(0, (await file.read(head, 0, head.length, 0)).bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    const text = `Expected a file of rows at ${path}, but it cannot be read: ${reasonOf(error)}`;
    throw fail("ATTUNE_FILE", text, { cause: error, details: { file: path } });
  }
}
