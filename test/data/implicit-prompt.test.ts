import { expect } from "chai";
import { splitImplicitPrompt } from "../../lib/data/index.js";

describe("splitImplicitPrompt", () => {
  const turns = "\n\nHuman: hi\n\nAssistant:";

  it("ends the prompt with the last turn mark the sides share", () => {
    const split = splitImplicitPrompt({ chosen: `${turns} yes`, rejected: `${turns} no` });
    expect(split).to.deep.equal({ prompt: turns, chosen: " yes", rejected: " no" });
  });

  it("leaves words that both answers begin with in the answers", () => {
    const split = splitImplicitPrompt({ chosen: `${turns} I am glad`, rejected: `${turns} I am not` });
    expect(split).to.deep.equal({ prompt: turns, chosen: " I am glad", rejected: " I am not" });
  });

  it("does not take a turn mark that only one side holds whole", () => {
    const split = splitImplicitPrompt({ chosen: "one two\n\nAssistant: a", rejected: "one two\n\nAssist b" });
    expect(split?.prompt).to.equal("one two\n");
  });

  it("cuts back to before the last white space where there is no turn mark", () => {
    const split = splitImplicitPrompt({ chosen: "How do I? Lower it", rejected: "How do I? Later" });
    expect(split).to.deep.equal({ prompt: "How do I?", chosen: " Lower it", rejected: " Later" });
  });

  it("takes another turn mark", () => {
    const split = splitImplicitPrompt({ chosen: "Q: a\nA: b c", rejected: "Q: a\nA: b d", turnMark: "\nA:" });
    expect(split).to.deep.equal({ prompt: "Q: a\nA:", chosen: " b c", rejected: " b d" });
  });

  it("gives an empty side where one answer is missing", () => {
    expect(splitImplicitPrompt({ chosen: `${turns} yes`, rejected: turns })?.rejected).to.equal("");
  });

  it("finds no prompt where the sides begin differently", () => {
    expect(splitImplicitPrompt({ chosen: "yes indeed", rejected: "no indeed" })).to.equal(undefined);
  });

  it("finds no prompt where the sides share one word in part", () => {
    expect(splitImplicitPrompt({ chosen: "yesterday", rejected: "yes" })).to.equal(undefined);
  });

  it("finds no prompt in shared white space alone", () => {
    expect(splitImplicitPrompt({ chosen: "\n\nyes", rejected: "\n\nno" })).to.equal(undefined);
  });
});
