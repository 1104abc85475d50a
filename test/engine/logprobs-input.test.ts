// What model.logprobs says to rows that are none.

import { expect } from "chai";
import { createEngine, type Engine, type LogprobRow, type Model } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

describe("rows of logprobs", () => {
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  before(async () => {
    engine = await createEngine({ threads: 1 });
    model = await engine.loadModel(writeTinyModel({ folder: at("model") }).folder);
  });
  after(() => engine.dispose());

  const wrong: readonly [string, unknown, string][] = [
    ["a completion is missing", { prompt: [1] }, "Row 0: expected completion"],
    ["a prompt is a number", { prompt: 5, completion: "b" }, "Row 0: expected prompt"],
    ["an id is a fraction", { prompt: [1], completion: [1.5] }, "Row 0: expected completion"],
    [
      "an id has more than 32 bits",
      { prompt: [2 ** 32 + 5], completion: [1] },
      "whole token ids but received 4294967301",
    ],
    [
      "an id is missing",
      { prompt: [1, undefined], completion: [1] },
      "whole token ids but received undefined",
    ],
    ["a row is nothing", undefined, "Row 0: expected prompt"],
  ];
  for (const [what, row, text] of wrong) {
    it(`are refused with their number where ${what}`, async () => {
      const error = await failureOf(() => model.logprobs([row as LogprobRow]));
      expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_DATA", 2]);
      expect(error.message).to.include(text);
    });
  }
});
