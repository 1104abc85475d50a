// TensorBoard event files: known CRCs, and what a reader of its own finds in them.

import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { varint } from "../../lib/report/tensorboard-event.js";
import { crc32c, frameRecord, maskedCrc32c } from "../../lib/report/tensorboard-record.js";
import { tensorboardSink } from "../../lib/report/tensorboard-sink.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { eventOf, records } from "./tensorboard-reader.js";

const ascii = (text: string) => new TextEncoder().encode(text);

describe("CRC32C", () => {
  // RFC 3720, appendix B.4, and the usual check value.
  const known: readonly [string, Uint8Array, number][] = [
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["31 to 0", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ["123456789", ascii("123456789"), 0xe3069283],
    ["nothing", new Uint8Array(0), 0],
  ];
  for (const [name, bytes, expected] of known) {
    it(`of ${name} is the published one`, () => {
      expect(crc32c(bytes)).to.equal(expected);
    });
  }

  it("is masked as event files want it", () => {
    // ((crc >> 15) | (crc << 17)) + 0xa282ead8 of 0xe3069283, by hand.
    const crc = 0xe3069283n;
    const expected = (((crc >> 15n) | ((crc << 17n) & 0xffffffffn)) + 0xa282ead8n) & 0xffffffffn;
    expect(maskedCrc32c(ascii("123456789"))).to.equal(Number(expected));
  });
});

describe("a record", () => {
  it("is the length, its CRC, the payload and its CRC", () => {
    const [one] = records(Buffer.from(frameRecord(ascii("hello"))));
    expect(one?.payload.toString()).to.equal("hello");
    const length = Uint8Array.of(5, 0, 0, 0, 0, 0, 0, 0);
    expect([one?.lengthCrc, one?.payloadCrc]).to.deep.equal([
      maskedCrc32c(length),
      maskedCrc32c(ascii("hello")),
    ]);
  });
});

describe("a varint", () => {
  const known: readonly [number, readonly number[]][] = [
    [0, [0]],
    [127, [127]],
    [128, [128, 1]],
    [300, [172, 2]],
    [2 ** 40, [128, 128, 128, 128, 128, 32]],
  ];
  for (const [value, bytes] of known) {
    it(`of ${value} has ${bytes.length} bytes`, () => {
      expect([...varint(value)]).to.deep.equal(bytes);
    });
  }
});

describe("TensorBoard event files", () => {
  const at = suiteFolder();
  let seconds = 1_772_359_200;
  const open = tensorboardSink({ clock: () => new Date(1000 * seconds++), host: "a host" });
  const files = (folder: string) => readdirSync(at(folder, "tensorboard")).toSorted();
  const events = (folder: string, file = 0) =>
    records(readFileSync(at(folder, "tensorboard", files(folder)[file] ?? ""))).map(({ payload }) =>
      eventOf(payload),
    );

  before(() => {
    const sink = open({ folder: at("new"), resumedFrom: undefined });
    sink.write({ step: 0, split: "eval", eval_loss: 0.75, "eval_rewards/accuracies": 0.5, eval_ms: 12 });
    sink.write({ step: 1, split: "train", loss: 0.5, learning_rate: 1e-6, note: "text", nothing: null });
    sink.write({ step: 300, split: "train", loss: Number.NaN });
    sink.close();
  });

  it("are named as TensorBoard looks for them", () => {
    expect(files("new")).to.have.length(1);
    expect(files("new")[0]).to.match(/^events\.out\.tfevents\.1772359\d{3}\.a_host\.\d+\.0$/);
  });

  it("begin with the version", () => {
    expect(events("new")[0]).to.deep.include({ version: "brain.Event:2", scalars: {} });
  });

  it("hold the numbers of a line by split and key, without eval_ twice", () => {
    const [, evaluation, training] = events("new");
    expect(evaluation).to.deep.include({
      step: 0,
      scalars: { "eval/loss": 0.75, "eval/rewards/accuracies": 0.5, "eval/ms": 12 },
    });
    expect(training).to.deep.include({
      step: 1,
      scalars: { "train/loss": 0.5, "train/learning_rate": Math.fround(1e-6) },
    });
  });

  it("keep NaN and steps over 127", () => {
    const last = events("new")[3];
    expect(last?.step).to.equal(300);
    expect(last?.scalars["train/loss"]).to.satisfy(Number.isNaN);
  });

  it("have the time of the clock", () => {
    const times = events("new").map(({ time }) => time);
    expect(times).to.deep.equal([1, 2, 3, 4].map((i) => 1_772_359_200 + i));
  });

  it("of a resumed run are a new file that starts a session behind the checkpoint", () => {
    const sink = open({ folder: at("new"), resumedFrom: 150 });
    sink.write({ step: 151, split: "train", loss: 0.25 });
    sink.close();
    expect(files("new")).to.have.length(2);
    const [version, start, line] = events("new", 1);
    expect(version?.version).to.equal("brain.Event:2");
    expect(start).to.deep.include({ start: true, step: 151 });
    expect(line?.scalars).to.deep.equal({ "train/loss": 0.25 });
  });

  it("of two starts in one second don't overwrite each other", () => {
    const frozen = tensorboardSink({ clock: () => new Date(0), host: "host" });
    for (const _ of [0, 1]) frozen({ folder: at("same"), resumedFrom: undefined }).close();
    expect(files("same")).to.have.length(2);
  });

  it("that cannot be written say where", async () => {
    const error = await failureOf(() => open({ folder: "/dev/null", resumedFrom: undefined }));
    expect(error.code).to.equal("ATTUNE_OUTPUT");
    expect(error.message).to.include("/dev/null/tensorboard");
  });
});
