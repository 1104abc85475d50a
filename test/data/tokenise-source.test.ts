import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { parquetWriteBuffer } from "hyparquet-writer";
import { countChunk } from "../../lib/data/count-chunk.js";
import { acceptedTypes, createRowCounts, loadRows, noRowsLeft } from "../../lib/data/index.js";
import { type TokeniseSourceOptions, tokeniseSource } from "../../lib/data/tokenise-source.js";
import { loadTokenizer, type Tokenizer } from "../../lib/text/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { tinyTokenizerJson } from "../text/tiny-tokenizer.js";

describe("tokenising on worker threads", function () {
  // Every run starts threads, which load their tokenizer.
  this.timeout(30_000);
  const folder = suiteFolder();
  let tokenizer: Tokenizer;
  before(async () => {
    writeTokenizer("model", false);
    tokenizer = await loadTokenizer({ path: folder("model") });
  });

  function writeTokenizer(name: string, startsWithBos: boolean): void {
    mkdirSync(folder(name), { recursive: true });
    writeFileSync(folder(name, "tokenizer.json"), JSON.stringify(tinyTokenizerJson({ startsWithBos })));
    writeFileSync(folder(name, "config.json"), JSON.stringify({ eos_token_id: 0 }));
  }

  const settings = {
    task: "preference",
    accept: acceptedTypes.preference,
    maxLength: 60,
    vocabularySize: 400,
  } as const;
  /** Some rows are dropped, some cut, and with `bad` one in 701 cannot be read. */
  const lines = (count: number, bad = false) =>
    Array.from({ length: count }, (_, i) => {
      const answer = "yes ".repeat(1 + (i % 12));
      const row = { prompt: `question ${i}`, chosen: answer, rejected: i % 97 === 0 ? answer : "no" };
      return bad && i % 701 === 700 ? `{"prompt": ${i}}` : JSON.stringify(row);
    });
  const write = (name: string, rows: readonly string[]) => {
    writeFileSync(folder(name), rows.map((row) => `${row}\n`).join(""));
    return folder(name);
  };

  /** All there is to know of a run: counts, records, and the most rows that came in one result. */
  async function run(files: readonly string[], options: Partial<TokeniseSourceOptions> = {}) {
    const counts = createRowCounts();
    const words: number[] = [];
    let most = 0;
    const { skipBadRows = 0 } = options;
    const source = { source: { files }, names: [...files], tokenizer, settings, bytesHere: 1 };
    for await (const result of tokeniseSource({ ...source, threads: 2, skipBadRows, ...options })) {
      countChunk(counts, result, skipBadRows);
      for (const word of result.words) words.push(word);
      most = Math.max(most, result.counts.read);
    }
    if (words.length === 0) throw noRowsLeft(counts);
    return { counts, words, most };
  }

  it("gives the records and counts of the calling thread, in order", async () => {
    const files = [write("a.jsonl", lines(9000)), write("b.jsonl", lines(500))];
    const here = await run(files, { threads: 0 });
    const there = await run(files);
    expect(there.counts).to.deep.equal(here.counts);
    expect(there.words).to.deep.equal(here.words);
    // The work was really cut otherwise: large messages in place of small turns.
    expect(there.most).to.be.above(5 * here.most);
    expect(here.counts.kept).to.be.above(5000);
  });

  it("does so for archives and Parquet", async () => {
    writeFileSync(folder("c.jsonl.gz"), gzipSync(lines(3000).join("\n")));
    const prompts = Array.from({ length: 3000 }, (_, i) => `question ${i}`);
    const columnData = [
      { name: "prompt", data: prompts },
      { name: "chosen", data: prompts.map((prompt) => `${prompt}!`) },
      { name: "rejected", data: prompts.map(() => "no") },
    ];
    writeFileSync(folder("d.parquet"), new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 700 })));
    const files = [folder("c.jsonl.gz"), folder("d.parquet")];
    const [here, there] = [await run(files, { threads: 0 }), await run(files)];
    expect(there.words).to.deep.equal(here.words);
    expect(there.counts).to.deep.equal(here.counts);
    expect(here.counts.read).to.equal(6000);
  });

  it("counts the same bad rows with the same messages", async () => {
    const files = [write("bad.jsonl", lines(9000, true))];
    const [here, there] = [
      await run(files, { threads: 0, skipBadRows: 20 }),
      await run(files, { skipBadRows: 20 }),
    ];
    expect(here.counts.bad).to.equal(12);
    expect(there.counts).to.deep.equal(here.counts);
    expect(there.words).to.deep.equal(here.words);
  });

  for (const skipBadRows of [0, 5]) {
    it(`throws the same first bad row beyond ${skipBadRows}, with its place`, async () => {
      const files = [write("first.jsonl", lines(9000, true))];
      const here = await failureOf(() => run(files, { threads: 0, skipBadRows }));
      const there = await failureOf(() => run(files, { skipBadRows }));
      expect(here.message).to.contain(`first.jsonl:${701 * (skipBadRows + 1)}: `);
      expect([there.code, there.message]).to.deep.equal([here.code, here.message]);
      expect(there.details).to.deep.equal(here.details);
      expect(there.exitCode).to.equal(2);
    });
  }

  it("throws a bad row before a file behind it that is broken", async () => {
    const whole = gzipSync(lines(9000, true).join("\n"));
    writeFileSync(folder("cut.gz"), whole.subarray(0, whole.length - 100));
    const error = await failureOf(() => run([folder("cut.gz")]));
    expect(error.message).to.contain("cut.gz:701: ");
    const later = await failureOf(() => run([folder("cut.gz")], { skipBadRows: 100 }));
    expect(later.message).to.contain("whole gzip archive but it breaks off");
  });

  it("asks the type of the first rows of all others", async () => {
    const other = JSON.stringify({ text: "a" });
    const error = await failureOf(() => run([write("mixed.jsonl", [...lines(5000), other])]));
    expect(error.message).to.match(/mixed\.jsonl:5001: expected preference rows/);
  });

  it("throws what no skipping helps", async () => {
    const narrow = { ...settings, vocabularySize: 100 };
    const rows = [...Array(3000).fill('{"prompt":"A","chosen":"B","rejected":"C"}'), ...lines(10)];
    const files = [write("narrow.jsonl", rows)];
    const error = await failureOf(() => run(files, { settings: narrow, skipBadRows: 1000 }));
    expect(error.code).to.equal("ATTUNE_TOKENIZER");
    expect(error.message).to.contain("narrow.jsonl:3002");
  });

  it("refuses a tokenizer whose files changed meanwhile", async () => {
    writeTokenizer("changing", false);
    const before = await loadTokenizer({ path: folder("changing") });
    writeTokenizer("other", true);
    copyFileSync(folder("other", "tokenizer.json"), folder("changing", "tokenizer.json"));
    const error = await failureOf(() => run([write("e.jsonl", lines(3000))], { tokenizer: before }));
    expect(error.code).to.equal("ATTUNE_TOKENIZER");
    expect(error.message).to.contain("its files changed");
  });

  it("stops at an abort signal", async () => {
    const controller = new AbortController();
    const files = [write("long.jsonl", lines(60_000))];
    const source = { source: { files }, names: files, tokenizer, settings, skipBadRows: 0, threads: 2 };
    const { signal } = controller;
    let results = 0;
    let reason: unknown;
    try {
      for await (const _ of tokeniseSource({ ...source, bytesHere: 1, signal })) {
        results += 1;
        if (results === 3) controller.abort(new Error("enough"));
      }
    } catch (error) {
      reason = error;
    }
    expect([results, (reason as Error).message]).to.deep.equal([3, "enough"]);
  });

  it("is not needed for rows in memory", async () => {
    const data = lines(200).map((line) => JSON.parse(line) as object);
    const { rows, files } = await loadRows({ data: asynchronous(data), tokenizer, task: "preference" });
    expect(rows.length).to.be.above(100);
    expect(files).to.deep.equal([]);
  });

  async function* asynchronous(rows: readonly object[]): AsyncGenerator<object> {
    for (const row of rows) yield row;
  }

  it("lets other work of the process have its turn", async () => {
    const data = [write("turns.jsonl", lines(4000))];
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    await loadRows({ data, tokenizer, task: "preference", workers: 0 });
    clearInterval(timer);
    expect(turns).to.be.above(10);
  });

  it("refuses a number of threads that is none", async () => {
    const options = { data: [{}], tokenizer, task: "preference", workers: -1 } as const;
    expect((await failureOf(() => loadRows(options))).code).to.equal("ATTUNE_OPTION");
  });
});
