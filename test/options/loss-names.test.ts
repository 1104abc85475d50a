// The losses that options, help and docs describe are those that native code computes, with the same needs and defaults.

import { expect } from "chai";
import { lossTables } from "../../lib/engine/checks.js";
import {
  type DpoLossName,
  dpoLosses,
  dpoLossNames,
  dpoOptions,
  lossesMarkdown,
  optionTable,
} from "../../lib/options/index.js";

const { pairwise, listwise, divergences } = lossTables();
const facts = (name: string) => dpoLosses[name as DpoLossName];
const parametersOf = (name: string) => Object.keys(facts(name).parameters);

describe("the table of losses", () => {
  it("names the losses of pairs and rankings that native code has, and no others", () => {
    const forms = [...new Set(listwise.map(({ form }) => form))];
    expect(dpoLossNames).to.have.members([...pairwise.map(({ name }) => name), ...forms]);
  });

  it("says which compare with a reference", () => {
    for (const { name, reference, matches } of pairwise)
      expect(facts(name).reference, name).to.equal(reference || matches);
  });

  it("says which take soft labels, and which weights", () => {
    for (const { name, softLabels, weights } of pairwise)
      expect([facts(name).softLabels, facts(name).weights], name).to.deep.equal([softLabels, weights]);
  });

  it("says which take label smoothing, and which refuse it", () => {
    for (const { name, smoothing } of pairwise) {
      const takes = parametersOf(name).includes("labelSmoothing");
      expect(takes, name).to.equal(["label", "own", "needed"].includes(smoothing));
      expect(facts(name).refusesSmoothing, name).to.equal(smoothing === "refused");
      const needs = (facts(name).parameters.labelSmoothing ?? 0) !== 0;
      expect(needs, name).to.equal(smoothing === "needed");
    }
  });

  it("says which take another divergence, and the divergences there are", () => {
    for (const { name, divergence } of pairwise)
      expect(parametersOf(name).includes("fDivergence"), name).to.equal(divergence);
    const choices = optionTable(dpoOptions).find(({ key }) => key === "fDivergence")?.value;
    expect(choices?.split("|")).to.have.members(divergences.map(({ name }) => name));
  });

  it("has the default weights of the chosen side's likelihood", () => {
    for (const { name, nll, nllWeight } of pairwise)
      expect(facts(name).parameters.nllWeight, name).to.equal(nll === "by-weight" ? nllWeight : undefined);
  });

  it("has the treatments of ties of rankings, the default first", () => {
    for (const form of new Set(listwise.map((entry) => entry.form))) {
      const ties = listwise.filter((entry) => entry.form === form).map((entry) => entry.ties);
      expect(facts(form).ties, form).to.deep.equal(ties.filter((name) => name !== ""));
    }
  });

  it("is a table of the docs with a row per loss and a paper in each", () => {
    const rows = lossesMarkdown().split("\n").slice(2);
    expect(rows).to.have.length(dpoLossNames.length);
    for (const [i, name] of dpoLossNames.entries())
      expect(rows[i]).to.match(
        new RegExp(`^\\| \`${name}\` \\|.*https://arxiv\\.org/abs/\\d{4}\\.\\d{5}\\) \\|$`),
      );
  });
});
