// The one table of metrics: what reports and docs take from it.

import { expect } from "chai";
import { metricDescriptions } from "../../lib/report/metric-descriptions.js";
import { metricGroups } from "../../lib/report/metric-groups.js";
import { describeMetric, inReportOrder, metricsMarkdown } from "../../lib/report/metric-table.js";

describe("the table of metrics", () => {
  it("defines a key once per section", () => {
    const names = metricDescriptions.flatMap(({ section, keys }) =>
      Object.keys(keys).map((key) => `${section} ${key}`),
    );
    expect(new Set(names).size).to.equal(names.length);
    expect(names.length).to.be.above(20);
  });

  it("says something about every key", () => {
    for (const { keys, meaning } of metricDescriptions)
      expect(meaning, Object.keys(keys).join()).to.not.equal("");
  });

  it("has groups that all have a metric, but for the one of the rest", () => {
    const used = new Set(metricDescriptions.map(({ group }) => group));
    for (const group of metricGroups.filter((one) => one !== "Other" && one !== "KL"))
      expect([...used]).to.include(group);
  });

  it("becomes Markdown with several keys in a row", () => {
    const table = metricsMarkdown("dpo");
    expect(table).to.match(/^\| key \| unit \| meaning \|\n\| --- \| --- \| --- \|\n/);
    expect(table).to.include("| `rewards/chosen`, `rewards/rejected` |");
  });

  it("refuses a section without metrics", () => {
    expect(() => metricsMarkdown("nothing")).to.throw('no metric is described for "nothing"');
  });

  it("takes a command's own definition before that of every trainer", () => {
    const own = describeMetric("rewards/margins", "dpo");
    expect(own).to.deep.include({ title: "Reward margin", group: "Rewards", better: "higher" });
    expect(describeMetric("loss", "dpo")?.title).to.equal("Loss");
  });

  it("shows a key that nobody described under its own name", () => {
    expect(describeMetric("odd", "dpo")).to.deep.include({ title: "odd", group: "Other", meaning: "" });
  });

  it("makes no curve of counters", () => {
    expect(["step", "num_tokens", "eval_ms"].map((key) => describeMetric(key, "sft"))).to.deep.equal([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("puts loss before rewards, and what nobody described last", () => {
    const keys = ["odd", "learning_rate", "rewards/chosen", "loss"];
    const metrics = keys.flatMap((key) => describeMetric(key, "dpo") ?? []);
    expect(inReportOrder(metrics).map(({ key }) => key)).to.deep.equal([
      "loss",
      "rewards/chosen",
      "learning_rate",
      "odd",
    ]);
  });
});
