// Online runs in a report: alarms, the over-optimisation plot, first figures, and answers of several runs beside each other.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { goldCurveAt } from "../../lib/evaluate/index.js";
import { fittedGoldAt, overOptimisationPlot } from "../../lib/report/over-optimisation.js";
import { alarmsOf, chartTables } from "../../lib/report/page/chart-data.js";
import { reportPage } from "../../lib/report/page.js";
import { panelsOf } from "../../lib/report/panels.js";
import { readRuns } from "../../lib/report/read-run.js";
import { picturesOf } from "../../lib/report/svg-pictures.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { onlineLines, overoptDetails } from "./online-lines.js";
import { dpoLines, type Line, type RunFolderContent, writeRunFolder } from "./run-folders.js";

const date = new Date("2026-03-02T08:00:00Z");
const alarms = [
  {
    step: 12,
    name: "length-drift",
    text: "Answers have 61 tokens & more, 20 at the start.",
    values: { length: 61 },
  },
  { step: 18, name: "kl-budget", text: "The KL is over the budget.", values: { kl: 11 } },
];

describe("online runs that a report reads", () => {
  const at = suiteFolder();
  const folderOf = (name: string, content: Partial<RunFolderContent> = {}) =>
    writeRunFolder({ folder: at(name), command: "ppo", lines: onlineLines({ steps: 4 }), ...content });
  const read = async (folder: string) => {
    const [run] = await readRuns([folder]);
    if (run === undefined) throw new Error("no run");
    return run;
  };

  it("have their alarms by step, each once", async () => {
    const { alarms: found } = await read(folderOf("twice", { alarms: [...alarms.toReversed(), ...alarms] }));
    expect(found.map(({ step, name }) => [step, name])).to.deep.equal([
      [12, "length-drift"],
      [18, "kl-budget"],
    ]);
  });

  it("tell which line of alarms.jsonl is damaged", async () => {
    const folder = folderOf("torn", { alarms });
    appendFileSync(join(folder, "alarms.jsonl"), '{"step":3,');
    expect((await read(folder)).warnings).to.deep.equal([
      "alarms.jsonl:3 is no JSON object and was passed over",
    ]);
  });

  it("have the fitted gold curve and best-of-N of run.json", async () => {
    const { overOptimisation } = await read(
      folderOf("fitted", { record: { result: { details: overoptDetails() } } }),
    );
    const { fitted, bestOfN } = overOptimisation;
    expect(fitted).to.deep.include({ method: "best-of-n", a: 0.9, b: 0.3 });
    expect(fitted?.peak).to.deep.equal({ sqrtKl: 1.5, low: 1.35, high: 1.6500000000000001, gain: 0.675 });
    expect(bestOfN.map(({ n }) => n)).to.deep.equal([1, 4, 16, 64]);
  });

  const damaged: readonly [string, unknown][] = [
    ["nothing", undefined],
    ["null", { overopt: { goldCurve: null, bestOfN: [] } }],
    ["other types", { overopt: { goldCurve: { method: "rl", a: "x", b: 1 }, bestOfN: [1, { n: 2 }, null] } }],
  ];
  for (const [what, details] of damaged) {
    it(`have none of them where run.json has ${what} there`, async () => {
      const { overOptimisation } = await read(
        folderOf(`damaged ${what}`, { record: { result: { details } } }),
      );
      expect(overOptimisation).to.deep.equal({ fitted: undefined, bestOfN: [] });
    });
  }
});

describe("the data of the over-optimisation plot", () => {
  const at = suiteFolder();
  const plotOf = async (
    ...contents: readonly (Partial<RunFolderContent> & { readonly lines: readonly Line[] })[]
  ) =>
    overOptimisationPlot(
      await readRuns(
        contents.map((content, i) => writeRunFolder({ folder: at(String(i)), command: "ppo", ...content })),
      ),
    );

  it("is the scores of every evaluation at its distance", async () => {
    const plot = await plotOf({ lines: onlineLines({ steps: 4, evalEvery: 2, kl: 9 }) });
    const [curve] = plot?.curves ?? [];
    expect(curve?.from).to.equal("evaluation");
    expect(curve?.points.map(({ step }) => step)).to.deep.equal([0, 2, 4]);
    expect(curve?.points.at(-1)).to.deep.include({ distance: 3, proxy: 1.7 });
    expect(curve?.points.at(-1)?.gold).to.be.closeTo(0.1, 1e-12);
  });

  it("is that of the rollouts where there are no evaluations, without gold", async () => {
    const plot = await plotOf({ lines: onlineLines({ steps: 300 }) });
    const [curve] = plot?.curves ?? [];
    expect(curve?.from).to.equal("rollouts");
    expect(curve?.points).to.have.length(60);
    expect(curve?.points.every(({ gold }) => Number.isNaN(gold))).to.equal(true);
  });

  it("has the best-of-N of one start once", async () => {
    const lines = onlineLines({ steps: 4, evalEvery: 2 });
    const record = { result: { details: overoptDetails() } };
    const plot = await plotOf({ lines, record }, { lines }, { lines, record });
    expect(plot?.baselines.map(({ runs }) => runs)).to.deep.equal([[0, 2]]);
    expect(plot?.baselines[0]?.points[0]).to.deep.include({ n: 1, distance: 0 });
  });

  it("does not exist for runs that sample nothing", async () => {
    expect(await plotOf({ command: "dpo", lines: dpoLines({ steps: 4, evalEvery: 2 }) })).to.equal(undefined);
  });

  for (const method of ["rl", "best-of-n"] as const) {
    it(`draws a fitted curve of ${method} as it was fitted`, () => {
      for (const d of [0, 0.5, 1, 3]) {
        const gain = goldCurveAt({ method, a: 0.7, b: 0.2 }, d);
        expect(fittedGoldAt({ method, a: 0.7, b: 0.2, peak: undefined }, 2, d)).to.be.closeTo(
          2 + gain,
          1e-12,
        );
      }
    });
  }
});

