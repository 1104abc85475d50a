// Characters that are not seen, or that turn the order of others around, are shown by name instead of taking effect:
// a model's text cannot hide anything or pretend to be another. Must not know markdown.

import { make } from "./element.js";

const names = new Map([
  [0x00ad, "soft hyphen"],
  [0x034f, "grapheme joiner"],
  [0x061c, "Arabic letter mark"],
  [0x180e, "vowel separator"],
  [0x200b, "zero width space"],
  [0x200c, "zero width non-joiner"],
  [0x200d, "zero width joiner"],
  [0x200e, "left-to-right mark"],
  [0x200f, "right-to-left mark"],
  [0x2028, "line separator"],
  [0x2029, "paragraph separator"],
  [0x202a, "left-to-right embedding"],
  [0x202b, "right-to-left embedding"],
  [0x202c, "end of direction"],
  [0x202d, "left-to-right override"],
  [0x202e, "right-to-left override"],
  [0x2060, "word joiner"],
  [0x2066, "left-to-right isolate"],
  [0x2067, "right-to-left isolate"],
  [0x2068, "first strong isolate"],
  [0x2069, "end of isolate"],
  [0xfeff, "byte order mark"],
]);

/** Controls, what may be left out when it is drawn, separators of lines, annotations; and half surrogate pairs. */
const HIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;
const ORDINARY = "\t\n\r";

const EMOJI_BEFORE = /[\p{Extended_Pictographic}\p{Emoji_Modifier}0-9#*]\ufe0f?$/u;
/** Scripts in which a joiner changes how letters look. */
const JOINING =
  /[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{M}]$/u;

/** A text in pieces: `{ text, start }` as it is, or with `name` what is to be shown in its place. `start` counts UTF-16 units. */
export function piecesOf(text) {
  const pieces = [];
  let from = 0;
  for (const { 0: hidden, index } of text.matchAll(HIDDEN)) {
    const before = text.slice(Math.max(0, index - 4), index);
    if (isOrdinary(hidden, before, text.slice(index + hidden.length, index + hidden.length + 2))) continue;
    if (index > from) pieces.push({ text: text.slice(from, index), start: from });
    pieces.push({ text: hidden, start: index, name: nameOf(hidden) });
    from = index + hidden.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), start: from });
  return pieces;
}

/** White space, inside an emoji, or between letters that it joins. */
function isOrdinary(hidden, before, after) {
  if (ORDINARY.includes(hidden)) return true;
  if (hidden === "\ufe0f" || hidden === "\ufe0e") return EMOJI_BEFORE.test(before);
  if (hidden === "\u200d" && EMOJI_BEFORE.test(before)) return /^\p{Extended_Pictographic}/u.test(after);
  return (hidden === "\u200d" || hidden === "\u200c") && JOINING.test(before) && /^[\p{L}\p{M}]/u.test(after);
}

function nameOf(character) {
  const point = character.codePointAt(0) ?? 0;
  const code = `U+${point.toString(16).toUpperCase().padStart(4, "0")}`;
  const name = names.get(point);
  return name === undefined ? code : `${code} ${name}`;
}

/** Nodes that show a text. */
export function textNodes(text) {
  return piecesOf(text).map(({ text: piece, name }) =>
    name === undefined ? document.createTextNode(piece) : hiddenMark(name),
  );
}

export function hiddenMark(name) {
  return make("span", {
    class: "hidden-character",
    text: name,
    title: `A character that is not seen: ${name}`,
  });
}
