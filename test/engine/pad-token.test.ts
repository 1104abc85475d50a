// The padding of a saved sequence classifier: never a token that ends answers.

import { expect } from "chai";
import { padToken, withPadToken } from "../../lib/engine/pad-token.js";
import { createTokenizer } from "../../lib/text/tokenizer.js";
import { TINY_EOS, tinyTokenizer } from "../support/tiny-tokenizer.js";

/** The tiny tokenizer with other special tokens, the first of which is EOS. */
function withSpecial(special: readonly string[], bosId?: number) {
  const json = structuredClone(tinyTokenizer()) as {
    added_tokens: { content: string; id: number }[];
    model: { vocab: Record<string, number> };
  };
  const [first] = json.added_tokens;
  json.added_tokens = special.map((content, i) => ({ ...first, content, id: 256 + i }));
  const bytes = Object.entries(json.model.vocab).filter(([, id]) => id < 256);
  json.model.vocab = Object.fromEntries([...bytes, ...special.map((token, i) => [token, 256 + i])]);
  const specialIds = () => ({ eosIds: [TINY_EOS], bosId });
  return { json, tokenizer: createTokenizer({ json, specialIds, source: "test" }) };
}

describe("the padding of a classifier", () => {
  const { json: tokenizerJson, tokenizer } = withSpecial(["</s>", "<s>", "<pad>"], 257);
  const none = { json: {}, tokenizerConfig: {}, tokenizerJson, tokenizer };

  it("is the tokenizer's own", () => {
    expect(
      padToken({ ...none, tokenizerConfig: { pad_token: "A" }, json: { pad_token_id: 5 } }),
    ).to.deep.equal({
      id: 65,
      token: "A",
    });
    expect(padToken({ ...none, tokenizerConfig: { pad_token: { content: "B" } } }).id).to.equal(66);
  });

  it("is the model's where the tokenizer has none", () => {
    expect(padToken({ ...none, json: { pad_token_id: 70 } }).id).to.equal(70);
  });

  it("is not a token that ends answers, whoever says so", () => {
    const json = { pad_token_id: 70, eos_token_id: [70, 257] };
    expect(padToken({ ...none, tokenizerConfig: { pad_token: "</s>" }, json }).id).to.equal(258);
  });

  it("is a special token that is named so", () => {
    expect(padToken(none)).to.deep.equal({ id: 258, token: "<pad>" });
  });

  it("is the start's token, then any special one, where none is named so", () => {
    const started = withSpecial(["</s>", "<x>", "<s>"], 258);
    expect(padToken({ ...none, tokenizerJson: started.json, tokenizer: started.tokenizer }).id).to.equal(258);
    const other = withSpecial(["</s>", "<x>"]);
    expect(padToken({ ...none, tokenizerJson: other.json, tokenizer: other.tokenizer }).id).to.equal(257);
  });

  it("is an ordinary token where only EOS is special", () => {
    const { json, tokenizer: bare } = withSpecial(["</s>"], 256);
    const { id, token } = padToken({ ...none, tokenizerJson: json, tokenizer: bare });
    expect(id).to.be.below(256);
    expect(token).to.equal(bare.tokenOf(id));
  });

  it("lies within the model's vocabulary", () => {
    expect(padToken({ ...none, json: { vocab_size: 258 } }).id).to.equal(257);
  });

  it("needs no tokenizer", () => {
    const bare = { json: { eos_token_id: 0 }, tokenizerConfig: {}, tokenizerJson: {}, tokenizer: undefined };
    expect(padToken(bare)).to.deep.equal({ id: 1, token: undefined });
    expect(padToken({ ...bare, json: { eos_token_id: 0, bos_token_id: 9 } }).id).to.equal(9);
  });

  it("stands behind the tokens", () => {
    const config = { eos_token: "</s>", padding_side: "left", pad_token: "</s>" };
    expect(withPadToken(config, "<pad>")).to.deep.equal({
      eos_token: "</s>",
      padding_side: "right",
      pad_token: "<pad>",
    });
  });
});
