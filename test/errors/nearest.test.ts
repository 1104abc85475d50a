import { expect } from "chai";
import { editDistance, nearest, unknownName } from "../../lib/errors/index.js";

describe("editDistance", () => {
  it("counts inserted, deleted and replaced letters", () => {
    expect(editDistance("kitten", "sitting")).to.equal(3);
  });

  it("counts two swapped neighbours once", () => {
    expect(editDistance("chosne", "chosen")).to.equal(1);
  });

  it("counts every letter against an empty text", () => {
    expect(editDistance("", "beta")).to.equal(4);
    expect(editDistance("beta", "")).to.equal(4);
  });
});

describe("nearest", () => {
  const names = ["batch-size", "beta", "learning-rate", "max-length"];

  it("finds the name with the fewest edits", () => {
    expect(nearest("learing-rate", names)).to.equal("learning-rate");
  });

  it("does not count dashes and letter case", () => {
    expect(nearest("learningRate", names)).to.equal("learning-rate");
  });

  it("finds nothing for a name unlike all others", () => {
    expect(nearest("colour", names)).to.equal(undefined);
  });

  it("finds nothing for a name of one letter that shares none", () => {
    expect(nearest("x", ["y", "z"])).to.equal(undefined);
  });
});

describe("unknownName", () => {
  it("asks whether the nearest name was meant", () => {
    expect(unknownName("option", "clipp", ["clip"])).to.equal('Unknown option "clipp". Did you mean "clip"?');
  });

  it("lists the names where none is near", () => {
    const text = unknownName("schedule", "staircase", ["constant", "cosine"]);
    expect(text).to.equal('Unknown schedule "staircase". Expected one of: constant, cosine.');
  });
});
