import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { readGguf } from "../../lib/text/index.js";
import { failureOf } from "../errors/expect-failure.js";
import {
  arrayPair,
  f32,
  type GgufParts,
  ggufFile,
  ggufType,
  i32,
  pair,
  text,
  textPair,
  u32,
  u64,
} from "./gguf-writer.js";

describe("readGguf", () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-gguf-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  const write = (bytes: Uint8Array) => {
    const path = join(folder, "model.gguf");
    writeFileSync(path, bytes);
    return path;
  };
  const read = (parts: GgufParts) => readGguf({ path: write(ggufFile(parts)) });
  const refusal = (bytes: Uint8Array) => failureOf(() => readGguf({ path: write(bytes) }));
  const tensor = { name: "a.weight", dims: [32, 2], type: 3, offset: 0 };

  it("shows names of a damaged file short and without control characters", async () => {
    const name = `\u001b[2J${"x".repeat(5000)}`;
    const error = await refusal(ggufFile({ tensors: [{ ...tensor, name, dims: [0] }] }));
    expect(error.code).to.equal("ATTUNE_FORMAT");
    expect(error.message).to.match(/"\?\[2Jxxx/);
    expect(error.message.length).to.be.lessThan(500);
  });

  it("reads scalars, texts and booleans", () => {
    const { metadata } = read({
      pairs: [
        textPair("general.architecture", "llama"),
        pair("count", ggufType.u32, u32(7)),
        pair("below", ggufType.i32, i32(-7)),
        pair("half", ggufType.f32, f32(0.5)),
        pair("yes", ggufType.bool, Buffer.from([1])),
      ],
    });
    expect([...metadata]).to.deep.equal([
      ["general.architecture", "llama"],
      ["count", 7],
      ["below", -7],
      ["half", 0.5],
      ["yes", true],
    ]);
  });

  it("reads 64-bit integers as numbers where they are exact, else as bigint", () => {
    const { metadata } = read({
      pairs: [pair("small", ggufType.u64, u64(2 ** 40)), pair("large", ggufType.u64, u64(2n ** 60n + 1n))],
    });
    expect(metadata.get("small")).to.equal(2 ** 40);
    expect(metadata.get("large")).to.equal(2n ** 60n + 1n);
  });

  it("reads arrays of numbers as typed arrays", () => {
    const { metadata } = read({ pairs: [arrayPair("scores", ggufType.f32, [f32(1), f32(-2)])] });
    expect(metadata.get("scores")).to.deep.equal(Float32Array.of(1, -2));
  });

  it("reads arrays of texts, and arrays of arrays", () => {
    const inner = Buffer.concat([u32(ggufType.u32), u64(2), u32(1), u32(2)]);
    const { metadata } = read({
      pairs: [
        arrayPair("tokens", ggufType.string, [text("é"), text("")]),
        arrayPair("nested", ggufType.array, [inner]),
      ],
    });
    expect(metadata.get("tokens")).to.deep.equal(["é", ""]);
    expect(metadata.get("nested")).to.deep.equal([Uint32Array.of(1, 2)]);
  });

  it("reads texts across the border of two chunks", () => {
    const long = Array.from({ length: 40 }, (_, i) => `${i}`.repeat(30_000));
    const { metadata } = read({ pairs: [arrayPair("long", ggufType.string, long.map(text))] });
    expect(metadata.get("long")).to.deep.equal(long);
  });

  it("lists tensors with type, shape, place and size", () => {
    const { tensors, dataOffset } = read({ tensors: [tensor], dataBytes: 40 });
    expect(tensors).to.deep.equal([
      { name: "a.weight", type: 3, typeName: "Q4_1", dims: [32, 2], offset: dataOffset, bytes: 40 },
    ]);
    expect(dataOffset % 32).to.equal(0);
  });

  it("names an unknown tensor type by its number", () => {
    const [only] = read({ tensors: [{ ...tensor, type: 99 }], dataBytes: 40 }).tensors;
    expect(only?.typeName).to.equal("type 99");
  });

  it("refuses a file that is not there", async () => {
    const error = await failureOf(() => readGguf({ path: join(folder, "none.gguf") }));
    expect(error.code).to.equal("ATTUNE_FILE");
  });

  const cases: readonly (readonly [string, () => Uint8Array, RegExp])[] = [
    ["an empty file", () => Buffer.alloc(0), /expected the GGUF mark .* end of the file at byte 0/],
    ["another format", () => Buffer.from("PK\u0003\u0004 and so on"), /expected a GGUF file .*found "PK/],
    ["version 1", () => ggufFile({ version: 1 }), /expected GGUF version 2 or 3.*found version 1/],
    ["a big-endian file", () => ggufFile({ version: 0x03000000 }), /found a big-endian file/],
    [
      "a count of pairs that lies",
      () => ggufFile({ pairCount: 2n ** 40n }),
      /a metadata count that fits the 0 bytes left/,
    ],
    ["a count beyond 2^53", () => ggufFile({ tensorCount: 2n ** 63n }), /expected tensor count below 2\^53/],
    [
      "a text length that lies",
      () => ggufFile({ pairs: [Buffer.concat([u64(2 ** 33), Buffer.from("key and more bytes")])] }),
      /length of metadata key 0 that fits the 18 bytes left/,
    ],
    [
      "an array length that lies",
      () =>
        ggufFile({ pairs: [pair("list", ggufType.array, Buffer.concat([u32(ggufType.f64), u64(1e12)]))] }),
      /expected a length of "list" that fits the 0 bytes left/,
    ],
    [
      "an unknown value type",
      () => ggufFile({ pairs: [pair("key", 13, u32(1))] }),
      /value type from 0 to 12 for "key"/,
    ],
    [
      "a boolean of 2",
      () => ggufFile({ pairs: [pair("on", ggufType.bool, Buffer.from([2]))] }),
      /0 or 1 for the boolean "on"/,
    ],
    [
      "a key twice",
      () => ggufFile({ pairs: [textPair("a", "x"), textPair("a", "y")] }),
      /metadata key "a" once/,
    ],
    [
      "a tensor twice",
      () => ggufFile({ tensors: [tensor, tensor], dataBytes: 40 }),
      /tensor "a.weight" once/,
    ],
    [
      "too many dimensions",
      () => ggufFile({ tensors: [{ ...tensor, dims: [1, 1, 1, 1, 1] }], dataBytes: 40 }),
      /1 to 4 dimensions but found 5/,
    ],
    [
      "a dimension of 0",
      () => ggufFile({ tensors: [{ ...tensor, dims: [0, 2] }], dataBytes: 40 }),
      /positive dimensions/,
    ],
    [
      "dimensions whose product overflows",
      () => ggufFile({ tensors: [{ ...tensor, dims: [2 ** 40, 2 ** 40] }], dataBytes: 40 }),
      /positive dimensions/,
    ],
    [
      "rows that are no whole blocks",
      () => ggufFile({ tensors: [{ ...tensor, dims: [33] }], dataBytes: 40 }),
      /blocks of 32/,
    ],
    [
      "an offset beyond the file",
      () => ggufFile({ tensors: [{ ...tensor, offset: 320 }], dataBytes: 40 }),
      /inside the file/,
    ],
    [
      "an offset that is not aligned",
      () => ggufFile({ tensors: [{ ...tensor, offset: 8 }], dataBytes: 80 }),
      /multiple of 32 bytes/,
    ],
    [
      "tensor data that breaks off",
      () => ggufFile({ tensors: [tensor], dataBytes: 39 }),
      /inside the file .*truncated/,
    ],
    [
      "an alignment of 0",
      () => ggufFile({ pairs: [pair("general.alignment", ggufType.u32, u32(0))] }),
      /general.alignment to be a multiple of 8/,
    ],
  ];
  for (const [what, bytes, message] of cases) {
    it(`refuses ${what}`, async () => {
      const error = await refusal(bytes());
      expect(error.code).to.equal("ATTUNE_FORMAT");
      expect(error.message).to.match(message);
    });
  }

  it("refuses a header cut at any byte", async () => {
    const whole = ggufFile({
      pairs: [
        textPair("a", "text"),
        arrayPair("b", ggufType.string, [text("x")]),
        pair("c", ggufType.f32, f32(1)),
      ],
      tensors: [tensor],
      dataBytes: 40,
    });
    for (let size = 0; size < whole.length; size++) {
      const error = await refusal(whole.subarray(0, size));
      expect(error.code, `${size} bytes`).to.equal("ATTUNE_FORMAT");
    }
  });

  it("survives any damaged byte: the header is read, or refused with ATTUNE_FORMAT", () => {
    const whole = ggufFile({
      pairs: [textPair("a", "text"), arrayPair("b", ggufType.i32, [i32(1), i32(2)])],
      tensors: [tensor],
      dataBytes: 40,
    });
    for (let i = 0; i < whole.length; i++) {
      const damaged = Buffer.from(whole);
      damaged[i] = (damaged[i] ?? 0) ^ 0xff;
      const path = write(damaged);
      expect(() => {
        try {
          readGguf({ path });
        } catch (error) {
          if ((error as { code?: string }).code !== "ATTUNE_FORMAT") throw error;
        }
      }, `byte ${i}`).to.not.throw();
    }
  });
});
