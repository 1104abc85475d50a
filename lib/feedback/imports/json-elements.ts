// The elements of one large JSON list, one after another, from pieces of its bytes: a list may be of a million elements on one
// line. Must not parse them.

import type { RawRow } from "../../data/index.js";
import { fail } from "../../errors/index.js";

const [QUOTE, BACKSLASH, LINE_FEED, COMMA] = [0x22, 0x5c, 0x0a, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Elements with the line that each begins on. @throws ATTUNE_DATA_JSON for a list that does not end, or where more follows */
export async function* jsonElements(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  file: string,
): AsyncGenerator<readonly RawRow[]> {
  const splitter = new Splitter(file);
  for await (const chunk of chunks) {
    const rows = splitter.take(chunk);
    if (rows.length > 0) yield rows;
  }
  splitter.end();
}

class Splitter {
  private depth = 0;
  private inText = false;
  private escaped = false;
  private over = false;
  private line = 1;
  private elementLine = 0;
  /** Of the element that is not yet whole. */
  private parts: Uint8Array[] = [];

  constructor(private readonly file: string) {}

  take(chunk: Uint8Array): RawRow[] {
    const rows: RawRow[] = [];
    let start = this.elementLine > 0 ? 0 : -1;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (byte === LINE_FEED) this.line += 1;
      if (this.inText) {
        if (this.escaped) this.escaped = false;
        else if (byte === BACKSLASH) this.escaped = true;
        else if (byte === QUOTE) this.inText = false;
        continue;
      }
      if (byte === 0x20 || byte === LINE_FEED || byte === 0x0d || byte === 0x09) continue;
      if (this.depth === 0) {
        this.outside(byte);
        continue;
      }
      const between = this.depth === 1 && (byte === COMMA || byte === CLOSE_LIST);
      if (between) {
        if (start >= 0) rows.push(this.finish(chunk.subarray(start, at)));
        start = -1;
        if (byte === CLOSE_LIST) {
          this.depth = 0;
          this.over = true;
        }
        continue;
      }
      if (start < 0) {
        start = at;
        this.elementLine = this.line;
      }
      if (byte === QUOTE) this.inText = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) this.depth += 1;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) this.depth -= 1;
    }
    if (start >= 0) this.parts.push(chunk.subarray(start));
    return rows;
  }

  end(): void {
    if (!this.over) throw this.broken("the list's end", "none: it breaks off");
  }

  private outside(byte: number): void {
    if (byte === OPEN_LIST && !this.over) this.depth = 1;
    // A byte order mark may stand in front.
    else if (this.over || ![0xef, 0xbb, 0xbf].includes(byte))
      throw this.broken("one list of objects", this.over ? "more behind it" : "something else");
  }

  private finish(last: Uint8Array): RawRow {
    const bytes = Buffer.concat([...this.parts, last]);
    const place = { file: this.file, line: this.elementLine };
    this.parts = [];
    this.elementLine = 0;
    return { place, bytes };
  }

  private broken(expected: string, found: string) {
    const text = `${this.file}:${this.line}: expected ${expected} but found ${found}.`;
    return fail("ATTUNE_DATA_JSON", `${text} Fetch the file again.`, {
      details: { file: this.file, line: this.line },
    });
  }
}
