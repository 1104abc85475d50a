// Every GGUF case of the oracle: dequantised values bit for bit, shape and metadata.
// Must not name a type: whatever the folder holds is run, and an empty folder fails.

import { expect } from "chai";
import { readGguf } from "../../lib/text/index.js";
import { isaTitle, suiteChecks, testedIsas } from "../support/oracle-engines.js";
import { oracleEntries, oraclePath, readOracleJson } from "../support/oracle-folder.js";

interface GgufCase {
  readonly file: string;
  readonly type: string;
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** float32, little-endian, row after row. */
  readonly values_hex: string;
}

describe("oracle: gguf", () => {
  const files = oracleEntries("gguf").filter((name) => name.endsWith(".json"));

  for (const isa of testedIsas({ withCuda: true })) {
    describe(isaTitle(isa), () => {
      const checks = suiteChecks({ isa });
      for (const file of files) {
        const expected = readOracleJson<GgufCase>("gguf", file);
        it(`${expected.type}: the same bits`, async () => {
          const { shape, values } = await checks().readTensor(
            oraclePath("gguf", expected.file),
            expected.name,
          );
          expect(shape).to.deep.equal([expected.rows, expected.columns]);
          const bits = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
          expect(
            Buffer.from(bits).toString("hex") === expected.values_hex,
            firstDifference(values, expected),
          ).to.equal(true);
        });
      }
    });
  }

  for (const file of files) {
    const expected = readOracleJson<GgufCase>("gguf", file);
    it(`${expected.type}: the same metadata`, () => {
      const { metadata } = readGguf({ path: oraclePath("gguf", expected.file) });
      for (const [key, value] of Object.entries(expected.metadata)) {
        expect(plain(metadata.get(key)), key).to.deep.equal(value);
      }
    });
  }

  it("found cases", () => {
    expect(files).to.not.have.length(0);
  });
});

function firstDifference(values: Float32Array, { values_hex: hex }: GgufCase): string {
  const bytes = Buffer.from(hex, "hex");
  for (const [i, value] of values.entries()) {
    const wanted = bytes.readFloatLE(4 * i);
    if (!Object.is(value, wanted)) return `value ${i}: expected ${wanted} but got ${value}`;
  }
  return "another number of values";
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  return value;
}
