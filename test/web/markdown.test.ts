// Markdown of models into tokens: what is known becomes a token, everything else stays text, and no text takes long.

import { expect } from "chai";
import { judgeModule } from "./web-modules.js";

interface Token {
  readonly type: string;
  readonly text?: string;
  readonly href?: string;
  readonly alt?: string;
  readonly children?: readonly Token[];
}
interface Block {
  readonly type: string;
  readonly text?: string;
  readonly level?: number;
  readonly ordered?: boolean;
  readonly start?: number;
  readonly items?: readonly (readonly Block[])[];
  readonly blocks?: readonly Block[];
  readonly head?: readonly string[];
  readonly rows?: readonly (readonly string[])[];
}

const { parseInline } = await judgeModule<{ parseInline(text: string): readonly Token[] }>("markdown-inline");
const { parseBlocks } = await judgeModule<{ parseBlocks(text: string): readonly Block[] }>("markdown-blocks");

/** `strong(a) b` for tokens. */
const inline = (text: string): string => parseInline(text).map(written).join("");
function written({ type, text, href, alt, children }: Token): string {
  if (type === "text") return text ?? "";
  const inside = text ?? alt ?? (children ?? []).map(written).join("");
  return `${type}(${inside}${href === undefined ? "" : ` -> ${href}`})`;
}
const paragraph = (text: string): Block => ({ type: "paragraph", text });

describe("markdown in a line", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["plain", "plain"],
    ["**bold** and __bold__", "strong(bold) and strong(bold)"],
    ["*a* _b_ ~~c~~", "emphasis(a) emphasis(b) strike(c)"],
    ["**bold *both* bold**", "strong(bold emphasis(both) bold)"],
    ["***both***", "strong(emphasis(both))"],
    ["snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"],
    ["**not closed", "**not closed"],
    ["`code **x**` and ``a ` b``", "code(code **x**) and code(a ` b)"],
    ["`not closed", "`not closed"],
    ["\\*literal\\* \\q", "*literal* \\q"],
    ["[text](https://a.b/c_(d))", "link(text -> https://a.b/c_(d))"],
    ["[**b**](u 'title') [x] (y)", "link(strong(b) -> u) [x] (y)"],
    ["![alt](http://x/y.png)", "image(alt -> http://x/y.png)"],
    ["<https://a.b> <script>", "link(https://a.b -> https://a.b) <script>"],
    ["one\ntwo", "onebreak()two"],
  ];
  for (const [text, tokens] of cases)
    it(`reads ${JSON.stringify(text)}`, () => {
      expect(inline(text)).to.equal(tokens);
    });
});

describe("markdown in blocks", () => {
  it("reads headings, paragraphs and rules", () => {
    expect(parseBlocks("# One\ntext\n\n###### Six\n\n---\n#no")).to.deep.equal([
      { type: "heading", level: 1, text: "One" },
      paragraph("text"),
      { type: "heading", level: 6, text: "Six" },
      { type: "rule" },
      paragraph("#no"),
    ]);
  });

  it("keeps code as it is, closed or not", () => {
    expect(parseBlocks("```js\n  a\n\n# b\n```\nafter\n~~~\n```")).to.deep.equal([
      { type: "code", text: "  a\n\n# b" },
      paragraph("after"),
      { type: "code", text: "```" },
    ]);
  });

  it("reads lists in lists, with what belongs to an item", () => {
    const [list, after] = parseBlocks("3. a\n   - b\n   - c\n\n     more\n4. d\ngoes on\n\nafter");
    expect(list).to.deep.equal({
      type: "list",
      ordered: true,
      start: 3,
      items: [
        [
          paragraph("a"),
          {
            type: "list",
            ordered: false,
            start: 1,
            items: [[paragraph("b")], [paragraph("c"), paragraph("more")]],
          },
        ],
        [paragraph("d\ngoes on")],
      ],
    });
    expect(after).to.deep.equal(paragraph("after"));
  });

  it("reads a list behind its paragraph, but no number of the text", () => {
    expect(parseBlocks("Do:\n- a\n- b").map(({ type }) => type)).to.deep.equal(["paragraph", "list"]);
    expect(parseBlocks("It was in\n1984. Orwell")).to.deep.equal([paragraph("It was in\n1984. Orwell")]);
  });

  it("reads quotes with what is in them", () => {
    expect(parseBlocks("> # a\n> b\nafter")).to.deep.equal([
      { type: "quote", blocks: [{ type: "heading", level: 1, text: "a" }, paragraph("b")] },
      paragraph("after"),
    ]);
  });

  it("reads tables, with cells that are missing or hold a bar", () => {
    const [table] = parseBlocks("| a | b |\n|:--|--:|\n| 1 | x \\| y |\n| 2\nend");
    expect(table).to.deep.equal({
      type: "table",
      head: ["a", "b"],
      rows: [
        ["1", "x | y"],
        ["2", ""],
      ],
    });
    expect(parseBlocks("a | b\nno rule")[0]?.type).to.equal("paragraph");
  });

  it("leaves HTML as text", () => {
    const html = "<div onclick='x'>\n<img src=y>\n</div>";
    expect(parseBlocks(html)).to.deep.equal([paragraph(html)]);
    expect(inline(html.replaceAll("\n", " "))).to.equal(html.replaceAll("\n", " "));
  });

  // A hang would show as a time-out: what is quadratic takes minutes here.
  for (const [name, text] of [
    ["stars that open and never close", "*a ".repeat(60_000)],
    ["marks of all kinds", "**_~~`[![".repeat(20_000)],
    ["brackets", "[".repeat(150_000)],
    ["brackets that close far away", `${"[".repeat(50_000)}](x)`],
    ["quotes in quotes", `${"> ".repeat(3000)}x\n`.repeat(20)],
    ["lists in lists", Array.from({ length: 2000 }, (_, i) => `${" ".repeat(2 * (i % 100))}- x`).join("\n")],
    ["blank lines", `- a${"\n".repeat(100_000)}  b`],
    ["backticks", Array.from({ length: 400 }, (_, i) => "`".repeat(i + 1)).join(" ")],
    ["spaces", `# a${" ".repeat(150_000)}b`],
  ] as const)
    it(`is done soon with ${name}`, () => {
      const texts = (blocks: readonly Block[]): readonly string[] =>
        blocks.flatMap(({ text: own, blocks: inside = [], items = [] }) => [
          ...(own === undefined ? [] : [own]),
          ...texts([...inside, ...items.flat()]),
        ]);
      const found = texts(parseBlocks(text));
      expect(found.map((one) => parseInline(one).length).every((length) => length >= 0)).to.equal(true);
    }).timeout(60_000);
});
