// The page of a report: self-contained, safe with any text in it, and complete.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { expect } from "chai";
import { escapeHtml, html, jsonForScript } from "../../lib/report/html.js";
import { reportPage } from "../../lib/report/page.js";
import { readRuns } from "../../lib/report/read-run.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { dpoLines, reliabilityBins, writeRunFolder } from "./run-folders.js";

const evil = `</script><script>alert(1)</script><img src=x onerror="alert(2)">'&\u2028\u0000`;

describe("text in a page", () => {
  it("is escaped between tags and in attributes", () => {
    expect(escapeHtml(`<a b="c">'&`)).to.equal("&lt;a b=&quot;c&quot;&gt;&#39;&amp;");
  });

  it("keeps letters of every script, and shows what no page may hold", () => {
    expect(escapeHtml("ß 漢 \u{1f600}\n\u0000\u202e")).to.equal("ß 漢 \u{1f600}\n\ufffd\ufffd");
  });

  it("is escaped by templates, in lists too, and what is HTML is not", () => {
    expect(html`<p>${["<", html`<b>${"&"}</b>`, undefined, 3]}</p>`.html).to.equal(
      "<p>&lt;<b>&amp;</b>3</p>",
    );
  });

  it("cannot end the script that carries the data", () => {
    const { html: text } = jsonForScript({ text: evil, wrong: Number.NaN });
    expect(text).to.not.match(/[<\u2028]/);
    expect(JSON.parse(text)).to.deep.equal({ text: evil, wrong: null });
  });
});

