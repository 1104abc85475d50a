// Every example runs from end to end on the tiny world, in a process of its own, and shows what it promises.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { suiteFolder } from "../support/temporary-folder.js";
import { exampleEnvironment, examples } from "./run-example.js";

/** What each example prints; one that serves has tests of its own. */
const promises: Readonly<Record<string, readonly RegExp[]>> = {
  "01-sft-then-dpo.ts": [/^sft 10: loss \d/m, /^dpo: reward accuracy 0(\.\d+)? -> (1|0\.[89]\d*)$/m],
  "02-adapter-and-merge.ts": [/^\d+ of \d+ numbers/m, /adapter: (-\d+\.\d\d)\d+\n.*merging: +\1\d+/],
  "03-generate-streaming.ts": [
    /^prompt 1 sample 1: \d+ tokens, (length|stop), log-prob -\d/m,
    /^stopped after 10 tokens/m,
  ],
  "04-stop-and-resume.ts": [
    /^interrupted after [56] steps$/m,
    /^done after 20 steps$/m,
    /^the same weights: true$/m,
  ],
  "06-worker-thread.ts": [/^answer to prompt 0: \d+ characters$/m, /^done$/m],
  "08-reward-model.ts": [
    /^accuracy on pairs it never saw: 0(\.\d+)? -> (1|0\.9\d*)$/m,
    /^-?\d\.\d\d \(cautious -?\d\.\d\d\): Gladly, it is nine coins/m,
  ],
  "09-thumbs.ts": [
    /^80 thumbs up, 80 down$/m,
    /^reward margin -?0\.000 -> (0\.[1-9]|[1-9])/m,
    /^KL to the start: \d/m,
  ],
  "10-reward-function.ts": [
    /^step 4: reward \d\.\d\d$/m,
    /^reward 0\.[2-5]\d -> (1\.00|0\.[6-9]\d)$/m,
    /^the trained model is in /m,
  ],
  "12-embed-feedback.ts": [
    /^the page for judging: 200 text\/html/m,
    /^unpaired: 2 rows$/m,
    /^preference: 2 rows$/m,
    /^prompt-completion: 1 rows$/m,
  ],
  "07-rankings.ts": [/^pairs in the right order: 0\.00 before, (1\.00|0\.[89]\d) after$/m],
};

describe("the examples", () => {
  const at = suiteFolder();

  it("are all tried here or in tests of their own", () => {
    const files = readdirSync(examples).filter((name) => /^\d\d-/.test(name));
    expect(files).to.have.members([...Object.keys(promises), "05-serve-and-train.ts", "11-feedback-loop.ts"]);
  });

  for (const [name, expected] of Object.entries(promises)) {
    it(`${name} does what it says in under a minute`, () => {
      const args = ["--import", "tsx", join(examples, name), at(name)];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, {
        encoding: "utf8",
        timeout: 60_000,
        env: exampleEnvironment,
      });
      expect(stderr).to.equal("");
      expect(status).to.equal(0);
      for (const pattern of expected) expect(stdout).to.match(pattern);
      expect(existsSync(at(name))).to.equal(true);
    });
  }
});
