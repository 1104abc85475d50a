// Every tokenizer case of the oracle: encoding, decoding, and the GGUF vocabulary against the tokenizer.json beside it.
// Must not name a tokenizer or count: whatever the folder lists is run, and an empty list fails.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "chai";
import {
  createTokenizer,
  ggufSpecialIds,
  ggufTokenizerJson,
  loadTokenizer,
  readGguf,
  type Tokenizer,
} from "../../lib/text/index.js";
import { oracleEntries, oraclePath, readOracleJson, sharedPath } from "../support/oracle-folder.js";
import { ggufMetadataOf, type TokenizerJson } from "../text/gguf-from-json.js";

interface EncodeCase {
  readonly ids: readonly number[];
  readonly ids_special?: readonly number[];
  readonly decoded?: string;
  readonly decoded_skip?: string;
}

interface DecodeCase {
  readonly ids: readonly number[];
  readonly decoded: string;
  readonly decoded_skip?: string;
}

interface TokenizerCases {
  readonly file: string;
  readonly vocab_size: number;
  readonly encode: readonly EncodeCase[];
  readonly decode: readonly DecodeCase[];
}

interface CasesFile {
  readonly strings: readonly string[];
  readonly tokenizers: Readonly<Record<string, TokenizerCases>>;
}

const noCases: CasesFile = { strings: [], tokenizers: {} };

describe("oracle: tokenizer", () => {
  const found = oracleEntries("tokenizer").includes("cases.json");
  const cases = found ? readOracleJson<CasesFile>("tokenizer", "cases.json") : noCases;
  const names = Object.keys(cases.tokenizers);

  it("lists at least one tokenizer and one string", () => {
    expect(names).to.not.have.length(0);
    expect(cases.strings).to.not.have.length(0);
  });

  for (const name of names) {
    const expected = cases.tokenizers[name];
    if (expected !== undefined) describe(name, () => checkTokenizer(expected, cases.strings));
  }
});

function checkTokenizer(expected: TokenizerCases, strings: readonly string[]): void {
  const path = locate(expected.file);
  let tokenizer: Tokenizer;

  before(async () => {
    tokenizer = await loadTokenizer({ path });
  });

  it("has the vocabulary's size", () => {
    expect(tokenizer.vocabSize).to.equal(expected.vocab_size);
  });

  it("encodes every string to the same ids", () => {
    expect(strings).to.have.length(expected.encode.length);
    for (const [i, text] of strings.entries()) same(tokenizer.encode(text), expected.encode[i]?.ids, text);
  });

  it("starts a sequence with the ids the original puts in front", () => {
    for (const [i, text] of strings.entries()) {
      const { ids, ids_special: special = ids } = expected.encode[i] ?? { ids: [] };
      same([...tokenizer.startIds, ...tokenizer.encode(text)], special, text);
    }
  });

  it("decodes the ids of every string, with and without special tokens", () => {
    for (const [i, text] of strings.entries()) {
      const {
        ids = [],
        ids_special: special = ids,
        decoded = text,
        decoded_skip: skipped = decoded,
      } = expected.encode[i] ?? {};
      expect(tokenizer.decode(ids)).to.equal(decoded);
      expect(tokenizer.decode(special, { skipSpecial: true })).to.equal(skipped);
    }
  });

  it("decodes lists of ids cut anywhere", () => {
    expect(expected.decode).to.not.have.length(0);
    for (const { ids, decoded, decoded_skip: skipped = decoded } of expected.decode) {
      expect(tokenizer.decode(ids), `ids ${ids.join()}`).to.equal(decoded);
      expect(tokenizer.decode(ids, { skipSpecial: true }), `ids ${ids.join()}`).to.equal(skipped);
    }
  });

  checkGguf(expected, path, strings, () => tokenizer);
}

/** The same ids from the vocabulary as a GGUF file holds it. */
function checkGguf(
  expected: TokenizerCases,
  path: string,
  strings: readonly string[],
  tokenizerOf: () => Tokenizer,
): void {
  it("written as GGUF metadata and read back, encodes every string to the same ids", function () {
    const metadata = ggufMetadataOf(JSON.parse(readFileSync(path, "utf8")) as TokenizerJson);
    // A file cannot state every rule; the test is then pending.
    if (metadata === undefined) return this.skip();
    const json = ggufTokenizerJson({ metadata, path });
    const own = createTokenizer({ json, specialIds: () => ggufSpecialIds(metadata), source: path });
    for (const [i, text] of strings.entries()) same(own.encode(text), expected.encode[i]?.ids, text);
  });

  for (const file of readdirSync(dirname(path)).filter((entry) => entry.endsWith(".gguf"))) {
    it(`the vocabulary inside ${file} encodes every string to the same ids`, () => {
      const { metadata } = readGguf({ path: join(dirname(path), file) });
      const json = ggufTokenizerJson({ metadata, path: file });
      const own = createTokenizer({ json, specialIds: () => ggufSpecialIds(metadata), source: file });
      for (const [i, text] of strings.entries()) same(own.encode(text), expected.encode[i]?.ids, text);
      const tokenizer = tokenizerOf();
      expect(own.eosId).to.equal(tokenizer.eosId);
      expect(own.bosId).to.equal(tokenizer.bosId);
    });
  }
}

/** A folder of expected values may lie elsewhere than the models it names beside it. */
function locate(file: string): string {
  const path = oraclePath("tokenizer", file);
  return existsSync(path) ? path : sharedPath("oracle/tokenizer", file);
}

/** Compares without chai's deep equality, whose messages for long lists say little. */
function same(actual: ArrayLike<number>, wanted: readonly number[] | undefined, text: string): void {
  expect(Array.from(actual).join(), JSON.stringify(text).slice(0, 80)).to.equal(wanted?.join());
}
