// Reads a line of markdown into tokens: text, code, emphasis, links, images. HTML is text. Pure.
// Whatever comes in, it takes time in proportion: a search for an end that failed is not made again.

const DEEPEST = 6;
const LONGEST_LINK = 2000;
const LONGEST_LABEL = 500;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}]/u;
const kinds = { "**": "strong", __: "strong", "~~": "strike", "*": "emphasis", _: "emphasis" };

/** `{ type: "text" | "code", text }`, `{ type: "strong" | "emphasis" | "strike" | "link", children, href? }`, `image`, `break`. */
export function parseInline(text, depth = 0) {
  const reading = { text, depth, failed: new Set(), tokens: [], plain: "" };
  for (let at = 0; at < text.length; ) {
    const end =
      readCode(reading, at) ?? readEscape(reading, at) ?? readLink(reading, at) ?? readMarked(reading, at);
    if (end !== undefined) at = end;
    else if (text[at] === "\n") {
      reading.plain = reading.plain.trimEnd();
      add(reading, { type: "break" });
      at += 1;
    } else {
      reading.plain += text[at];
      at += 1;
    }
  }
  flush(reading);
  return reading.tokens;
}

function flush(reading) {
  if (reading.plain !== "") reading.tokens.push({ type: "text", text: reading.plain });
  reading.plain = "";
}

function add(reading, token) {
  flush(reading);
  reading.tokens.push(token);
}

function readCode(reading, at) {
  const { text, failed } = reading;
  if (text[at] !== "`") return undefined;
  let length = 1;
  while (text[at + length] === "`") length += 1;
  const fence = "`".repeat(length);
  let close = failed.has(fence) ? -1 : text.indexOf(fence, at + length);
  while (close >= 0 && text[close + length] === "`") {
    while (text[close] === "`") close += 1;
    close = text.indexOf(fence, close);
  }
  if (close < 0) {
    failed.add(fence);
    reading.plain += fence;
    return at + length;
  }
  const code = text.slice(at + length, close).replaceAll("\n", " ");
  const padded = code.length > 2 && code.startsWith(" ") && code.endsWith(" ") && code.trim() !== "";
  add(reading, { type: "code", text: padded ? code.slice(1, -1) : code });
  return close + length;
}

function readEscape(reading, at) {
  const following = reading.text[at + 1] ?? "";
  if (reading.text[at] !== "\\" || !PUNCTUATION.test(following)) return undefined;
  reading.plain += following;
  return at + 2;
}

function readLink(reading, at) {
  const { text, depth } = reading;
  if (text[at] === "<") {
    const found = /^<(https?:\/\/[^\s<>]{1,2000})>/.exec(text.slice(at, at + LONGEST_LINK));
    if (found === null) return undefined;
    add(reading, { type: "link", href: found[1], children: [{ type: "text", text: found[1] }] });
    return at + found[0].length;
  }
  const image = text[at] === "!" && text[at + 1] === "[";
  if (text[at] !== "[" && !image) return undefined;
  const open = image ? at + 1 : at;
  if (!isAhead(reading, "](", open)) return undefined;
  const close = closingBracket({ text, open, most: LONGEST_LABEL }, "[", "]");
  if (close === undefined || text[close + 1] !== "(") return undefined;
  const end = closingBracket({ text, open: close + 1, most: LONGEST_LINK }, "(", ")");
  if (end === undefined) return undefined;
  // A title in quotes is dropped.
  const [href = ""] = text
    .slice(close + 2, end)
    .trim()
    .split(/\s/, 1);
  const label = text.slice(open + 1, close);
  if (image) add(reading, { type: "image", alt: label, href });
  else if (depth < DEEPEST) add(reading, { type: "link", href, children: parseInline(label, depth + 1) });
  else add(reading, { type: "link", href, children: [{ type: "text", text: label }] });
  return end + 1;
}

/** Once it is not, it is not for the rest of the text either. */
function isAhead({ text, failed }, mark, from) {
  if (!failed.has(mark) && text.indexOf(mark, from) < 0) failed.add(mark);
  return !failed.has(mark);
}

function closingBracket({ text, open, most }, opening, closing) {
  let level = 0;
  for (let at = open; at < Math.min(text.length, open + most); at++) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === opening) level += 1;
    else if (text[at] === closing) {
      level -= 1;
      if (level === 0) return at;
    }
  }
  return undefined;
}

function readMarked(reading, at) {
  const { text, depth } = reading;
  for (const mark of ["**", "__", "~~", "*", "_"]) {
    if (!text.startsWith(mark, at)) continue;
    const inside = at + mark.length;
    const close = opens(text, at, mark) && depth < DEEPEST ? closingMark(reading, inside, mark) : undefined;
    if (close === undefined) continue;
    add(reading, { type: kinds[mark], children: parseInline(text.slice(inside, close), depth + 1) });
    return close + mark.length;
  }
  return undefined;
}

/** Underscores inside words are letters. */
function opens(text, at, mark) {
  const following = text[at + mark.length] ?? " ";
  if (/\s/.test(following)) return false;
  return mark[0] !== "_" || !WORD.test(text[at - 1] ?? " ");
}

function closingMark({ text, failed }, from, mark) {
  if (failed.has(mark)) return undefined;
  for (let close = text.indexOf(mark, from + 1); close >= 0; close = text.indexOf(mark, close + 1)) {
    // Of three stars the last two end what is bold.
    while (mark.length === 2 && text[close + 2] === mark[0]) close += 1;
    if (/\s/.test(text[close - 1] ?? " ")) continue;
    const following = text[close + mark.length] ?? " ";
    const doubled = mark.length === 1 && (following === mark || text[close - 1] === mark);
    if (!doubled && (mark[0] !== "_" || !WORD.test(following))) return close;
  }
  failed.add(mark);
  return undefined;
}
