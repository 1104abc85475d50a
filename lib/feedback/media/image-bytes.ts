// Reads an image out of base64: its bytes say what it is, whatever it is called. Pure; must not know answers.

import { fail } from "../../errors/index.js";
import { withoutNotes } from "./image-notes.js";

export const imageTypes = ["image/png", "image/jpeg", "image/webp", "image/gif"] as const;
export type ImageType = (typeof imageTypes)[number];

export interface ReadImage {
  readonly type: ImageType;
  readonly bytes: Buffer;
}

export interface ReadImageOptions {
  /** Base64, or a data URL of it. */
  readonly text: string;
  /** Of the request or row, as messages name it. */
  readonly field: string;
  readonly mostBytes: number;
}

/** Without what programs and cameras note in it (image-notes.ts). @throws ATTUNE_MEDIA naming the field */
export function readImage({ text, field, mostBytes }: ReadImageOptions): ReadImage {
  const { said, base64 } = partsOf(text, field);
  if (said !== undefined && /svg/i.test(said)) throw svg(field);
  // Checked by its length first: what is too large is not decoded.
  const size = Math.floor((base64.length * 3) / 4);
  if (size > mostBytes + 2)
    throw badMedia(field, `an image of at most ${inMebibytes(mostBytes)}`, inMebibytes(size));
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0)
    throw badMedia(field, "base64 of an image", "other characters, or a text that breaks off");
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length > mostBytes)
    throw badMedia(field, `an image of at most ${inMebibytes(mostBytes)}`, inMebibytes(bytes.length));
  const type = typeOf(bytes);
  if (type === undefined) {
    if (isSvg(bytes)) throw svg(field);
    throw badMedia(field, "the bytes of a PNG, JPEG, WebP or GIF image", "others");
  }
  if (said !== undefined && said !== type) throw badMedia(field, `${said}, as the data URL says`, type);
  const clean = withoutNotes({ type, bytes });
  if (clean === undefined) throw badMedia(field, "a whole image", "one that breaks off, or is broken inside");
  return { type, bytes: clean };
}

export function badMedia(field: string, expected: string, received: string) {
  return fail("ATTUNE_MEDIA", `${field}: expected ${expected} but received ${received}.`, {
    details: { field },
  });
}

function partsOf(text: string, field: string): { readonly said?: string; readonly base64: string } {
  if (!/^data:/i.test(text)) return { base64: text };
  const head = /^data:([^;,]*);base64,/i.exec(text.slice(0, 200));
  if (head === null) throw badMedia(field, "a data URL in base64", "one of another form");
  return { said: (head[1] ?? "").toLowerCase(), base64: text.slice(head[0].length) };
}

function svg(field: string) {
  return badMedia(field, "a PNG, JPEG, WebP or GIF image", "SVG, which may hold scripts");
}

/** By the first bytes. */
function typeOf(bytes: Buffer): ImageType | undefined {
  const ascii = (from: number, to: number) => bytes.toString("latin1", from, to);
  if (ascii(0, 8) === "\x89PNG\r\n\x1a\n") return "image/png";
  if (ascii(0, 3) === "\xff\xd8\xff") return "image/jpeg";
  if (ascii(0, 4) === "RIFF" && ascii(8, 12) === "WEBP") return "image/webp";
  return /^GIF8[79]a$/.test(ascii(0, 6)) ? "image/gif" : undefined;
}

function isSvg(bytes: Buffer): boolean {
  return /^\s*(?:\ufeff)?\s*<(?:\?xml|!doctype svg|!--|svg)/i.test(bytes.toString("utf8", 0, 200));
}

export function inMebibytes(bytes: number): string {
  return `${Number((bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 1))} MiB`;
}