describe("marks of alarms on curves", () => {
  const curve = { steps: [1, 2, 3], tokens: [10, 20, 30], values: [5, 6, 7] };
  const panel = {
    series: [
      { run: 0, train: curve },
      { run: 1, train: curve },
    ],
  };
  const view = { axis: "steps", smoothing: 0, logarithmic: false, hidden: new Set<number>() } as const;
  const marks = [{ run: 1, steps: [2, 7], tokens: [20, null], texts: [["a"], ["b", "c"]] }];

  it("stand at their step, with all that was said there", () => {
    expect(alarmsOf(panel, view, marks)).to.deep.equal([
      { run: 1, x: 2, texts: ["a"] },
      { run: 1, x: 7, texts: ["b", "c"] },
    ]);
  });

  it("are left out where nobody knows their tokens", () => {
    expect(alarmsOf(panel, { ...view, axis: "tokens" }, marks).map(({ x }) => x)).to.deep.equal([20]);
  });

  it("are hidden with their run, and on panels without it", () => {
    expect(alarmsOf(panel, { ...view, hidden: new Set([1]) }, marks)).to.deep.equal([]);
    expect(alarmsOf({ series: panel.series.slice(0, 1) }, view, marks)).to.deep.equal([]);
  });

  it("are places where the cursor can stand, and no columns", () => {
    const { tables, columns } = chartTables(panel, view, marks);
    expect(tables.at(-1)).to.deep.equal([[2, 7]]);
    expect(columns).to.have.length(2);
  });
});

