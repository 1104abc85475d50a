// Tables whose rows become cards on narrow screens and stay tables to screen readers. Must not know what is in them.

import { element } from "./dom.js";

/**
 * `caption` is spoken, and shown where `captioned`. `columns`: `{ name, cell(row, number), head?, number?, quiet? }`; the first names the row. `head` is shown in the place of
 * the name, such as an axis; `rowClass` may mark rows.
 */
export function table({
  caption,
  captioned = false,
  columns,
  rows,
  rowClass = () => undefined,
  none = "Nothing yet.",
}) {
  if (rows.length === 0) return element("p", { class: "none" }, none);
  const head = columns.map(({ name, head: shown, number }) =>
    element("th", { scope: "col", role: "columnheader", class: number && "number" }, shown ?? name),
  );
  return element(
    "table",
    { role: "table" },
    element("caption", { class: captioned ? undefined : "spoken" }, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, head)),
    element(
      "tbody",
      { role: "rowgroup" },
      rows.map((row, i) =>
        element(
          "tr",
          { role: "row", class: rowClass(row) },
          columns.map((column, place) => cellOf(column, place, row, i)),
        ),
      ),
    ),
  );
}

function cellOf({ name, cell, number }, place, row, i) {
  const inside = element("div", { class: "inside" }, cell(row, i));
  if (place === 0) return element("th", { scope: "row", role: "rowheader" }, inside);
  return element("td", { role: "cell", class: number && "number", "data-label": name }, inside);
}

/** A word that stands out, in a frame: never by its colour alone. */
export function badge(words, kind = "plain") {
  return element("span", { class: `badge ${kind}` }, words);
}
