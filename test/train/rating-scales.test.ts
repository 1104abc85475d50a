// Ratings of several axes on one scale.

import { expect } from "chai";
import { ratingScales, rowsOfAxes, standardised } from "../../lib/train/rating-scales.js";
import { failureOf } from "../errors/expect-failure.js";
import { judgedRow } from "./judged-rows.js";

const rated = (rating: number, axis?: string) =>
  judgedRow(1, { rating, ...(axis === undefined ? {} : { axis }) });

describe("scales of ratings", () => {
  const rows = [rated(1, "kind"), rated(10, "true"), rated(3, "kind"), rated(20, "true"), rated(2)];

  it("are the mean and population deviation of each axis by itself", () => {
    const scales = ratingScales(rows.slice(0, 4));
    expect(scales.get("kind")).to.deep.equal({ mean: 2, std: 1, count: 2 });
    expect(scales.get("true")).to.deep.equal({ mean: 15, std: 5, count: 2 });
  });

  it("give ratings of every axis mean 0 and deviation 1", () => {
    const scales = ratingScales(rows.slice(0, 4));
    expect(rows.slice(0, 4).map((row) => standardised(row, scales))).to.deep.equal([-1, -1, 1, 1]);
  });

  it("keep their digits far from 0", () => {
    expect(ratingScales([rated(1e8), rated(1e8 + 2)]).get("")).to.deep.equal({
      mean: 1e8 + 1,
      std: 1,
      count: 2,
    });
  });

  it("are refused where all ratings of an axis are equal", async () => {
    const { code, message } = await failureOf(() => ratingScales(rows));
    expect(code).to.equal("ATTUNE_DATA");
    expect(message).to.include("all 1 are 2");
  });

  it("are refused where their squares overflow", async () => {
    const { code, message } = await failureOf(() => ratingScales([rated(1e308), rated(1)]));
    expect(code).to.equal("ATTUNE_DATA");
    expect(message).to.match(/^rows\.jsonl:1: .* too large/);
  });

  it("know no axis that was not trained on", async () => {
    const scales = ratingScales(rows.slice(0, 4));
    const { message } = await failureOf(() => standardised(rated(1, "short"), scales));
    expect(message).to.include('("kind", "true") but found "short"');
  });

  it("leave out rows of axes that were not asked for", () => {
    const kept = rowsOfAxes(rows, ["true"]);
    expect([kept.at(0)?.rating, kept.at(1)?.rating, kept.length]).to.deep.equal([10, 20, 2]);
  });

  it("name the axes there are when one is not", async () => {
    const { message } = await failureOf(() => rowsOfAxes(rows, ["treu"]));
    expect(message).to.include('"treu"').and.include('"kind", "true", ""');
  });
});
