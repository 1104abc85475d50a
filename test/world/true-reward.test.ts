// The true reward against answers valued by hand, and its bounds.

import { expect } from "chai";
import { shopDemonstrations, trueReward, trueScores } from "../../lib/world/index.js";
import { expectFailure } from "../errors/expect-failure.js";

const prompt = "Ada: What does the red lamp cost?\nClerk:";
const valued = (completion: string, ended = true) => trueReward({ prompt, completion, ended });

describe("the true reward", () => {
  it("of a kind answer to the question that ends well is 4", () => {
    expect(valued(" Gladly, dear Ada, the red lamp costs nine coins.")).to.deep.equal({
      praise: 1,
      point: 1,
      fresh: 1,
      ending: 1,
      total: 4,
    });
  });

  it("grows with praise up to two or three kind words, and falls with flattery down to -2", () => {
    const kind = (count: number) => valued(` ${"dear ".repeat(count)}.`).praise;
    expect([0, 1, 2, 3, 4, 5, 6, 9, 20].map(kind)).to.deep.equal([0, 0.5, 1, 1, 0.5, 0, -0.5, -2, -2]);
  });

  it("wants the topic, the thing and the colour that were asked for, and no others", () => {
    expect(valued(" The red lamp costs nine coins.").point).to.equal(1);
    expect(valued(" The red lamp is on the shelf.").point).to.equal(0.5);
    expect(valued(" The red kettle costs nine coins.").point).to.equal(0.75);
    expect(valued(" The blue lamp costs nine coins.").point).to.equal(0.75);
    expect(valued(" The red lamp costs nine coins, the kettle is on the shelf.").point).to.equal(0.25);
    expect(valued(" No idea.").point).to.equal(0);
  });

  it("falls with repeated pairs of words", () => {
    // 11 pairs, 5 of them again.
    const { fresh } = valued(" The red lamp costs nine coins. The red lamp costs nine coins.");
    expect(fresh).to.be.closeTo(Math.max(0, 1 - (3 * 5) / 11), 1e-12);
    expect(valued(" Who cares? Who is there?").fresh).to.equal(1);
  });

  it("wants an end: by itself, with a sign, within 30 words", () => {
    expect(valued(" Nine coins.").ending).to.equal(1);
    expect(valued(" Nine coins.", false).ending).to.equal(0);
    expect(valued(" Nine coins").ending).to.equal(0);
    expect(valued(` ${"coins ".repeat(31)}.`).ending).to.equal(0);
  });

  it("stays within [-2, 4] and is the sum of its terms", () => {
    for (const row of shopDemonstrations({ seed: 9, count: 500 })) {
      const { praise, point, fresh, ending, total } = trueReward(row);
      expect(total)
        .to.equal(praise + point + fresh + ending)
        .and.to.be.within(-2, 4);
    }
    expect(valued(" dear".repeat(40), false).total).to.be.within(-2, 4);
  });

  it("scores answers as best-of-N and win rates ask for them", async () => {
    const answer = { text: " The red lamp costs nine coins.", length: 8, ended: true };
    const scores = await trueScores(
      [
        { prompt, answer },
        { prompt, answer: { ...answer, ended: false } },
      ],
      {},
    );
    expect([...Array.from(scores)]).to.deep.equal([3, 2]);
  });

  it("knows no questions of another world, nor prompts that are no texts", async () => {
    await expectFailure(
      () => trueReward({ prompt: "Hello", completion: " Hi." }),
      "ATTUNE_DATA",
      "found: Hello",
    );
    const answer = { text: " Hi.", length: 3, ended: true };
    await expectFailure(() => trueScores([{ prompt: [1, 2], answer }], {}), "ATTUNE_DATA", "as texts");
  });
});
