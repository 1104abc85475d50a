// Pieces of text as tokens arrive: together they are the decoded whole, none cuts a character, stop strings end them.

import { existsSync } from "node:fs";
import { expect } from "chai";
import { TextDeltas } from "../../lib/engine/text-deltas.js";
import { createTokenizer, loadTokenizer, type Tokenizer } from "../../lib/text/index.js";
import { oracleEntries, oraclePath } from "../support/oracle-folder.js";
import { tinyTokenizer } from "../support/tiny-tokenizer.js";

const bytes = createTokenizer({
  json: tinyTokenizer(),
  specialIds: () => ({ eosIds: [256], bosId: undefined }),
  source: "a test",
});

const fileOf = (name: string) => oraclePath("tokenizer", name, "tokenizer.json");

interface Pieces {
  readonly texts: readonly string[];
  readonly stopped: boolean;
}

function pieces(tokenizer: Tokenizer, ids: Iterable<number>, stop: readonly string[] = []): Pieces {
  const deltas = new TextDeltas({ tokenizer, stop });
  const texts: string[] = [];
  for (const id of ids) {
    const { text, stopped } = deltas.push(id);
    texts.push(text);
    if (stopped) return { texts, stopped };
  }
  const { text, stopped } = deltas.end();
  return { texts: [...texts, text], stopped };
}

describe("text of tokens as they arrive", () => {
  it("holds a character back until its last byte is there", () => {
    const { texts } = pieces(bytes, bytes.encode("aé🙂b"));
    expect(texts).to.deep.equal(["a", "", "é", "", "", "", "🙂", "b", ""]);
  });

  it("gives broken bytes as the decoder shows them, once it is clear that they are", () => {
    const { texts } = pieces(bytes, [97, 0xf0, 0x9f, 98]);
    expect(texts.join("")).to.equal(bytes.decode([97, 0xf0, 0x9f, 98]));
    expect(texts.slice(0, 3)).to.deep.equal(["a", "", ""]);
  });

  it("gives an incomplete character at the end", () => {
    const { texts } = pieces(bytes, [97, 0xf0, 0x9f]);
    expect(texts.join("")).to.equal(bytes.decode([97, 0xf0, 0x9f]));
  });

  it("leaves special tokens out", () => {
    const ids = [...bytes.encode("a"), 257, ...bytes.encode("b"), 256];
    expect(pieces(bytes, ids).texts.join("")).to.equal("ab");
  });

  it("ends before a stop string and gives nothing of it, also across tokens", () => {
    const { texts, stopped } = pieces(bytes, bytes.encode("one\n\nHuman: two"), ["\n\nHuman:"]);
    expect(texts.join("")).to.equal("one");
    expect(stopped).to.equal(true);
    expect(texts.length).to.equal("one\n\nHuman:".length);
  });

  it("gives the beginning of a stop string once it goes on otherwise, or ends", () => {
    const found = pieces(bytes, bytes.encode("a\n\nHumid\n"), ["\n\nHuman:"]);
    expect(found).to.deep.include({ stopped: false });
    expect(found.texts.join("")).to.equal("a\n\nHumid\n");
    expect(found.texts.slice(0, 4)).to.deep.equal(["a", "", "", ""]);
  });

  it("takes the first of several stop strings", () => {
    const { texts } = pieces(bytes, bytes.encode("abcdef"), ["ef", "cd"]);
    expect(texts.join("")).to.equal("ab");
  });

  it("finds a stop string that overlaps itself", () => {
    expect(pieces(bytes, bytes.encode("xaaab"), ["aab"]).texts.join("")).to.equal("xa");
  });

  it("ends before a stop string of several bytes per character", () => {
    expect(pieces(bytes, bytes.encode("é🙂→ü"), ["→"]).texts.join("")).to.equal("é🙂");
  });

  describe("by the tokenizers of the oracle", () => {
    const names = oracleEntries("tokenizer").filter((name) => existsSync(fileOf(name)));
    it("of which there are some", () => expect(names).to.not.deep.equal([]));
    for (const name of names) {
      it(`together are the decoded whole: ${name}`, async () => {
        const tokenizer = await loadTokenizer({ path: fileOf(name) });
        const texts = [" Hello, wörld!  How 🙂 are\n\nyou?", "x = [1, 2]\n\treturn x", "日本語 text → more"];
        const known = Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter(
          (id) => tokenizer.tokenOf(id) !== undefined,
        );
        const mixed = Array.from({ length: 300 }, (_, i) => known[(i * 7919 + 13) % known.length] ?? 0);
        for (const ids of [...texts.map((text) => [...tokenizer.encode(text)]), mixed]) {
          const whole = tokenizer.decode(ids, { skipSpecial: true });
          expect(pieces(tokenizer, ids).texts.join("")).to.equal(whole);
        }
      });
    }
  });
});
