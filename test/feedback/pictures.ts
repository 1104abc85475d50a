// Pictures and clips for tests: small PNG files that are drawn here, the smallest of the other formats, and a task whose true
// reward is how far right a dot is.

import { crc32, deflateSync } from "node:zlib";
import type { ItemInput } from "../../lib/feedback/judgement.js";
import type { ClipContent } from "../../lib/feedback/media/answer-content.js";
import type { SegmentStep } from "../../lib/feedback/simulated-rater.js";

export const jpeg =
  "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=";
export const webp = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA";
export const gif = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

export type Colour = readonly [red: number, green: number, blue: number];

export interface Picture {
  readonly width: number;
  readonly height: number;
  colour(x: number, y: number): Colour;
  /** What a program might have noted in it. */
  readonly note?: string;
}

export function chunk(name: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, check]);
}

/** In base64. */
export function png({ width, height, colour, note }: Picture): string {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  // 8 bits of each of red, green and blue.
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Array.from({ length: height }, (_, y) => [
    0,
    ...Array.from({ length: width }, (__, x) => colour(x, y)).flat(),
  ]);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", head),
    ...(note === undefined ? [] : [chunk("tEXt", Buffer.from(`Comment\0${note}`, "latin1"))]),
    chunk("IDAT", deflateSync(Buffer.from(rows.flat()))),
    chunk("IEND", Buffer.alloc(0)),
  ]).toString("base64");
}

export function plainPicture(colour: Colour, note?: string): string {
  const size = { width: 24, height: 16, colour: () => colour };
  return png(note === undefined ? size : { ...size, note });
}

export const trueReward = ({ obs }: SegmentStep) => 10 * (obs[0] ?? 0);

/** A dot that goes `speed` to the right at each of `frames` steps, from the left side; [frames][2] obs, [frames][1] act. */
export function dotClip({
  frames = 6,
  speed,
  fps = 12,
}: {
  frames?: number;
  speed: number;
  fps?: number;
}): ClipContent {
  const places = Array.from({ length: frames }, (_, i) => Math.min(1, speed * i));
  const picture = (place: number) =>
    png({
      ...{ width: 48, height: 32 },
      colour: (x, y) => (Math.hypot(x - 4 - place * 40, y - 16) < 4 ? [220, 60, 40] : [235, 238, 245]),
    });
  return {
    type: "clip",
    frames: places.map(picture),
    fps,
    segment: { obs: places.map((place) => [place, 0.5]), act: places.map(() => [speed]) },
  };
}

/** The faster dot is added first. */
export function clipItem(number = 0): ItemInput {
  return {
    externalId: `secret-clips-${number}`,
    prompt: "Which dot gets further to the right?",
    answers: [
      { content: dotClip({ speed: 0.2 }), model: "secret-fast", policy: "secret-p2" },
      { content: dotClip({ speed: 0.05 }), model: "secret-slow", policy: "secret-p1" },
    ],
    asks: [{ kind: "pair", strength: false }],
  };
}

export function imageItem(asks: ItemInput["asks"] = [{ kind: "pair", strength: false }]): ItemInput {
  return {
    externalId: "secret-images",
    prompt: "Which picture is warmer?",
    answers: [
      {
        content: {
          type: "image",
          data: plainPicture([230, 90, 40], "secret-model, seed 7"),
          alt: "A plain orange area.",
        },
        model: "secret-a",
      },
      {
        content: {
          type: "image",
          data: `data:image/png;base64,${plainPicture([40, 90, 230])}`,
          alt: "A plain blue area.",
        },
        model: "secret-b",
      },
    ],
    asks,
  };
}
