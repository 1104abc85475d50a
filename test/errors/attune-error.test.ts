import { expect } from "chai";
import { AttuneError, errorCodes, fail, isErrorCode, reasonOf } from "../../lib/errors/index.js";

describe("fail", () => {
  it("returns an Error with the code and the message", () => {
    const error = fail("ATTUNE_OPTION", "Expected clip in [0, 1) but received 1.4.");
    expect(error).to.be.instanceOf(AttuneError).and.instanceOf(Error);
    expect(error.code).to.equal("ATTUNE_OPTION");
    expect(error.message).to.equal("Expected clip in [0, 1) but received 1.4.");
  });

  it("keeps the cause", () => {
    const cause = new Error("underneath");
    expect(fail("ATTUNE_FILE", "text", { cause }).cause).to.equal(cause);
  });

  it("has no own cause where none was given", () => {
    expect(Object.hasOwn(fail("ATTUNE_FILE", "text"), "cause")).to.equal(false);
  });

  it("keeps the details", () => {
    expect(fail("ATTUNE_DATA", "text", { details: { line: 3 } }).details).to.deep.equal({ line: 3 });
  });

  it("exits with 2 for wrong data and with 1 for lack of memory", () => {
    expect(fail("ATTUNE_DATA", "text").exitCode).to.equal(2);
    expect(fail("ATTUNE_MEMORY", "text").exitCode).to.equal(1);
  });
});

describe("errorCodes", () => {
  it("gives every code a meaning on one line", () => {
    for (const [code, { meaning }] of Object.entries(errorCodes))
      expect(meaning, code).to.match(/^[^\n]{10,}$/);
  });

  it("spells every code ATTUNE_ and capitals", () => {
    for (const code of Object.keys(errorCodes)) expect(code).to.match(/^ATTUNE(_[A-Z]+)+$/);
  });

  it("tells its codes from other texts", () => {
    expect(isErrorCode("ATTUNE_SHAPE")).to.equal(true);
    expect(isErrorCode("toString")).to.equal(false);
  });
});

describe("reasonOf", () => {
  it("takes the message of an error and the text of anything else", () => {
    expect(reasonOf(new Error("broken"))).to.equal("broken");
    expect(reasonOf(7)).to.equal("7");
  });
});
