import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { createRowCounts, type ReadRowsOptions, readRows } from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { collect, type TemporaryFiles, temporaryFiles } from "./temporary-files.js";

describe("readRows", () => {
  let files: TemporaryFiles;

  before(() => {
    files = temporaryFiles();
  });
  after(() => files.remove());

  const pair = { prompt: "Q:", chosen: " yes", rejected: " no" };
  const read = (rows: readonly unknown[], options: Partial<ReadRowsOptions> = {}) =>
    collect(readRows({ data: files.writeRows(rows), ...options }));
  const refusal = (rows: readonly unknown[], options: Partial<ReadRowsOptions> = {}) =>
    failureOf(() => read(rows, options));

  describe("takes", () => {
    it("preference rows, with weight, label and margin", async () => {
      const [row] = await read([{ ...pair, weight: 2, label: 0.75, margin: 1 }]);
      expect(row).to.include({ type: "preference", ...pair, weight: 2, label: 0.75, margin: 1 });
    });

    it("weight 1, label 1 and margin 0 where a row names none", async () => {
      expect((await read([pair]))[0]).to.include({ weight: 1, label: 1, margin: 0 });
    });

    it("prompt-completion rows", async () => {
      const [row] = await read([{ prompt: "a", completion: "b" }]);
      expect(row).to.include({ type: "prompt-completion", prompt: "a", completion: "b" });
    });

    it("text rows", async () => {
      expect((await read([{ text: "a b" }]))[0]).to.include({ type: "text", text: "a b" });
    });

    it("whole transcripts, whose prompt it finds", async () => {
      const [row] = await read([
        { chosen: "Human: hi\n\nAssistant: a", rejected: "Human: hi\n\nAssistant: b" },
      ]);
      expect(row).to.include({ prompt: "Human: hi\n\nAssistant:", chosen: " a", rejected: " b" });
    });

    it("rows of two types as the format that was named, other columns as metadata", async () => {
      const [row] = await read([{ text: "a", prompt: "b" }], { format: "text" });
      expect(row).to.deep.include({ type: "text", text: "a", metadata: { prompt: "b" } });
    });

    it("another turn mark", async () => {
      const [row] = await read([{ chosen: "Q: a\nA: b c", rejected: "Q: a\nA: b d" }], { turnMark: "\nA:" });
      expect(row).to.include({ prompt: "Q: a\nA:", chosen: " b c" });
    });

    it("unknown columns as metadata", async () => {
      const [row] = await read([{ ...pair, annotator: "k7", weight: 1 }]);
      expect(row?.metadata).to.deep.equal({ annotator: "k7" });
    });

    it("answers of white space, which people do write", async () => {
      expect((await read([{ ...pair, chosen: " " }]))[0]).to.include({ chosen: " " });
    });

    it("gzipped files whatever their name", async () => {
      const path = files.writeGzipped(`${JSON.stringify(pair)}\n`);
      expect(await collect(readRows({ data: path }))).to.have.length(1);
    });

    it("gzip archives of several members", async () => {
      const member = gzipSync(`${JSON.stringify(pair)}\n`);
      const path = files.write(Buffer.concat([member, member]));
      expect(await collect(readRows({ data: path }))).to.have.length(2);
    });

    it("several files in order, numbering rows through and lines by file", async () => {
      const data = [files.writeRows([pair, pair]), files.writeRows([pair])];
      const rows = await collect(readRows({ data }));
      expect(rows.map((row) => [row.index, row.place.line])).to.deep.equal([
        [0, 1],
        [1, 2],
        [2, 1],
      ]);
      expect(rows.map((row) => row.place.file)).to.deep.equal([data[0], data[0], data[1]]);
    });

    it("objects in memory", async () => {
      expect(await collect(readRows({ data: [pair] }))).to.have.length(1);
    });

    it("carriage returns, blank lines, a byte order mark and a last line without an end", async () => {
      const line = JSON.stringify(pair);
      const path = files.write(`\ufeff${line}\r\n\r\n  \n${line}`);
      const rows = await collect(readRows({ data: path }));
      expect(rows.map((row) => row.place.line)).to.deep.equal([1, 4]);
    });

    it("rows longer than a chunk of the file", async () => {
      const long = "é".repeat(200_000);
      const [first, second] = await read([{ text: long }, { text: "b" }]);
      expect(first).to.include({ text: long });
      expect(second).to.include({ text: "b" });
    });
  });

  it("drops and counts pairs with identical sides", async () => {
    const counts = createRowCounts();
    const rows = await read([{ ...pair, rejected: " yes" }, pair, { chosen: "a", rejected: "a" }], {
      counts,
    });
    expect(rows.map((row) => row.index)).to.deep.equal([1]);
    expect(counts).to.deep.include({ read: 3, bad: 0, dropped: { identical: 2 } });
  });

  it("drops and counts identical conversations without a prompt", async () => {
    const counts = createRowCounts();
    const said = [
      { role: "user", content: "q" },
      { role: "assistant", content: "b" },
    ];
    expect(await read([{ chosen: said, rejected: said }], { counts })).to.deep.equal([]);
    expect(counts.dropped).to.deep.equal({ identical: 1 });
  });

  describe("refuses, with file and line,", () => {
    const cases: readonly (readonly [string, readonly unknown[], string, RegExp])[] = [
      [
        "a missing column",
        [pair, { prompt: "Q", chosen: "a" }],
        "ATTUNE_DATA_COLUMN",
        /:2: expected a column "rejected" but found columns prompt, chosen\./,
      ],
      [
        "a misspelt column",
        [pair, { prompt: "Q", chosne: "a", rejected: "b" }],
        "ATTUNE_DATA_COLUMN",
        /"chosen" .*Did you mean "chosen"\?/,
      ],
      [
        "a column of another type",
        [{ ...pair, chosen: 7 }],
        "ATTUNE_DATA_COLUMN",
        /:1: expected text, messages or token ids in column "chosen" but found number 7\./,
      ],
      ["a null", [{ ...pair, rejected: null }], "ATTUNE_DATA_COLUMN", /column "rejected" but found null/],
      [
        "messages beside text",
        [{ ...pair, prompt: [{ role: "user", content: "hi" }] }],
        "ATTUNE_DATA_COLUMN",
        /in all columns of a row but found messages in "prompt" and text in "rejected"/,
      ],
      [
        "an empty answer",
        [{ ...pair, chosen: "" }],
        "ATTUNE_DATA",
        /text in column "chosen" but found an empty text/,
      ],
      [
        "an empty prompt",
        [{ prompt: " \n", completion: "hi" }],
        "ATTUNE_DATA",
        /"prompt" but found only white space.*"text" column/,
      ],
      [
        "an empty prompt of a pair, which cannot be a text",
        [{ ...pair, prompt: "" }],
        "ATTUNE_DATA",
        /"prompt" but found an empty text \(""\)\. Correct/,
      ],
      ["an empty text", [{ text: "" }], "ATTUNE_DATA", /column "text"/],
      [
        "sides without a common prompt",
        [{ chosen: "yes", rejected: "no" }],
        "ATTUNE_DATA",
        /same prompt .*Add a "prompt" column/,
      ],
      [
        "a side that is all prompt",
        [{ chosen: "\n\nHuman: a\n\nAssistant:", rejected: "\n\nHuman: a\n\nAssistant: b" }],
        "ATTUNE_DATA",
        /answer after the common prompt in column "chosen"/,
      ],
      [
        "a list in place of an object",
        [[pair]],
        "ATTUNE_DATA",
        /a JSON object but found a list\. Write one object per line/,
      ],
      ["a number in place of an object", [4], "ATTUNE_DATA", /a JSON object but found number 4/],
      [
        "a row of another type than the first",
        [pair, { text: "a" }],
        "ATTUNE_DATA_COLUMN",
        /:2: expected preference rows .*found text rows.*same type/,
      ],
      [
        "columns of no type",
        [{ colour: "red" }],
        "ATTUNE_DATA_COLUMN",
        /columns of no known type \(colour\)/,
      ],
      ["columns of two types", [{ text: "a", prompt: "b" }], "ATTUNE_DATA_COLUMN", /two types .*--format/],
      [
        "unpaired rows",
        [{ prompt: "a", completion: "b", label: true }],
        "ATTUNE_DATA_COLUMN",
        /found unpaired rows/,
      ],
      [
        "unpaired rows after others",
        [
          { prompt: "a", completion: "b" },
          { prompt: "a", completion: "b", label: true },
        ],
        "ATTUNE_DATA_COLUMN",
        /:2: .*found unpaired rows/,
      ],
      ["prompts alone", [{ prompt: "a" }], "ATTUNE_DATA_COLUMN", /found prompt-only rows/],
      [
        "a negative weight",
        [{ ...pair, weight: -1 }],
        "ATTUNE_DATA_COLUMN",
        /a number >= 0 in column "weight" but found number -1/,
      ],
      [
        "a label above 1",
        [{ ...pair, label: 1.5 }],
        "ATTUNE_DATA_COLUMN",
        /from 0 to 1 in column "label" but found number 1.5/,
      ],
      [
        "a label that is no number",
        [{ ...pair, label: "yes" }],
        "ATTUNE_DATA_COLUMN",
        /column "label" but found the text "yes"/,
      ],
      [
        "half a surrogate pair",
        [{ ...pair, chosen: "a\ud800" }],
        "ATTUNE_DATA",
        /whole characters in column "chosen"/,
      ],
    ];
    for (const [what, rows, code, message] of cases) {
      it(what, async () => {
        const error = await refusal(rows, { accept: ["text", "prompt-completion", "preference"] });
        expect(error.code).to.equal(code);
        expect(error.message).to.match(message);
        expect(error.message).to.match(/rows-\d+\.jsonl:\d+: /);
        expect(error.exitCode).to.equal(2);
        expect(error.details).to.include({ line: rows.length });
      });
    }

    it("broken JSON", async () => {
      const path = files.write(`${JSON.stringify(pair)}\n{"prompt": "a", \n`);
      const error = await failureOf(() => collect(readRows({ data: path })));
      expect(error.code).to.equal("ATTUNE_DATA_JSON");
      expect(error.message).to.contain(
        `${path}:2: expected one JSON object on the line but found broken JSON`,
      );
    });

    it("a JSON list spread over lines, with what to do", async () => {
      const path = files.write(JSON.stringify([pair], undefined, 1));
      const error = await failureOf(() => collect(readRows({ data: path })));
      expect(error.code).to.equal("ATTUNE_DATA_JSON");
      expect(error.message).to.contain("Write each object on one line.");
    });

    it("bytes that are not UTF-8", async () => {
      const path = files.write(Buffer.from([...Buffer.from('{"text": "'), 0xff, ...Buffer.from('"}\n')]));
      const error = await failureOf(() => collect(readRows({ data: path })));
      expect(error.code).to.equal("ATTUNE_DATA_JSON");
      expect(error.message).to.contain(`${path}:1: expected UTF-8`);
    });

    it("rows that the trainer cannot use", async () => {
      const error = await refusal([{ text: "a" }], { accept: ["preference"] });
      expect(error.message).to.match(/:1: expected preference rows .* but found text rows/);
    });

    it("rows of another type than the format that was named", async () => {
      const error = await refusal([{ text: "a" }], { format: "preference" });
      expect(error.message).to.contain('expected a column "chosen" but found columns text');
    });
  });

  describe("refuses files", () => {
    const refuse = (data: string) => failureOf(() => collect(readRows({ data })));

    it("that are not there", async () => {
      const error = await refuse(`${files.folder}/none.jsonl`);
      expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_FILE", 2]);
    });

    it("that are folders without row files", async () => {
      expect((await refuse(mkdtempSync(join(files.folder, "empty-")))).code).to.equal("ATTUNE_FILE");
    });

    it("that are empty", async () => {
      const error = await refuse(files.write(""));
      expect(error.code).to.equal("ATTUNE_DATA");
      expect(error.message).to.contain("the file is empty");
    });

    it("that hold only blank lines", async () => {
      expect((await refuse(files.write("\n \n"))).message).to.contain("only blank lines");
    });

    it("that are gzip archives of nothing", async () => {
      expect((await refuse(files.writeGzipped(""))).message).to.contain("only blank lines");
    });

    it("of another format", async () => {
      const error = await refuse(files.write("ARROW1 and so on"));
      expect(error.message).to.contain("found an Arrow file. Convert it.");
    });

    it("that are gzip archives broken off, with the last whole line", async () => {
      const noise = Array.from({ length: 3000 }, (_, i) => JSON.stringify({ text: `row ${i * 7919}` })).join(
        "\n",
      );
      const whole = gzipSync(noise);
      const error = await refuse(files.write(whole.subarray(0, whole.length - 200)));
      expect(error.code).to.equal("ATTUNE_DATA");
      expect(error.message).to.match(/whole gzip archive but it breaks off or is damaged after line \d+/);
    });

    it("and a format the trainer does not take", async () => {
      const options = { data: files.writeRows([pair]), accept: ["preference"], format: "text" } as const;
      expect((await failureOf(() => collect(readRows(options)))).code).to.equal("ATTUNE_OPTION");
    });
  });

  describe("skipBadRows", () => {
    const bad = { prompt: "Q", chosen: "a" };

    it("counts so many bad rows and goes on", async () => {
      const counts = createRowCounts();
      const rows = await read([bad, pair, bad, pair], { skipBadRows: 2, counts });
      expect(rows.map((row) => row.index)).to.deep.equal([1, 3]);
      expect(counts).to.include({ read: 4, bad: 2 });
      expect(counts.badMessages[1]).to.contain(':3: expected a column "rejected"');
    });

    it("throws the next one, saying how many were skipped", async () => {
      const error = await refusal([bad, bad, pair], { skipBadRows: 1 });
      expect(error.code).to.equal("ATTUNE_DATA_COLUMN");
      expect(error.message).to.match(/:2: .*\(1 bad row was skipped before it\.\)/);
    });

    it("does not pass over a file that is missing", async () => {
      const options = { data: `${files.folder}/none.jsonl`, skipBadRows: 100 };
      expect((await failureOf(() => collect(readRows(options)))).code).to.equal("ATTUNE_FILE");
    });
  });

  it("stops at an abort signal", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    const work = () => collect(readRows({ data: [pair], signal }));
    let message = "";
    await work().catch((error: Error) => {
      message = error.message;
    });
    expect(message).to.equal("enough");
  });

  it("closes the file when its consumer stops early", async () => {
    const path = files.writeGzipped(`${JSON.stringify(pair)}\n`.repeat(50_000));
    for await (const row of readRows({ data: path })) if (row.index === 3) break;
    expect(await collect(readRows({ data: path }))).to.have.length(50_000);
  });
});
