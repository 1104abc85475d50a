import { expect } from "chai";
import { readRows } from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { collect, type TemporaryFiles, temporaryFiles } from "./temporary-files.js";

/** What `zstd -19` makes of three lines {"text": "row N of an archive"}. */
const archive = Buffer.from(
  "KLUv/QRodQEAJAJ7InRleHQiOiAicm93IDEgb2YgYW4gYXJjaGl2ZSJ9CjIzAwBgFtBcDFk9AToPBXI=",
  "base64",
);

/** An archive whose blocks hold the bytes as they are: magic, a window of 1 MB, [last, kind 0, length] and bytes. */
function storedArchive(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50])];
  for (let start = 0; start < bytes.length; start += 100_000) {
    const block = bytes.subarray(start, start + 100_000);
    const last = start + block.length === bytes.length ? 1 : 0;
    const head = Buffer.alloc(3);
    head.writeUIntLE((block.length << 3) | last, 0, 3);
    parts.push(head, block);
  }
  return Buffer.concat(parts);
}

describe("readRows of zstd archives", function () {
  this.timeout(10_000);
  let files: TemporaryFiles;
  before(() => {
    files = temporaryFiles();
  });
  after(() => files.remove());

  const read = (bytes: Uint8Array) => collect(readRows({ data: files.write(bytes) }));
  const texts = async (bytes: Uint8Array) =>
    (await read(bytes)).map((row) => (row.type === "text" ? row.text : ""));
  const three = ["row 1 of an archive", "row 2 of an archive", "row 3 of an archive"];

  it("gives the rows, whatever the file's name", async () => {
    expect(await texts(archive)).to.deep.equal(three);
  });

  it("gives the rows of several frames", async () => {
    expect(await texts(Buffer.concat([archive, archive]))).to.deep.equal([...three, ...three]);
  });

  it("gives the rows of an archive larger than what is read at a time", async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `{"text": "line ${i}"}\n`);
    const rows = await texts(storedArchive(Buffer.from(lines.join(""))));
    expect(rows).to.have.length(20_000);
    expect(rows.at(-1)).to.equal("line 19999");
  });

  for (const [what, bytes] of [
    ["broken off", archive.subarray(0, archive.length - 9)],
    ["damaged", Buffer.concat([archive.subarray(0, 8), Buffer.alloc(16, 0xff), archive.subarray(24)])],
  ] as const) {
    it(`refuses one that is ${what}`, async () => {
      const error = await failureOf(() => read(bytes));
      expect(error.code).to.equal("ATTUNE_DATA");
      expect(error.message).to.match(/whole zstd archive but it breaks off or is damaged after line \d/);
    });
  }
});
