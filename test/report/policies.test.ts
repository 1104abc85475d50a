// The table of a quickstart in a report: shown where the folder has it, left out where it is damaged.

import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { readPolicies } from "../../lib/report/read-policies.js";
import { writeReport } from "../../lib/report/write-report.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { dpoLines, writeRunFolder } from "./run-folders.js";

describe("the policies of a report", () => {
  const at = suiteFolder();
  const sft = {
    policy: "sft",
    how: "imitates <clerks>",
    trueReward: 2.4945,
    proxyReward: 0.1,
    kl: 0,
    length: 14,
  };
  const dpo = {
    ...sft,
    policy: "dpo",
    trueReward: 2.97,
    winRate: 0.72,
    winRateInterval: { low: 0.65, high: 0.78 },
    kl: 1.5,
  };
  const write = (content: unknown) =>
    writeFileSync(at("policies.json"), typeof content === "string" ? content : JSON.stringify(content));
  const section = async () => {
    await writeReport({ runs: [at()], output: at("report.html") });
    return /<section id="policies">([\s\S]*?)<\/section>/.exec(readFileSync(at("report.html"), "utf8"))?.[1];
  };

  before(() => {
    writeRunFolder({ folder: at("dpo"), lines: dpoLines({ steps: 4 }) });
  });

  it("have values, intervals and how they were made, at the top", async () => {
    write({ prompts: 200, policies: [sft, dpo] });
    const text = await section();
    expect(text).to.include("imitates &lt;clerks&gt;").and.include("2.49").and.include("each of 200 prompts");
    expect(text).to.include("72 % (65 to 78)");
    expect(text?.match(/class="interval"/g)).to.have.lengthOf(1);
    // Of the run "dpo"; there is none of sft.
    expect(text?.match(/class="swatch"/g)).to.have.lengthOf(1);
    const page = readFileSync(at("report.html"), "utf8");
    expect(page.indexOf('id="policies"')).to.be.below(page.indexOf('id="runs"'));
  });

  it("without a number are left out, and a damaged file is none", async () => {
    write({ prompts: 200, policies: [sft, { ...dpo, kl: null }, 7] });
    expect(readPolicies(at())?.policies.map(({ policy }) => policy)).to.deep.equal(["sft"]);
    for (const content of ["{", "[]", { policies: "all" }, { policies: [] }]) {
      write(content);
      expect(readPolicies(at()), JSON.stringify(content)).to.equal(undefined);
      expect(await section()).to.equal(undefined);
    }
  });
});