describe("the page of online runs", () => {
  const at = suiteFolder();
  const answer = (step: number, completion: string, score: number) => ({
    step,
    prompt: "Say hello.",
    completion,
    finished: "stop",
    score,
  });
  const pageOf = async (...names: readonly string[]) =>
    reportPage({ runs: await readRuns(names.map((name) => at(name))), date });
  const textOf = (page: string, id: string) =>
    new RegExp(`<section id="${id}">([\\s\\S]*?)</section>`).exec(page)?.[1] ?? "";

  before(() => {
    const lines = onlineLines({ steps: 20, evalEvery: 4 });
    writeRunFolder({
      folder: at("with alarms"),
      command: "ppo",
      lines,
      alarms,
      record: { result: { details: overoptDetails() } },
      samples: [answer(0, "hi", 0.1), answer(20, "hello hello", 0.9)],
    });
    writeRunFolder({
      folder: at("quiet"),
      command: "grpo",
      lines: onlineLines({ command: "grpo", steps: 20, evalEvery: 4, gold: false, kl: 4 }),
      samples: [answer(0, "hi", 0.4), answer(20, "hi", 0.4)],
    });
    writeRunFolder({ folder: at("dpo"), lines: dpoLines({ steps: 4 }) });
    writeRunFolder({ folder: at("no looks"), command: "ppo", lines: onlineLines({ steps: 5 }) });
  });

  it("explains every key that online runs write", async () => {
    expect(await pageOf("with alarms", "quiet")).to.not.include("Not described in docs/metrics.md");
    const titles = panelsOf(await readRuns([at("with alarms")])).map(({ metric }) => metric.title);
    expect(titles).to.include("Score by brevity");
  });

  it("has first what people ask for first, and the loss later", async () => {
    const keys = panelsOf(await readRuns([at("with alarms")])).map(({ metric }) => metric.key);
    expect(keys.slice(0, 5)).to.deep.equal([
      "reward",
      "objective/kl",
      "overopt/gold",
      "completions/mean_length",
      "entropy",
    ]);
    expect(keys.indexOf("loss")).to.be.above(keys.indexOf("overopt/win_rate"));
  });

  it("draws the reward of evaluations beside that of training, though its key is another", async () => {
    const [panel] = panelsOf(await readRuns([at("with alarms")]));
    expect(panel?.metric).to.include({ key: "reward", evaluatedAs: "overopt/proxy" });
    expect(panel?.series[0]?.train?.values).to.have.lengthOf(20);
    expect(panel?.series[0]?.evaluation?.values[0]).to.equal(0.2);
  });

  it("has reward, gold, win rate, KL and length of the run at its top", async () => {
    const runs = textOf(await pageOf("with alarms"), "runs");
    expect(runs).to.match(/<dt>Reward<\/dt><dd>0\.2 → 1\.932<\/dd>/);
    expect(runs).to.match(/<dt>Gold score<\/dt><dd>0\.1 → -0\.3823<\/dd>/);
    expect(runs).to.match(/<dt>Win rate<\/dt><dd>0\.5 → 0\.5928 against the start<\/dd>/);
    expect(runs).to.match(/<dt>KL<\/dt><dd>0 → 12 nats per answer<\/dd>/);
    expect(runs).to.match(/<dt>Length<\/dt><dd>20 → 56 tokens<\/dd>/);
    expect(runs).to.not.include("nothing was set aside");
  });

  it("says where figures are those of single steps", async () => {
    const runs = textOf(await pageOf("no looks"), "runs");
    expect(runs).to.match(/<dt>Reward<\/dt><dd>[^<]* \(of single steps\)<\/dd>/);
    expect(runs).to.not.include("<dt>Gold score");
  });

  it("counts the alarms of a run at its top, and lists them with what was seen", async () => {
    const page = await pageOf("with alarms");
    expect(textOf(page, "runs")).to.include('<a href="#alarms">2</a>: length-drift, kl-budget');
    expect(textOf(page, "alarms")).to.include("Answers have 61 tokens &amp; more, 20 at the start.");
  });

  it("says in one line that an online run has no alarm, and nothing of another run", async () => {
    expect(textOf(await pageOf("quiet"), "alarms")).to.match(/^<h2>Alarms<\/h2>\s*<p>No alarm\.<\/p>\s*$/);
    expect(textOf(await pageOf("with alarms", "quiet"), "alarms")).to.include("No alarm: quiet.");
    expect(await pageOf("dpo")).to.not.include("Alarms");
  });

  it("hands the marks to the curves, with the run's name where there are several", async () => {
    const data = (page: string) =>
      JSON.parse(/id="report-data">([\s\S]*?)<\/script>/.exec(page)?.[1] ?? "{}").alarms;
    const [mark] = data(await pageOf("with alarms", "quiet"));
    expect(mark).to.deep.include({ run: 0, steps: [12, 18], tokens: [48_000, 72_000] });
    expect(mark.texts[1]).to.deep.equal(["with alarms, step 18, kl-budget: The KL is over the budget."]);
    expect(data(await pageOf("dpo"))).to.deep.equal([]);
  });

  it("draws proxy and gold over the distance, with the fit and best-of-N", async () => {
    const section = textOf(await pageOf("with alarms"), "over-optimisation");
    expect(section).to.include("Proxy score").and.include("Gold score");
    expect(section).to.include("with alarms, step 20: gold -0.3823 at √KL 3.464");
    expect(section).to.include("Best of 16: proxy 1.013 at √KL 1.355");
    expect(section).to.include("a = 0.9, b = 0.3; highest at √KL 1.5 (95% interval 1.35 to 1.65)");
  });

  it("draws only the proxy, and says so, where nobody measured gold", async () => {
    const section = textOf(await pageOf("quiet"), "over-optimisation");
    expect(section).to.include("Nobody measured a gold score").and.not.include("what it stands for)");
    expect(await pageOf("dpo")).to.not.include('id="over-optimisation"');
  });

  it("shows one shared answer before, and one after of every run", async () => {
    const section = textOf(await pageOf("with alarms", "quiet"), "samples");
    expect(section.match(/before: step 0/g)).to.have.length(1);
    expect(section).to.match(/with alarms, after: step 20, score 0\.9/);
    expect(section).to.match(/quiet, after \(unchanged\): step 20, score 0\.4/);
    // Their rewards score it differently.
    expect(section).to.not.match(/before: step 0, score/);
  });

  it("has a column per run where they began differently", async () => {
    writeRunFolder({
      folder: at("other start"),
      command: "ppo",
      lines: [],
      samples: [answer(0, "ho", 0), answer(9, "ho ho", 1)],
    });
    const section = textOf(await pageOf("with alarms", "other start"), "samples");
    expect(section.match(/<div class="column">/g)).to.have.length(2);
    expect(section.match(/before: step 0, score/g)).to.have.length(2);
  });

  it("has pictures with the plot and with marks", async () => {
    const pictures = picturesOf(await readRuns([at("with alarms"), at("quiet")]));
    expect(pictures.slice(0, 2).map(({ name }) => name)).to.deep.equal(["overview", "over-optimisation"]);
    const reward = pictures.find(({ name }) => name === "reward")?.svg ?? "";
    expect(reward.match(/<title>(?:length-drift|kl-budget): /g)).to.have.length(2);
    expect(reward).to.include("triangles: alarms");
    const plot = pictures[1]?.svg ?? "";
    expect(plot).to.include("diamonds: best of N").and.not.include("var(--");
  });
});
