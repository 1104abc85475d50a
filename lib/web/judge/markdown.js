// Shows markdown of people and models, who may be hostile: nodes of a short list, filled with text. No HTML, nothing is
// fetched, and links lead nowhere until somebody has read where to. Must not parse.

import { make } from "./element.js";
import { textNodes } from "./invisible.js";
import { askToFollow, safeAddress } from "./links.js";
import { parseBlocks } from "./markdown-blocks.js";
import { parseInline } from "./markdown-inline.js";

const tags = { strong: "strong", emphasis: "em", strike: "s" };

/** Headings of a text stand below those of the page. */
const FIRST_HEADING = 3;

export function markdownView(text) {
  return make("div", { class: "text", dir: "auto" }, ...parseBlocks(text).map(blockNode));
}

function blockNode(block) {
  switch (block.type) {
    case "heading":
      return make(
        `h${Math.min(6, block.level + FIRST_HEADING - 1)}`,
        { dir: "auto" },
        ...inlineNodes(block.text),
      );
    case "code":
      return make("pre", { tabindex: "0", dir: "ltr" }, make("code", {}, ...textNodes(block.text)));
    case "quote":
      return make("blockquote", {}, ...block.blocks.map(blockNode));
    case "list":
      return listNode(block);
    case "table":
      return tableNode(block);
    case "rule":
      return make("hr");
    default:
      return make("p", { dir: "auto" }, ...inlineNodes(block.text));
  }
}

function listNode({ ordered, start, items }) {
  return make(
    ordered ? "ol" : "ul",
    ordered && start !== 1 ? { start } : {},
    ...items.map((blocks) => {
      // A line alone needs no paragraph of its own.
      const [first, ...rest] = blocks;
      const own =
        first?.type === "paragraph" ? inlineNodes(first.text) : first === undefined ? [] : [blockNode(first)];
      return make("li", { dir: "auto" }, ...own, ...rest.map(blockNode));
    }),
  );
}

function tableNode({ head, rows }) {
  const row = (cells, tag) =>
    make("tr", {}, ...cells.map((cell) => make(tag, { dir: "auto" }, ...inlineNodes(cell))));
  const table = make(
    "table",
    {},
    make("thead", {}, row(head, "th")),
    make("tbody", {}, ...rows.map((cells) => row(cells, "td"))),
  );
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table" }, table);
}

function inlineNodes(text) {
  return parseInline(text).flatMap(inlineNode);
}

function inlineNode(token) {
  switch (token.type) {
    case "text":
      return textNodes(token.text);
    case "break":
      return [make("br")];
    case "code":
      return [make("code", { dir: "ltr" }, ...textNodes(token.text))];
    case "image":
      return [
        make("span", { class: "image" }, "Image, not loaded: ", ...textNodes(`${token.alt} (${token.href})`)),
      ];
    case "link":
      return linkNodes(token);
    default:
      return [make(tags[token.type], {}, ...token.children.flatMap(inlineNode))];
  }
}

function linkNodes({ href, children }) {
  const label = children.flatMap(inlineNode);
  const address = safeAddress(href);
  if (address === undefined) return [...label, ...textNodes(` (${href})`)];
  return [
    make("button", { type: "button", class: "link", on: { click: () => askToFollow(address) } }, ...label),
  ];
}
