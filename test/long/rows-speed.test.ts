// How long the pairs of shared/data take to be read and tokenised, and to come from the token cache: shown, and compared with
// each other. A busy machine is no defect.
// Pending where the data or the model are not there.

import { existsSync, rmSync } from "node:fs";
import { expect } from "chai";
import { loadRows } from "../../lib/data/index.js";
import { loadTokenizer, type Tokenizer } from "../../lib/text/index.js";
import { sharedPath } from "../support/oracle-folder.js";
import { suiteFolder } from "../support/temporary-folder.js";

const model = sharedPath("models", "smollm2-135m-instruct");
const data = ["train", "eval"].map((part) => sharedPath("data", `hh-harmless-${part}.jsonl.gz`));

describe("the pairs of shared/data", function () {
  this.timeout(60_000);
  const folder = suiteFolder();
  let tokenizer: Tokenizer;
  before(async function () {
    if (![model, ...data].every((path) => existsSync(path))) return this.skip();
    tokenizer = await loadTokenizer({ path: model });
  });

  /** Milliseconds of one load. */
  async function load(): Promise<{ milliseconds: number; cached: boolean; rows: number }> {
    const started = performance.now();
    const tokenCache = folder("tokens");
    const { rows, cached } = await loadRows({ data, tokenizer, task: "preference", tokenCache });
    return { milliseconds: performance.now() - started, cached, rows: rows.length };
  }

  /** The middle one of three. */
  async function median(prepare: () => void) {
    const runs: Awaited<ReturnType<typeof load>>[] = [];
    for (let i = 0; i < 3; i++) {
      prepare();
      runs.push(await load());
    }
    const [, middle] = runs.toSorted((a, b) => a.milliseconds - b.milliseconds);
    console.log(`        ${JSON.stringify(runs)}`);
    return middle;
  }

  let first = Number.NaN;

  it("are read and tokenised the first time", async () => {
    const middle = await median(() => rmSync(folder("tokens"), { recursive: true, force: true }));
    expect(middle?.cached).to.equal(false);
    expect(middle?.rows).to.be.above(1720);
    first = middle?.milliseconds ?? Number.NaN;
  });

  it("come from the cache in a small part of that time", async () => {
    const middle = await median(() => undefined);
    expect(middle?.cached).to.equal(true);
    expect(middle?.milliseconds).to.be.below(first / 4);
  });
});