describe("the page of a report", () => {
  const at = suiteFolder();
  const date = new Date("2026-03-02T08:00:00Z");
  const sample = (step: number, completion: string) => ({
    step,
    prompt: evil,
    completion,
    finished: "length",
  });
  let page = "";

  before(async () => {
    const calibration = { bins: reliabilityBins(), ece: 0.07, brier: 0.2 };
    writeRunFolder({
      folder: at("first"),
      lines: dpoLines({ steps: 60, evalEvery: 20 }),
      samples: [sample(0, "before it"), sample(30, "half way"), sample(60, "after it")],
      evaluations: { "eval.json": { accuracy: 0.62, calibration } },
    });
    writeRunFolder({
      folder: at("second"),
      status: "failed",
      settings: { beta: 0.3 },
      lines: dpoLines({ steps: 50 }),
      record: { error: { code: "ATTUNE_NOT_FINITE", message: evil }, stepsDone: 50, stepsPlanned: 60 },
    });
    page = reportPage({ runs: await readRuns([at("first"), at("second")]), date });
  });

  const has = (...texts: readonly string[]) => {
    for (const text of texts) expect(page).to.include(text);
  };

  it("names no other place: no link, picture, font or script from elsewhere", () => {
    const own = page.replaceAll(/xmlns="[^"]*"/g, "");
    expect(own).to.not.match(/(?:src|href)="(?!#)/);
    expect(own.replaceAll(/<script>[\s\S]*?<\/script>/g, "")).to.not.match(/https?:|@import|url\(/);
  });

  it("lets only its own scripts run", () => {
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? "";
    expect(policy).to.include("default-src &#39;none&#39;");
    const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text = ""]) => text);
    expect(scripts).to.have.length(2);
    for (const script of scripts)
      expect(policy).to.include(`sha256-${createHash("sha256").update(script).digest("base64")}`);
  });

  it("carries its modules as one script without imports and exports", () => {
    const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)];
    expect(scripts[1]?.[1])
      .to.include("class Chart")
      .and.not.match(/^(?:import|export) /m);
  });

  it("never lets a prompt, an answer or a message become markup", () => {
    expect(page).to.not.include("<img src=x").and.not.include("<script>alert");
    has("&lt;/script&gt;&lt;script&gt;alert(1)");
  });

  it("shows how each run ended", () => {
    has("Done after 60 of 60 steps.", "Failed after 50 of 60 steps: ", "[ATTUNE_NOT_FINITE]");
  });

  it("shows answers before and after, and those between", () => {
    expect(page.indexOf("before it")).to.be.above(0).and.be.below(page.indexOf("after it"));
    has("half way", "(cut at --sample-tokens)");
  });

  it("explains every panel, with the direction that is better", () => {
    has("The value whose gradient was applied", "Higher is better.", "<code>rewards/chosen</code>");
    expect(page).to.not.include("Not described in docs/metrics.md");
  });

  it("marks the settings that differ", () => {
    expect(page).to.match(
      /<tr class="differs"><th scope="row" class="free">beta<\/th><td class="free">0\.1<\/td><td class="free">0\.3<\/td>/,
    );
    expect(page).to.match(/<tr class="same"><th scope="row" class="free">model<\/th>/);
  });

  it("counts the rows by what became of them", () => {
    has(
      "truncated to --max-length, and used",
      "ties: neither side judged better",
      "dropped: longer than --max-length",
    );
    has("pairs.jsonl:7: no JSON");
  });

  it("draws the reliability curve of an evaluation beside a run", () => {
    has(
      "Reliability curve",
      "expected calibration error 0.07",
      "40 predictions, predicted 0.55, observed 0.535",
    );
  });

  it("shows win rate and accuracy of an evaluation with their intervals, before all figures", async () => {
    const evaluation = {
      kind: "policy",
      type: "preference",
      rows: 40,
      judged: { accuracy: 0.7, accuracy_interval: { low: 0.6, high: 0.8 } },
      winRate: { winRate: 0.55, winRateInterval: { low: 0.4, high: 0.71 } },
    };
    writeRunFolder({ folder: at("won"), lines: [], evaluations: { "e.json": evaluation } });
    const text = reportPage({ runs: await readRuns([at("won")]), date });
    expect(text).to.include("A policy on 40 rows (preference).");
    expect(text.indexOf("0.4 to 0.71")).to.be.above(0).and.be.below(text.indexOf("All figures"));
    expect(text).to.include("0.6 to 0.8").and.include("share of prompts on which the reward model prefers");
  });

  it("of a run that was evaluated once does not say that nothing was set aside", async () => {
    const lines = dpoLines({ steps: 4, evalEvery: 100 });
    writeRunFolder({ folder: at("once"), status: "interrupted", lines });
    const text = reportPage({ runs: await readRuns([at("once")]), date });
    expect(text).to.include("evaluated once only, at step 0: loss").and.not.include("nothing was set aside");
  });

  it("of a run whose run.json is damaged names no command, and says what was passed over", async () => {
    writeRunFolder({ folder: at("wrecked"), lines: dpoLines({ steps: 3 }) });
    writeFileSync(at("wrecked", "run.json"), "{");
    const text = reportPage({ runs: await readRuns([at("wrecked")]), date });
    expect(text)
      .to.include("A training run: how it went")
      .and.include("run.json is missing or no JSON object");
  });

  it("tells an answer of white space from no answer", async () => {
    const blank = (step: number, completion: string) => ({ step, prompt: "p", completion, finished: "stop" });
    writeRunFolder({ folder: at("blank"), lines: [], samples: [blank(0, ""), blank(1, " \n")] });
    const text = reportPage({ runs: await readRuns([at("blank")]), date });
    expect(text).to.include("(an empty answer)").and.include("(nothing but white space)");
  });

  it("names machine, versions and hashes", () => {
    has("2 threads, 23.5 GiB", "version of attune", `SHA-256 of pairs.jsonl`);
  });

  it("says when it was written", () => {
    has("2026-03-02 08:00 UTC");
  });

  it("of one run has no marks of differences and no choice of runs", async () => {
    const single = reportPage({ runs: await readRuns([at("first")]), date });
    expect(single).to.not.include('class="differs"').and.not.include('id="only-different"');
    expect(single).to.not.include('name="run"');
  });

  it("of a run without any line says so in tables, and draws nothing", async () => {
    writeRunFolder({ folder: at("empty"), lines: [], status: "running" });
    const empty = reportPage({ runs: await readRuns([at("empty")]), date });
    expect(empty).to.include("it is still running, or it ended without a word");
    expect(empty).to.not.include('id="panel-0"');
  });

  it("of 100,000 steps stays below two megabytes and says that buckets are drawn", async function () {
    this.timeout(60_000);
    writeRunFolder({ folder: at("long"), lines: dpoLines({ steps: 100_000, evalEvery: 10_000 }) });
    const long = reportPage({ runs: await readRuns([at("long")]), date });
    expect(long.length).to.be.below(2e6);
    expect(long).to.include("100,000 lines").and.include("800 buckets");
  });
});
