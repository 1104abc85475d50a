// Comparisons alternate, take ratios pair by pair, and put a busy process beside the side that asks for one.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { expect } from "chai";
import { type Agreement, compare, type Reading, type Side } from "../../bench/compare.js";
import { suiteFolder } from "../support/temporary-folder.js";

/** The test's own limit of time ends the waiting. */
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await setTimeout(20);
}

describe("a comparison of two commands", () => {
  const at = suiteFolder();

  /** A program that writes its name down and prints one line. */
  function side(name: string, line: string, more: Partial<Side> = {}): Side {
    const code = `require("node:fs").appendFileSync(${JSON.stringify(at("order"))}, ${JSON.stringify(name)}); console.log(JSON.stringify({ ${line} }))`;
    return {
      command: process.execPath,
      args: ["--eval", code],
      read: ([first]) => ({ rates: { all: Number(first?.rate) } }),
      ...more,
    };
  }

  it("runs A B, B A, A B and divides pair by pair", async () => {
    const { parts } = await compare({ ours: side("A", "rate: 6"), theirs: side("B", "rate: 2"), pairs: 3 });
    expect(readFileSync(at("order"), "utf8")).to.equal("ABBAAB");
    expect(parts.all?.ratio).to.deep.equal({ each: [3, 3, 3], median: 3, least: 3, most: 3 });
  });

  it("has a busy process beside one side alone, gone afterwards", async () => {
    // Processes that spin and have the same parent as the program itself.
    const spinning = `rate: 1 + require("node:fs").readdirSync("/proc").filter((pid) => {
      try {
        const read = (name) => require("node:fs").readFileSync("/proc/" + pid + "/" + name, "utf8");
        return read("cmdline").includes("--eval\\0for (;;)") && read("stat").split(") ")[1].split(" ")[1] === String(process.ppid);
      } catch { return false; }
    }).length`;
    const quiet = side("Q", spinning);
    const { parts } = await compare({ ours: quiet, theirs: { ...quiet, busy: 1 }, pairs: 2 });
    expect(parts.all?.ours.each).to.deep.equal([1, 1]);
    expect(parts.all?.theirs.each).to.deep.equal([2, 2]);
  });

  it("gives a side its own environment beside that of this process", async () => {
    const { env } = process;
    const own = side("E", "rate: Number(process.env.ATTUNE_TEST_RATE), path: process.env.PATH", {
      env: { ATTUNE_TEST_RATE: "5" },
      read: ([first]) => ({ rates: { [String(first?.path)]: Number(first?.rate) } }),
    });
    const { parts } = await compare({ ours: own, theirs: own, pairs: 1 });
    expect(parts[String(env.PATH)]?.ours.each).to.deep.equal([5]);
  });

  /** What `compare` throws of two sides that read so. */
  async function refusal(
    ours: Side["read"],
    theirs: Side["read"],
    agreement: Agreement = {},
  ): Promise<string> {
    const [one, other] = [side("A", "rate: 1", { read: ours }), side("B", "rate: 1", { read: theirs })];
    return compare({ ours: one, theirs: other, pairs: 1, ...agreement }).then(
      () => "",
      (error: unknown) => (error as Error).message,
    );
  }

  it("refuses sides that did not do the same", async () => {
    const all = (more: Partial<Reading>) => () => ({ rates: { all: 1 }, ...more });
    const of = (...names: string[]) => ({ rates: Object.fromEntries(names.map((name) => [name, 1])) });
    expect(await refusal(all({}), all({}))).to.equal("");
    expect(await refusal(all({}), all(of("all", "more")))).to.equal("");
    expect(await refusal(all(of("all", "more")), all({}))).to.include(
      "different things: all, more against all",
    );
    expect(await refusal(all(of()), all(of()))).to.include("different things");
    for (const rate of [Number.NaN, 0, Number.POSITIVE_INFINITY])
      expect(await refusal(all({}), all({ rates: { all: rate } }))).to.include(`measured ${rate} for all`);
    expect(await refusal(all({ work: "a" }), all({ work: "b" }))).to.include("other rows: a against b");
    expect(await refusal(all({ losses: [2.5] }), all({ losses: [2.5004] }))).to.equal("");
    expect(await refusal(all({ losses: [2.5] }), all({ losses: [2.501] }))).to.include("other losses");
    const [mine, later] = [all({ losses: [2.5, 2] }), all({ losses: [2.5, 2.1] })];
    expect(await refusal(mine, later)).to.equal("");
    expect(await refusal(mine, later, { losses: "all" })).to.include("in step 2: 2 against 2.1");
    expect(await refusal(mine, later, { losses: "all", lossTolerance: 0.1 })).to.equal("");
    expect(await refusal(mine, all({ losses: [2.5] }), { losses: "all" })).to.include("took 2 and 1 steps");
    expect(await refusal(all({}), all({}), { mostRatio: 1 })).to.equal("");
    expect(await refusal(all({}), all({}), { mostRatio: 0.9 })).to.include("all is 1.000 of what");
  });

  it("ends the process that it waits for when a signal ends it alone", async () => {
    const pidFile = at("pid");
    const lasting = `require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); setInterval(() => {}, 1000)`;
    const code = `import { compare } from ${JSON.stringify(new URL("../../bench/compare.ts", import.meta.url).href)};
      const side = { command: process.execPath, args: ["--eval", ${JSON.stringify(lasting)}], read: () => ({ rates: { all: 1 } }) };
      await compare({ ours: side, theirs: side, pairs: 1 });`;
    const comparing = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", code], {
      stdio: "ignore",
    });
    const ended = new Promise((resolve) => comparing.once("exit", (_, signal) => resolve(signal)));
    await eventually(() => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== "");
    const pid = Number(readFileSync(pidFile, "utf8"));
    comparing.kill("SIGINT");
    expect(await ended).to.equal("SIGINT");
    await eventually(() => !existsSync(`/proc/${pid}`));
  });

  it("fails where a command does", async () => {
    const failing = compare({
      ours: side("A", "rate: 1"),
      theirs: side("B", "rate: process.exit(3)"),
      pairs: 1,
    });
    const error = await failing.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(Error);
  });
});
