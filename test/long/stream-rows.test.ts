// A file of rows far larger than the memory it may take: 2 GB through a stand-in tokenizer, which leaves reading,
// checking and storing, and a smaller one with a worker thread and a real tokenizer. Runs the built package.

import { execFile } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { suiteFolder } from "../support/temporary-folder.js";
import { tinyTokenizer, tinyTokenizerConfig } from "../support/tiny-tokenizer.js";

const child = fileURLToPath(new URL("children/stream-rows.mjs", import.meta.url));
const PEAK_BYTES = 300e6;

interface Figures {
  readonly rows: number;
  readonly read: number;
  readonly milliseconds: number;
  readonly wrong: number;
  readonly peak: number;
}

/** About 1,400 bytes: the length of a pair of hh-rlhf. */
function pairLine(number: number): string {
  const prompt = `\n\nHuman: question ${number}: ${"what would you say to a neighbour? ".repeat(12)}\n\nAssistant:`;
  const chosen = ` answer ${number * 7}: ${"I would say good morning, and ask. ".repeat(13)}`;
  const rejected = ` answer ${number * 11}: ${"Nothing at all, I would walk on by. ".repeat(12)}`;
  return `${JSON.stringify({ prompt, chosen, rejected })}\n`;
}

/** Writes pairs until the file holds so many bytes; gives their number. */
function writePairs(path: string, bytes: number): number {
  const file = openSync(path, "w");
  let number = 0;
  for (let written = 0; written < bytes; ) {
    let part = "";
    for (const end = number + 2000; number < end; number++) part += pairLine(number);
    written += writeSync(file, part);
  }
  closeSync(file);
  return number;
}

describe("streaming a large file of rows", function () {
  this.timeout(20 * 60 * 1000);
  const folder = suiteFolder();

  const load = async (file: string, ...others: readonly string[]) => {
    const { stdout } = await promisify(execFile)(process.execPath, [child, file, ...others], {
      env: { ...process.env, TMPDIR: folder() },
    });
    const figures = JSON.parse(stdout) as Figures;
    console.log(`        ${JSON.stringify(figures)}`);
    return figures;
  };

  describe("of 2 GB", () => {
    let written: number;
    let figures: Figures;
    before(async () => {
      const file = folder("large.jsonl");
      written = writePairs(file, 2e9);
      figures = await load(file, "0");
      rmSync(file);
    });

    it("keeps every row, each at its place", () => {
      expect(written).to.be.above(1_000_000);
      expect(figures).to.include({ read: written, rows: written, wrong: 0 });
    });

    it("takes less than 300 MB", () => expect(figures.peak).to.be.within(40e6, PEAK_BYTES));
  });

  describe("of 60 MB with a worker thread", () => {
    let written: number;
    let figures: Figures;
    before(async () => {
      mkdirSync(folder("tokenizer"));
      writeFileSync(folder("tokenizer", "tokenizer.json"), JSON.stringify(tinyTokenizer()));
      writeFileSync(folder("tokenizer", "tokenizer_config.json"), JSON.stringify(tinyTokenizerConfig()));
      const file = folder("middling.jsonl");
      written = writePairs(file, 60e6);
      figures = await load(file, "1", folder("tokenizer"));
      rmSync(file);
    });

    it("keeps every row, each at its place", () => {
      expect(figures).to.include({ read: written, rows: written, wrong: 0 });
    });

    it("takes less than 300 MB", () => expect(figures.peak).to.be.within(40e6, PEAK_BYTES));
  });
});
