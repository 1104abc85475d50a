// `attune quickstart` from its beginning to its end: time, table, report, and the same table again.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { PolicyRow } from "../../lib/world/index.js";
import { commandLine } from "../cli/command-line.js";

interface Printed {
  readonly status: string;
  readonly table: readonly PolicyRow[];
  readonly report: string;
  readonly next: readonly string[];
  readonly seconds: number;
}

describe("attune quickstart", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-quickstart-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  async function run(name: string, flags: readonly string[] = []): Promise<Printed> {
    const output = join(folder, name);
    const outcome = await commandLine(["quickstart", "--output", output, "--seed", "3", "--json", ...flags]);
    expect(outcome.code, outcome.stderr).to.equal(0);
    for (let stage = 1; stage <= 9; stage++) expect(outcome.stderr).to.include(`stage ${stage} of 9: `);
    return JSON.parse(outcome.stdout) as Printed;
  }

  it("trains every policy, says in how many seconds, and reports on them; the same seed gives the same table", async () => {
    const { status, table, report, next, seconds } = await run("first");
    expect(status).to.equal("done");
    console.log(`        ${seconds.toFixed(0)} s`);
    expect(table.map(({ policy }) => policy)).to.deep.equal([
      "sft",
      "best of 16",
      "dpo",
      "ipo",
      "kto",
      "ppo",
      "ppo-ptx",
    ]);
    const [sft, ...others] = table;
    for (const { policy, trueReward, winRateInterval } of others) {
      expect(trueReward, policy).to.be.above(sft?.trueReward ?? Number.NaN);
      expect(winRateInterval?.low, policy).to.be.above(0.5);
    }
    const page = readFileSync(report, "utf8");
    for (const name of ["sft", "reward", "dpo", "ipo", "kto", "ppo", "ppo-ptx"])
      expect(page).to.include(name);
    const compared = /<section id="policies">([\s\S]*?)<\/section>/.exec(page)?.[1] ?? "";
    for (const { how, trueReward } of table)
      expect(compared).to.include(how).and.include(trueReward.toFixed(2));
    expect(next).to.have.lengthOf(3);
    for (const path of next.join(" ").match(/\S+\/first\/\S+/g) ?? [])
      if (!path.endsWith("ppo-without-kl")) expect(existsSync(path), path).to.equal(true);
    const withoutKl = next.find((command) => command.startsWith("npx attune ppo "));
    const tried = await commandLine((withoutKl ?? "").split(" ").slice(2));
    expect(tried.code, tried.stderr).to.equal(0);
    expect(tried.stderr).to.include("reward-up-gold-down");
    const again = await run("second", ["--threads", "1"]);
    expect(again.table).to.deep.equal(table);
  });
});
