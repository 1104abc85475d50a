// The toy world's sentences: seeded, spelled by its tokenizer word by word, and prompts that are kept apart.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadTokenizer, type Tokenizer } from "../../lib/text/index.js";
import {
  shopDemonstrations,
  shopPrompts,
  shopTexts,
  trueReward,
  vocabulary,
  writeTinyModel,
} from "../../lib/world/index.js";

describe("the sentences of the corner shop", () => {
  const demonstrations = shopDemonstrations({ seed: 3, count: 2000 });

  it("are the same from the same seed, and others from another", () => {
    expect(shopDemonstrations({ seed: 3, count: 100 })).to.deep.equal(demonstrations.slice(0, 100));
    expect(shopDemonstrations({ seed: 4, count: 100 })).to.not.deep.equal(demonstrations.slice(0, 100));
    expect(shopTexts({ seed: 3, count: 20 })).to.deep.equal(shopTexts({ seed: 3, count: 20 }));
    expect(shopTexts({ seed: 4, count: 20 })).to.not.deep.equal(shopTexts({ seed: 3, count: 20 }));
  });

  it("have prompts that are all different, so that a list can be cut into training and held out", () => {
    const prompts = shopPrompts({ seed: 3, count: 3000 });
    expect(new Set(prompts).size).to.equal(3000);
    expect(shopPrompts({ seed: 3, count: 10 })).to.deep.equal(prompts.slice(0, 10));
  });

  it("leave no slot open", () => {
    const all = [
      ...demonstrations,
      ...shopTexts({ seed: 3, count: 500 }),
      ...shopPrompts({ seed: 3, count: 500 }),
    ];
    expect(JSON.stringify(all)).to.not.match(/\{[a-z]\}/);
  });

  it("are by clerks who are neither all good nor all bad", () => {
    const totals = demonstrations.map((row) => trueReward(row).total);
    const mean = totals.reduce((sum, total) => sum + total, 0) / totals.length;
    expect(mean).to.be.within(2, 3);
    const perfect = totals.filter((total) => total === 4).length / totals.length;
    expect(perfect).to.be.within(0.02, 0.1);
  });
});

describe("the tokenizer of words", () => {
  let folder = "";
  let tokenizer: Tokenizer;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "attune-words-"));
    await writeTinyModel({ folder, seed: 1, tokens: "words" });
    tokenizer = await loadTokenizer({ path: folder });
  });
  after(() => rmSync(folder, { recursive: true }));

  it("has a few hundred tokens, the last of which ends an answer", () => {
    expect(vocabulary().length).to.be.within(200, 500);
    expect(tokenizer.vocabSize).to.equal(vocabulary().length + 2);
    expect(tokenizer.eosIds).to.deep.equal([tokenizer.vocabSize - 1]);
  });

  it("knows every word of prompts, answers and texts, and gives them back", () => {
    const unknown = tokenizer.idOf("<|unknown|>");
    const texts = [
      ...shopDemonstrations({ seed: 5, count: 300 }).flatMap(({ prompt, completion }) => [
        prompt,
        completion,
      ]),
      ...shopTexts({ seed: 5, count: 300 }).map(({ text }) => text),
    ];
    for (const text of texts) {
      const ids = tokenizer.encode(text);
      expect([...ids], text).to.not.include(unknown);
      expect(tokenizer.decode(ids)).to.equal(text);
    }
  });

  it("takes a word with the space before it as one token, and any other word as unknown", () => {
    const unknown = tokenizer.idOf("<|unknown|>");
    const ids = tokenizer.encode(" the red kettles.");
    expect(ids).to.have.lengthOf(4);
    expect(ids[2]).to.equal(unknown);
    expect([...ids].filter((id) => id === unknown)).to.have.lengthOf(1);
  });
});
