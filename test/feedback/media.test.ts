// Images and clips as they come in: what they are by their bytes, what is taken out of them, and what is refused with which
// code and field.

import { expect } from "chai";
import { checkSegmentRow } from "../../lib/feedback/exports/segment-rows.js";
import type { ItemInput } from "../../lib/feedback/judgement.js";
import { readImage } from "../../lib/feedback/media/image-bytes.js";
import { takeMedia } from "../../lib/feedback/media/take-media.js";
import { simulatedRater, worthOfSegments } from "../../lib/feedback/simulated-rater.js";
import { expectFailure } from "../errors/expect-failure.js";
import { chunk, dotClip, gif, jpeg, plainPicture, trueReward, webp } from "./pictures.js";

const png = plainPicture([1, 2, 3]);
const read = (text: string, mostBytes = 100_000) => readImage({ text, field: "data", mostBytes });
const take = (...contents: ItemInput["answers"][number]["content"][]) =>
  takeMedia(
    contents.map((content) => ({ content })),
    "answers",
  );
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("images and clips", () => {
  it("are known by their first bytes, with or without a data URL", () => {
    const found = [png, jpeg, webp, gif].map((text) => read(text).type);
    expect(found).to.deep.equal(["image/png", "image/jpeg", "image/webp", "image/gif"]);
    expect(read(`data:image/webp;base64,${webp}`).bytes.toString("base64")).to.equal(webp);
    for (const text of [jpeg, gif]) expect(read(text).bytes.toString("base64")).to.equal(text);
  });

  it("lose what programs and cameras note in them, and keep the picture", () => {
    const NOTE = "made by secret-model";
    const noted = plainPicture([1, 2, 3], NOTE);
    expect(Buffer.from(noted, "base64").includes(NOTE)).to.equal(true);
    expect(read(noted).bytes.toString("base64")).to.equal(png);
    const bytes = Buffer.from(jpeg, "base64");
    const length = Buffer.from([0, NOTE.length + 2]);
    const marked = (marker: number) =>
      Buffer.concat([
        bytes.subarray(0, 2),
        Buffer.from([0xff, marker]),
        length,
        Buffer.from(NOTE),
        bytes.subarray(2),
      ]);
    for (const marker of [0xe1, 0xed, 0xfe])
      expect(read(marked(marker).toString("base64")).bytes.equals(bytes), String(marker)).to.equal(true);
    const riff = Buffer.from(webp, "base64");
    const size = Buffer.alloc(4);
    size.writeUInt32LE(NOTE.length);
    const withExif = Buffer.concat([riff, Buffer.from("EXIF"), size, Buffer.from(NOTE)]);
    expect(read(withExif.toString("base64")).bytes.equals(riff)).to.equal(true);
    const dots = Buffer.from(gif, "base64");
    const comment = Buffer.concat([
      Buffer.from([0x21, 0xfe, NOTE.length]),
      Buffer.from(NOTE),
      Buffer.from([0]),
    ]);
    const withComment = Buffer.concat([dots.subarray(0, 19), comment, dots.subarray(19)]);
    expect(read(withComment.toString("base64")).bytes.equals(dots)).to.equal(true);
  });

  const broken: Readonly<Record<string, readonly [text: string, message: string]>> = {
    "SVG by its name": [`data:image/svg+xml;base64,${png}`, "SVG"],
    "SVG by its bytes": [base64("<?xml version='1.0'?><svg onload='alert(1)'/>"), "SVG"],
    "no base64": [`${png.slice(0, 40)}*${png.slice(41)}`, "base64"],
    "base64 that breaks off": [png.slice(0, 41), "base64"],
    "a data URL in percents": ["data:image/png,%89PNG", "data URL in base64"],
    "another type than the data URL says": [
      `data:image/png;base64,${gif}`,
      "image/png, as the data URL says",
    ],
    "no image": [base64("GIF99a is no image"), "PNG, JPEG, WebP or GIF"],
    "a PNG that breaks off": [Buffer.from(png, "base64").subarray(0, 40).toString("base64"), "breaks off"],
    "a chunk that says it is longer than the file": [
      Buffer.concat([
        Buffer.from(png, "base64").subarray(0, 8),
        chunk("IHDR", Buffer.alloc(13)).subarray(0, 20),
      ]).toString("base64"),
      "breaks off",
    ],
  };
  for (const [name, [text, message]] of Object.entries(broken))
    it(`are refused: ${name}`, () => expectFailure(() => read(text), "ATTUNE_MEDIA", message));

  it("are refused where they are too large, before they are decoded", async () => {
    await expectFailure(() => read(png, 20), "ATTUNE_MEDIA", "at most");
    const frame = Buffer.alloc(2 ** 20 + 1).toString("base64");
    const clip = dotClip({ speed: 0.1 });
    await expectFailure(
      () => take({ ...clip, frames: [frame] }),
      "ATTUNE_MEDIA",
      "answers[0].content.frames[0]",
    );
    const many = Array.from({ length: 601 }, () => png);
    await expectFailure(
      () => take({ ...clip, frames: many }),
      "ATTUNE_MEDIA",
      "1 to 600 frames but received 601",
    );
    await expectFailure(() => take({ ...clip, frames: [] }), "ATTUNE_MEDIA", "1 to 600 frames");
  });

  it("are refused where a part is missing, broken, or does not go with the others", async () => {
    const clip = dotClip({ speed: 0.1 });
    const { segment } = clip;
    const image = { type: "image" as const, data: png, alt: "A dark area." };
    const faults: readonly (readonly [ItemInput["answers"][number]["content"][], string])[] = [
      [[{ type: "image", data: png }], "answers[0].content.alt"],
      [[{ ...image, extra: 1 }], "answers[0].content"],
      [[{ ...clip, fps: 0 }], "answers[0].content.fps"],
      [[{ ...clip, frames: [png, "x"] }], "answers[0].content.frames[1]"],
      [[{ ...clip, segment: { ...segment, act: segment.act.slice(1) } }], "as many steps"],
      [[{ ...clip, segment: { ...segment, obs: [[1, 2], [3]] } }], "steps of one width"],
      [
        [{ ...clip, segment: { ...segment, act: segment.act.map(() => [Number.NaN]) } }],
        "content.segment.act[0][0]",
      ],
      [
        [clip, { ...clip, segment: { ...segment, act: segment.act.map(() => [1, 2]) } }],
        "obs 2 and act 2 wide",
      ],
      [[clip, image], "answers of one type but received clip and image"],
      [["text", image], "answers of one type"],
    ];
    for (const [contents, message] of faults)
      await expectFailure(() => take(...contents), "ATTUNE_MEDIA", message);
  });

  it("leave descriptions without bytes in the log, and the same bytes leave the same hash", () => {
    const clip = dotClip({ speed: 0.1, frames: 3 });
    const { answers, parts } = take(
      clip,
      dotClip({ speed: 0.1, frames: 3 }),
      dotClip({ speed: 0.2, frames: 3 }),
    );
    const hashes = answers.map(({ content }) => (content as { sha256: string }).sha256);
    expect(hashes[0]).to.equal(hashes[1]).and.to.not.equal(hashes[2]);
    expect(answers[0]?.content).to.include({ type: "clip", fps: 12, frames: 3, steps: 3 });
    expect(JSON.stringify(answers)).to.not.include(clip.frames[0]?.slice(0, 40));
    expect(parts).to.have.length(3 * (3 + 1));
  });

  it("can be judged by raters who know the true reward of segments, and by no others", async () => {
    const worth = worthOfSegments(trueReward);
    const [fast, slow] = [dotClip({ speed: 0.2 }), dotClip({ speed: 0.05 })].map(({ segment }) => ({
      ...{ type: "clip" as const, fps: 12, frames: 6, segment },
    }));
    if (fast === undefined || slow === undefined) throw new Error("two clips are missing");
    const rater = simulatedRater({ seed: 1, number: 0, worth });
    const shown = { prompt: "Which?", asks: [{ kind: "pair" as const, strength: false }] };
    const choices = Array.from({ length: 20 }, (_, i) => {
      const answers = i % 2 === 0 ? [fast, slow] : [slow, fast];
      const value = rater.judge({ ...shown, answers })?.values[0];
      return value?.kind === "pair" && value.choice === (i % 2 === 0 ? "left" : "right");
    });
    expect(choices.filter((right) => right)).to.have.length.of.at.least(19);
    const { segment: _, ...without } = fast;
    await expectFailure(() => worth("", without), "ATTUNE_OPTION", "clips with their segments");
  });

  it("become rows that are checked: two segments of the same widths, and a label from 0 to 1", async () => {
    const { segment } = dotClip({ speed: 0.1 });
    const row = { segments: [segment, segment], label: 1, source: ["j"], annotators: ["p"], split: "train" };
    expect(checkSegmentRow(row).label).to.equal(1);
    const faults = [
      { ...row, label: 1.5 },
      { ...row, segments: [segment] },
      { ...row, segments: [segment, { ...segment, obs: segment.obs.map(([x]) => [x]) }] },
      { ...row, source: [] },
    ];
    for (const fault of faults) await expectFailure(() => checkSegmentRow(fault), "ATTUNE_DATA", "");
  });
});
