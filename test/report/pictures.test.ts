// Pictures of the plots: what the SVG holds, and PNG of it with words in them.

import { inflateSync } from "node:zlib";
import { expect } from "chai";
import { renderPng } from "../../lib/report/png.js";
import { readRuns } from "../../lib/report/read-run.js";
import { picturesOf } from "../../lib/report/svg-pictures.js";
import { scaleOf } from "../../lib/report/svg-scale.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { dpoLines, type Line, writeRunFolder } from "./run-folders.js";

describe("an axis", () => {
  it("ends at round numbers around the values", () => {
    expect(scaleOf([0.12, 0.47], 4)).to.deep.equal({ from: 0.1, to: 0.5, ticks: [0.1, 0.2, 0.3, 0.4, 0.5] });
  });

  it("may end at the values, with round ticks between", () => {
    expect(scaleOf([1, 215], 4, true)).to.deep.equal({ from: 1, to: 215, ticks: [100, 200] });
  });

  it("gives a single value room", () => {
    const scale = scaleOf([2], 4);
    expect(scale?.from).to.be.below(2);
    expect(scale?.to).to.be.above(2);
  });

  it("has no place for values that are not finite", () => {
    expect(scaleOf([Number.NaN, Number.POSITIVE_INFINITY], 4)).to.equal(undefined);
  });
});

describe("pictures of runs", () => {
  const at = suiteFolder();
  const picturesFrom = async (name: string, lines: readonly Line[]) =>
    picturesOf(await readRuns([writeRunFolder({ folder: at(name), lines })]));
  const named = (pictures: ReturnType<typeof picturesOf>, name: string) =>
    pictures.find((picture) => picture.name === name)?.svg ?? "";

  it("are an overview and one per metric", async () => {
    const names = (await picturesFrom("a", dpoLines({ steps: 10, evalEvery: 5 }))).map(({ name }) => name);
    expect(names.slice(0, 2)).to.deep.equal(["overview", "loss"]);
    expect(names).to.include("rewards-margins");
  });

  it("place a falling line from top left to bottom right", async () => {
    const lines = [1, 2, 3].map((step) => ({ step, split: "train", loss: 4 - step }));
    const svg = named(await picturesFrom("line", lines), "loss");
    // Axes: steps 1 to 3 between x 66 and 690, losses 1 to 3 between y 312 and 34.
    expect(svg).to.include('d="M66 34L378 173L690 312"');
  });

  it("break a line at a value that is not finite", async () => {
    const lines = [1, null, 3, 2].map((loss, i) => ({ step: i + 1, split: "train", loss }));
    const svg = named(await picturesFrom("gap", lines), "loss");
    expect(svg).to.match(/d="M66 [\d.]+h1M482 34L690 [\d.]+"/);
  });

  it("have a dot for every evaluation", async () => {
    const svg = named(await picturesFrom("dots", dpoLines({ steps: 10, evalEvery: 5 })), "loss");
    expect(svg.match(/<circle/g)).to.have.length(3);
    expect(svg).to.include("dots: evaluation");
  });

  it("tell runs apart by colour and by dashes, with names that are escaped", async () => {
    writeRunFolder({ folder: at("x & <y>"), lines: dpoLines({ steps: 5 }) });
    writeRunFolder({ folder: at("z"), lines: dpoLines({ steps: 5 }) });
    const svg = named(picturesOf(await readRuns([at("x & <y>"), at("z")])), "loss");
    expect(svg)
      .to.include("x &amp; &lt;y&gt;")
      .and.include('stroke="#0072b2"')
      .and.include('stroke="#c94f00"');
    expect(svg).to.include('stroke-dasharray="8 4"');
  });

  it("of a run of 100,000 steps have a band from least to greatest", async function () {
    this.timeout(60_000);
    const svg = named(await picturesFrom("long", dpoLines({ steps: 100_000 })), "loss");
    expect(svg).to.include('fill-opacity="0.2"').and.include("band: least to greatest");
    expect(svg.length).to.be.below(60_000);
  });

  it("do not exist where no value is finite", async () => {
    expect(await picturesFrom("none", [{ step: 1, split: "train", loss: null }])).to.deep.equal([]);
  });

  it("become PNG with words in them", async () => {
    const pictures = await picturesFrom("png", dpoLines({ steps: 10 }));
    const whole = pictures.filter(({ name }) => name === "loss");
    const wordless = whole.map(({ name, svg }) => ({
      name,
      svg: svg.replaceAll(/<text[\s\S]*?<\/text>/g, ""),
    }));
    const [withWords, without] = [await renderPng(whole), await renderPng(wordless)];
    expect(
      Buffer.from(withWords[0]?.png ?? [])
        .subarray(1, 4)
        .toString(),
    ).to.equal("PNG");
    expect(darkPixels(withWords[0]?.png) - darkPixels(without[0]?.png)).to.be.above(1000);
  });
});

/** Bytes of the image, before undoing its filters, that are no white run: more of them with words than without. */
function darkPixels(png: Uint8Array = new Uint8Array()): number {
  const bytes = Buffer.from(png);
  const parts: Buffer[] = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString("latin1", at + 4, at + 8) === "IDAT")
      parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  return inflateSync(Buffer.concat(parts)).filter((byte) => byte !== 0).length;
}
