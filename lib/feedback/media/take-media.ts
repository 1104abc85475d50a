// Takes the bytes out of an item's answers: what is kept of each in the log, and the parts that lie beside it.
// Must not know the store.

import { createHash, type Hash } from "node:crypto";
import type { z } from "zod";
import { fail } from "../../errors/index.js";
import type { FeedbackAnswer, Item } from "../judgement.js";
import {
  type ContentInput,
  clipContent,
  contentTypeOf,
  imageContent,
  isText,
  type KeptClip,
  type KeptImage,
  SEGMENT_PART,
  SEGMENT_TYPE,
} from "./answer-content.js";
import { badMedia, inMebibytes, readImage } from "./image-bytes.js";
import { widthsOf } from "./segment.js";

/** Of one image, one frame, all frames of an item; in bytes, not in base64. */
const MOST_IMAGE_BYTES = 8 * 2 ** 20;
const MOST_FRAME_BYTES = 2 ** 20;
const MOST_ITEM_BYTES = 12 * 2 ** 20;
const MOST_FRAMES = 600;

/** One frame, or a clip's segment, of one answer as it was added. */
export interface MediaPart {
  readonly answer: number;
  /** From 0; of the segment SEGMENT_PART. */
  readonly part: number;
  readonly type: string;
  /** Base64 of a frame, JSON of the segment. */
  readonly data: string;
}

export interface TakenMedia {
  readonly answers: readonly FeedbackAnswer[];
  readonly parts: readonly MediaPart[];
}

/** `field`: of the answers, as messages name it. @throws ATTUNE_MEDIA naming the field */
export function takeMedia(answers: Item["answers"], field: string): TakenMedia {
  const types = new Set(answers.map(({ content }) => contentTypeOf(content)));
  if (types.size > 1) throw badMedia(field, "answers of one type", [...types].join(" and "));
  const taking = new Taking(field);
  const kept = answers.map((answer, place) => ({ ...answer, content: taking.take(answer.content, place) }));
  checkWidths(kept, field);
  return { answers: kept, parts: taking.parts };
}

class Taking {
  readonly parts: MediaPart[] = [];
  private bytes = 0;

  constructor(private readonly field: string) {}

  take(given: ContentInput, answer: number): FeedbackAnswer["content"] {
    if (isText(given)) return given;
    const field = `${this.field}[${answer}].content`;
    return given.type === "image" ? this.image(given, answer, field) : this.clip(given, answer, field);
  }

  private image(given: ContentInput, answer: number, field: string): KeptImage {
    const { type, data, alt } = checked(imageContent, given, field);
    const hash = createHash("sha256");
    const most = { mostBytes: MOST_IMAGE_BYTES, field: `${field}.data` };
    const read = this.frame(data, { answer, part: 0, hash, ...most });
    return { type, alt, media: read.type, bytes: read.bytes, sha256: hash.digest("hex") };
  }

  private clip(given: ContentInput, answer: number, field: string): KeptClip {
    const { frames: all } = given as { readonly frames?: unknown };
    if (Array.isArray(all) && (all.length === 0 || all.length > MOST_FRAMES))
      throw badMedia(`${field}.frames`, `1 to ${MOST_FRAMES} frames`, String(all.length));
    const { type, frames, fps, segment, alt } = checked(clipContent, given, field);
    const hash = createHash("sha256");
    let bytes = 0;
    for (const [part, text] of frames.entries()) {
      const most = { mostBytes: MOST_FRAME_BYTES, field: `${field}.frames[${part}]` };
      bytes += this.frame(text, { answer, part, hash, ...most }).bytes;
    }
    const data = JSON.stringify(segment);
    hash.update(data);
    this.parts.push({ answer, part: SEGMENT_PART, type: SEGMENT_TYPE, data });
    return {
      ...{ type, fps, frames: frames.length, steps: segment.obs.length, widths: widthsOf(segment), bytes },
      sha256: hash.digest("hex"),
      ...(alt === undefined ? {} : { alt }),
    };
  }

  private frame(
    text: string,
    {
      answer,
      part,
      hash,
      ...reading
    }: { answer: number; part: number; hash: Hash; field: string; mostBytes: number },
  ) {
    const { type, bytes } = readImage({ text, ...reading });
    this.bytes += bytes.length;
    if (this.bytes > MOST_ITEM_BYTES)
      throw badMedia(
        this.field,
        `images of at most ${inMebibytes(MOST_ITEM_BYTES)} in one item`,
        "more of them",
      );
    hash.update(bytes);
    this.parts.push({ answer, part, type, data: bytes.toString("base64") });
    return { type, bytes: bytes.length };
  }
}

function checked<Schema extends z.ZodType>(schema: Schema, given: unknown, field: string): z.output<Schema> {
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const path = (issue?.path ?? []).map((part) =>
    typeof part === "number" ? `[${part}]` : `.${String(part)}`,
  );
  const at = `${field}${path.join("")}`;
  throw fail("ATTUNE_MEDIA", `${at}: ${issue?.message ?? "is no image or clip"}.`, {
    details: { field: at },
  });
}

/** One model is to see all of them. */
function checkWidths(answers: readonly FeedbackAnswer[], field: string): void {
  const widths = answers.flatMap(({ content }) =>
    !isText(content) && content.type === "clip" ? [content.widths] : [],
  );
  const other = widths.find((one) => String(one) !== String(widths[0]));
  if (other === undefined) return;
  const words = ([obs, act]: readonly number[]) => `obs ${obs} and act ${act} wide`;
  throw badMedia(field, `segments that are all ${words(widths[0] ?? [])}`, `one ${words(other)}`);
}
