// Takes out of an image what is not the picture: programs note in it what made it (model, prompt, seed), cameras where it was.
// Who judges must learn neither. Pure.

import type { ReadImage } from "./image-bytes.js";

/** Undefined for bytes that cannot be followed to the picture's end: it breaks off, or is another format inside. */
export function withoutNotes(image: ReadImage): Buffer | undefined {
  const pieces = piecesOf(image);
  return pieces === undefined ? undefined : Buffer.concat(pieces);
}

function piecesOf({ type, bytes }: ReadImage): readonly Buffer[] | undefined {
  switch (type) {
    case "image/png":
      return pngPieces(bytes);
    case "image/jpeg":
      return jpegPieces(bytes);
    case "image/webp":
      return webpPieces(bytes);
    case "image/gif":
      return gifPieces(bytes);
  }
}

/** Those that decide how the picture looks; among the others are texts, Exif and the time. */
const pngChunks = /^(?:IHDR|PLTE|IDAT|IEND|tRNS|gAMA|cHRM|sRGB|iCCP|sBIT|pHYs|acTL|fcTL|fdAT)$/;

function pngPieces(bytes: Buffer): readonly Buffer[] | undefined {
  const pieces = [bytes.subarray(0, 8)];
  for (let at = 8; at < bytes.length; ) {
    if (at + 12 > bytes.length) return undefined;
    const end = at + 12 + bytes.readUInt32BE(at);
    const name = bytes.toString("latin1", at + 4, at + 8);
    if (end > bytes.length) return undefined;
    if (pngChunks.test(name)) pieces.push(bytes.subarray(at, end));
    if (name === "IEND") return pieces;
    at = end;
  }
  return undefined;
}

/** JFIF, colour profile and Adobe's colours stay; Exif, XMP, comments and the like go. */
function jpegPieces(bytes: Buffer): readonly Buffer[] | undefined {
  const pieces = [bytes.subarray(0, 2)];
  for (let at = 2; at + 4 <= bytes.length; ) {
    const marker = bytes[at + 1] ?? 0;
    if (bytes[at] !== 0xff) return undefined;
    // Of the scan that begins here nothing is a note.
    if (marker === 0xda) return [...pieces, bytes.subarray(at)];
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if (end > bytes.length) return undefined;
    const isApplication = marker >= 0xe0 && marker <= 0xef;
    const stays = isApplication ? [0xe0, 0xe2, 0xee].includes(marker) : marker !== 0xfe;
    if (stays) pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return undefined;
}

function webpPieces(bytes: Buffer): readonly Buffer[] | undefined {
  const pieces: Buffer[] = [];
  for (let at = 12; at < bytes.length; ) {
    if (at + 8 > bytes.length) return undefined;
    const size = bytes.readUInt32LE(at + 4);
    const end = at + 8 + size + (size % 2);
    if (end > bytes.length) return undefined;
    const name = bytes.toString("latin1", at, at + 4);
    const chunk = Buffer.from(bytes.subarray(at, end));
    // Bits of the head say that Exif (8) and XMP (4) follow.
    if (name === "VP8X") chunk[8] = (chunk[8] ?? 0) & ~0x0c;
    if (/^(?:VP8 |VP8L|VP8X|ALPH|ANIM|ANMF|ICCP)$/.test(name)) pieces.push(chunk);
    at = end;
  }
  const head = Buffer.from(bytes.subarray(0, 12));
  head.writeUInt32LE(4 + pieces.reduce((sum, { length }) => sum + length, 0), 4);
  return [head, ...pieces];
}

function gifPieces(bytes: Buffer): readonly Buffer[] | undefined {
  const tableOf = (flags: number) => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));
  let at = 13 + tableOf(bytes[10] ?? 0);
  const pieces = [bytes.subarray(0, at)];
  while (at < bytes.length) {
    const [kind, label] = [bytes[at], bytes[at + 1]];
    if (kind === 0x3b) return [...pieces, bytes.subarray(at, at + 1)];
    if (kind !== 0x21 && kind !== 0x2c) return undefined;
    const data = kind === 0x21 ? at + 2 : at + 11 + tableOf(bytes[at + 9] ?? 0);
    const end = endOfBlocks(bytes, data);
    if (end === undefined) return undefined;
    const isLoop = label === 0xff && bytes.toString("latin1", at + 3, at + 14) === "NETSCAPE2.0";
    if (kind === 0x2c || label === 0xf9 || isLoop) pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return undefined;
}

/** Blocks each begin with their length; one of none ends them. */
function endOfBlocks(bytes: Buffer, from: number): number | undefined {
  for (let at = from; at < bytes.length; ) {
    const length = bytes[at] ?? 0;
    at += 1 + length;
    if (length === 0) return at;
  }
  return undefined;
}
