import { expect } from "chai";
import { parquetWriteBuffer } from "hyparquet-writer";
import { createRowCounts, readRows } from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { collect, type TemporaryFiles, temporaryFiles } from "./temporary-files.js";

type Columns = Parameters<typeof parquetWriteBuffer>[0]["columnData"];

describe("readRows of Parquet files", () => {
  let files: TemporaryFiles;
  before(() => {
    files = temporaryFiles();
  });
  after(() => files.remove());

  const write = (columnData: Columns, others: { rowGroupSize?: number } = {}) =>
    files.write(new Uint8Array(parquetWriteBuffer({ columnData, ...others })));
  const pairs: Columns = [
    { name: "prompt", data: ["a", "b", "c"], type: "STRING" },
    { name: "chosen", data: ["yes", "ja", "oui"], type: "STRING" },
    { name: "rejected", data: ["no", "nein", "non"], type: "STRING" },
  ];
  const read = (data: string) => collect(readRows({ data }));

  it("gives rows in order, across row groups, with their numbers as lines", async () => {
    const rows = await read(write(pairs, { rowGroupSize: 2 }));
    expect(rows.map((row) => (row.type === "preference" ? row.chosen : ""))).to.deep.equal([
      "yes",
      "ja",
      "oui",
    ]);
    expect(rows.map(({ index, place }) => [index, place.line])).to.deep.equal([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
  });

  it("takes numbers of 64 bits as numbers and a missing one as none", async () => {
    const weights: Columns = [
      { name: "weight", data: [2n, null, 3n] as unknown as bigint[], type: "INT64", nullable: true },
    ];
    const rows = await read(write([...pairs, ...weights]));
    expect(rows.map(({ weight }) => weight)).to.deep.equal([2, 1, 3]);
  });

  it("takes lists of structs as messages", async () => {
    const message = (role: string, content: string) => ({ role, content });
    const messages = [[message("user", "hi"), message("assistant", "hello")]];
    const rows = await read(nested(messages));
    expect(rows[0]).to.deep.include({ type: "text", text: messages[0] });
  });

  function nested(messages: unknown[]): string {
    const text = { type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" } as const;
    const bytes = parquetWriteBuffer({
      columnData: [{ name: "messages", data: messages }],
      schema: [
        { name: "root", num_children: 1 },
        { name: "messages", repetition_type: "OPTIONAL", converted_type: "LIST", num_children: 1 },
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        { name: "element", repetition_type: "OPTIONAL", num_children: 2 },
        { name: "role", ...text },
        { name: "content", ...text },
      ],
    });
    return files.write(new Uint8Array(bytes));
  }

  it("refuses a table without the columns, listing those it has", async () => {
    const data = write([{ name: "question", data: ["a"], type: "STRING" }]);
    const error = await failureOf(() => read(data));
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_DATA_COLUMN", 2]);
    expect(error.message).to.contain(`${data}:1: expected`).and.to.contain("(question)");
  });

  it("refuses a row without an answer, with its number", async () => {
    const [prompt, chosen] = pairs;
    const rejected = { name: "rejected", data: ["no", null, "non"], type: "STRING", nullable: true } as const;
    const data = write([prompt, chosen, { ...rejected, data: [...rejected.data] }] as Columns);
    const error = await failureOf(() => read(data));
    expect(error.message).to.contain(`${data}:2: expected a column "rejected"`);
  });

  it("refuses text that is not UTF-8, and passes over the row on request", async () => {
    const bytes = [Buffer.from("fine"), Buffer.from([0x61, 0xff]), Buffer.from("fine")];
    const bad: Columns = [{ name: "text", data: bytes, type: "BYTE_ARRAY" }];
    const data = write(bad);
    expect((await failureOf(() => read(data))).message).to.contain(`${data}:2: expected text`);
    const counts = createRowCounts();
    expect(await collect(readRows({ data, counts, skipBadRows: 1 }))).to.have.length(2);
    expect(counts.bad).to.equal(1);
  });

  it("refuses a table without rows", async () => {
    const error = await failureOf(() => read(write([{ name: "text", data: [], type: "STRING" }])));
    expect(error.code).to.equal("ATTUNE_DATA");
    expect(error.message).to.contain("a table without rows");
  });

  it("refuses a file that is cut", async () => {
    const whole = new Uint8Array(parquetWriteBuffer({ columnData: pairs }));
    const error = await failureOf(() => read(files.write(whole.subarray(0, whole.length - 20))));
    expect(error.code).to.equal("ATTUNE_DATA");
    expect(error.message).to.contain("expected a whole Parquet file");
  });
});
