// Reads markdown into blocks: headings, paragraphs, code, lists, quotes, tables, rules. HTML is text. Pure.

const DEEPEST = 8;
const MARKER = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)/;
const FENCE = /^( {0,3})(`{3,}|~{3,})([^`]*)$/;
const readers = [readFence, readHeading, readRule, readQuote, readList, readTable];

/**
 * Blocks: `{ type: "heading", level, text }`, `paragraph` and `code` with `text`, `list` with `ordered`, `start` and `items`
 * (each a list of blocks), `quote` with `blocks`, `table` with `head` and `rows`, `rule`.
 */
export function parseBlocks(text) {
  return blocksOf(text.replaceAll("\r\n", "\n").split("\n"), 0);
}

function blocksOf(lines, depth) {
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    if (isBlank(lines[at])) {
      at += 1;
      continue;
    }
    const { block, next } = readBlock(lines, at, depth) ?? readParagraph(lines, at);
    blocks.push(block);
    at = next;
  }
  return blocks;
}

function readBlock(lines, at, depth) {
  for (const read of readers) {
    const found = read(lines, at, depth);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isBlank(line) {
  return line.trim() === "";
}

function indentOf(line) {
  return line.length - line.trimStart().length;
}

function readParagraph(lines, at) {
  let next = at + 1;
  while (next < lines.length && !isBlank(lines[next]) && !startsBlock(lines, next)) next += 1;
  return {
    block: {
      type: "paragraph",
      text: lines
        .slice(at, next)
        .map((line) => line.trim())
        .join("\n"),
    },
    next,
  };
}

function readFence(lines, at) {
  const found = FENCE.exec(lines[at]);
  if (found === null) return undefined;
  const [, indent, fence] = found;
  let next = at + 1;
  const closes = (line) => {
    const bare = line.trim();
    return bare.length >= fence.length && bare === fence[0].repeat(bare.length);
  };
  while (next < lines.length && !closes(lines[next])) next += 1;
  const code = lines.slice(at + 1, next).map((line) => line.slice(Math.min(indent.length, indentOf(line))));
  return { block: { type: "code", text: code.join("\n") }, next: next + 1 };
}

function readHeading(lines, at) {
  const found = /^ {0,3}(#{1,6})[ \t]+(.*)$/.exec(lines[at]);
  if (found === null) return undefined;
  return { block: { type: "heading", level: found[1].length, text: found[2].trim() }, next: at + 1 };
}

function readRule(lines, at) {
  const bare = lines[at].replaceAll(" ", "");
  const isRule =
    indentOf(lines[at]) < 4 && bare.length > 2 && /^[-*_]/.test(bare) && bare === bare[0].repeat(bare.length);
  return isRule ? { block: { type: "rule" }, next: at + 1 } : undefined;
}

function readQuote(lines, at, depth) {
  const quoted = (line) => /^ {0,3}>/.test(line);
  if (depth >= DEEPEST || !quoted(lines[at])) return undefined;
  let next = at;
  while (next < lines.length && quoted(lines[next])) next += 1;
  const inside = lines.slice(at, next).map((line) => line.replace(/^ {0,3}> ?/, ""));
  return { block: { type: "quote", blocks: blocksOf(inside, depth + 1) }, next };
}

function readList(lines, at, depth) {
  const first = MARKER.exec(lines[at]);
  if (depth >= DEEPEST || first === null) return undefined;
  const ordered = /\d/.test(first[2]);
  const items = [];
  let next = at;
  while (next < lines.length) {
    const marker = MARKER.exec(lines[next]);
    if (marker === null || /\d/.test(marker[2]) !== ordered || readRule(lines, next) !== undefined) break;
    const { inside, end } = itemLines(lines, next, marker);
    items.push(blocksOf(inside, depth + 1));
    next = end;
  }
  if (items.length === 0) return undefined;
  return {
    block: { type: "list", ordered, start: ordered ? Number.parseInt(first[2], 10) : 1, items },
    next,
  };
}

/** An item goes on in lines that are set in by two or more, and in those that simply follow its text. */
function itemLines(lines, at, marker) {
  const base = marker[1].length;
  const width = marker[0].length;
  const inside = [lines[at].slice(width)];
  let end = at + 1;
  for (; end < lines.length; end++) {
    const line = lines[end];
    const indent = indentOf(line);
    if (isBlank(line)) {
      const following = nextFilled(lines, end);
      const deeper = following < lines.length && indentOf(lines[following]) >= base + 2;
      if (!deeper) return { inside, end: sameList(lines[following], marker) ? following : end };
      inside.push("");
      end = following - 1;
    } else if (indent >= base + 2) inside.push(line.slice(Math.min(indent, width)));
    else if (MARKER.test(line) || isBlank(lines[end - 1]) || startsBlock(lines, end)) break;
    else inside.push(line);
  }
  return { inside, end };
}

function nextFilled(lines, at) {
  let next = at;
  while (next < lines.length && isBlank(lines[next])) next += 1;
  return next;
}

function sameList(line, marker) {
  const other = MARKER.exec(line ?? "");
  return other !== null && /\d/.test(other[2]) === /\d/.test(marker[2]);
}

/** What ends a paragraph. A number that is not 1 may be the text's own. */
function startsBlock(lines, at) {
  const line = lines[at];
  return (
    FENCE.test(line) ||
    readHeading(lines, at) !== undefined ||
    readRule(lines, at) !== undefined ||
    /^ {0,3}>/.test(line) ||
    /^ *(?:[-*+]|1[.)]) +\S/.test(line) ||
    tableHead(lines, at) !== undefined
  );
}

function tableHead(lines, at) {
  const rule = lines[at + 1];
  if (rule === undefined || !lines[at].includes("|") || !rule.includes("-")) return undefined;
  const head = cellsOf(lines[at]);
  const dashes = cellsOf(rule);
  return dashes.length === head.length && dashes.every((cell) => /^:?-+:?$/.test(cell)) ? head : undefined;
}

function readTable(lines, at) {
  const head = tableHead(lines, at);
  if (head === undefined) return undefined;
  const rows = [];
  let next = at + 2;
  for (; next < lines.length && lines[next].includes("|") && !isBlank(lines[next]); next++) {
    const cells = cellsOf(lines[next]);
    rows.push(head.map((_, column) => cells[column] ?? ""));
  }
  return { block: { type: "table", head, rows }, next };
}

/** A bar behind a backslash is a letter. */
function cellsOf(line) {
  const bare = line.trim().replace(/^\|/, "");
  const cells = [""];
  for (let at = 0; at < bare.length; at++) {
    if (bare[at] === "\\" && bare[at + 1] === "|") {
      cells[cells.length - 1] += "|";
      at += 1;
    } else if (bare[at] === "|") cells.push("");
    else cells[cells.length - 1] += bare[at];
  }
  if (cells.length > 1 && cells.at(-1).trim() === "") cells.pop();
  return cells.map((cell) => cell.trim());
}
