// What answers hold: text, an image or a clip; as they come in with their bytes, as the store keeps them without, and as
// whoever judges is shown them. Pure; must not know the store.

import { z } from "zod";
import { type ImageType, imageTypes } from "./image-bytes.js";
import { segment } from "./segment.js";

/** A message of a conversation, or plain text. */
const message = z.object({ role: z.string().min(1), content: z.string() });
export const content = z.union([z.string(), z.array(message).min(1)]);
export type FeedbackContent = z.infer<typeof content>;

const alt = z.string().trim().min(1).max(2000);
const picture = z.string().min(1).describe("PNG, JPEG, WebP or GIF in base64, or a data URL of it");

export const imageContent = z.strictObject({
  type: z.literal("image"),
  data: picture,
  alt: alt.describe("what is seen, for those who hear it"),
});
export type ImageContent = z.infer<typeof imageContent>;

export const clipContent = z.strictObject({
  type: z.literal("clip"),
  frames: z.array(picture),
  fps: z.number().min(0.1).max(120).describe("frames per second"),
  segment: segment.describe("of the control task: the numbers that are learnt from"),
  alt: alt.optional().describe("what is seen, for those who hear it"),
});
export type ClipContent = z.infer<typeof clipContent>;

/** Images and clips are checked where their bytes are read (take-media.ts), with a code and a field of their own. */
const media = z
  .looseObject({ type: z.enum(["image", "clip"]) })
  .describe("an image (type, data, alt) or a clip (type, frames, fps, segment {obs, act}, alt)");

export const contentInput = z.union([content, media], {
  error: "expected text, messages, or an image or clip with its type",
});
export type ContentInput = z.infer<typeof contentInput>;

/** An image as it is kept: its bytes lie beside. */
export interface KeptImage {
  readonly type: "image";
  readonly alt: string;
  readonly media: ImageType;
  readonly bytes: number;
  readonly sha256: string;
}

/** A clip as it is kept: frames and segment lie beside. */
export interface KeptClip {
  readonly type: "clip";
  readonly alt?: string;
  readonly fps: number;
  readonly frames: number;
  readonly steps: number;
  readonly widths: readonly [obs: number, act: number];
  /** Of all frames. */
  readonly bytes: number;
  readonly sha256: string;
}

export type AnswerContent = FeedbackContent | KeptImage | KeptClip;
export type ContentType = "text" | "image" | "clip";

/** As somebody is shown it before they judge: nothing that names the answer. */
export type ShownContent =
  | FeedbackContent
  | { readonly type: "image"; readonly alt: string }
  | { readonly type: "clip"; readonly alt?: string; readonly fps: number; readonly frames: number };

export function contentTypeOf(given: AnswerContent | ContentInput | ShownContent): ContentType {
  return isText(given) ? "text" : given.type;
}

export function isText<Content>(given: Content): given is Content & FeedbackContent {
  return typeof given === "string" || Array.isArray(given);
}

export function shownContent(kept: AnswerContent): ShownContent {
  if (isText(kept)) return kept;
  const { type, alt: text } = kept;
  if (type === "image") return { type, alt: text };
  return { type, fps: kept.fps, frames: kept.frames, ...(text === undefined ? {} : { alt: text }) };
}

/** Frames and segment that lie beside a kept answer. */
export function partsOf(kept: AnswerContent): number {
  if (isText(kept)) return 0;
  return kept.type === "image" ? 1 : kept.frames + 1;
}

/** What a part of an answer may be: frames, and a clip's segment. */
export const SEGMENT_TYPE = "application/json";
export const SEGMENT_PART = -1;
export const partTypes: readonly string[] = [...imageTypes, SEGMENT_TYPE];
