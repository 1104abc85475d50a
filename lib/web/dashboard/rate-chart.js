// Judgements over time as bars, with a table of the same numbers behind them. Must not fetch.

import { element, svg } from "./dom.js";
import { count, dayOf, hourOf, moment } from "./format.js";
import { table } from "./table.js";

const HEIGHT = 130;
const LEFT = 40;
const TOP = 10;
const BOTTOM = 22;

/** `rate`: what /v1/rate answers. */
export function rateChart(rate) {
  const words = rate.by === "hour" ? hourOf : dayOf;
  const title =
    rate.by === "hour" ? "Judgements an hour, last 48 hours" : "Judgements a day, last 30 days (UTC)";
  const place = element("div", { class: "bars" });
  const draw = (width) => place.replaceChildren(picture({ rate, width, words, title }));
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width > 0) draw(contentRect.width);
  }).observe(place);
  const filled = rate.buckets.filter(({ judgements }) => judgements > 0);
  return element(
    "figure",
    {},
    element("figcaption", {}, title, element("small", {}, "lighter: not over yet")),
    place,
    element(
      "details",
      { "data-key": `rate-${rate.by}` },
      element("summary", {}, "As a table"),
      table({
        caption: `${title}; those without any are left out`,
        rows: filled.toReversed(),
        columns: [
          { name: rate.by, cell: ({ from }) => (rate.by === "hour" ? moment(from) : dayOf(from)) },
          { name: "judgements", number: true, cell: ({ judgements }) => count(judgements) },
          { name: "not hidden checks", number: true, cell: ({ counted }) => count(counted) },
        ],
        none: "None in this time.",
      }),
    ),
  );
}

function picture({ rate: { buckets, by }, width, words, title }) {
  const most = Math.max(1, ...buckets.map(({ judgements }) => judgements));
  const top = niceTop(most);
  const inner = { width: width - LEFT - 4, height: HEIGHT - TOP - BOTTOM };
  const step = inner.width / buckets.length;
  const y = (value) => TOP + inner.height * (1 - value / top);
  const bars = buckets.map(({ from, judgements }, i) => {
    const x = LEFT + i * step;
    const name = `${by === "hour" ? moment(from) : words(from)}: ${count(judgements)}`;
    const attributes = {
      class: i === buckets.length - 1 ? "bar unfinished" : "bar",
      x: x + step * 0.12,
      width: step * 0.76,
    };
    return svg(
      "rect",
      { ...attributes, y: y(judgements), height: y(0) - y(judgements) },
      svg("title", {}, name),
    );
  });
  const lines = [0, top / 2, top].map((value) => [
    svg("line", { class: "ground", x1: LEFT, x2: width - 4, y1: y(value), y2: y(value) }),
    svg("text", { class: "word", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, count(value)),
  ]);
  const apart = Math.ceil(56 / step);
  const names = buckets.map(({ from }, i) => {
    // Counted from the end, so that now always has its name.
    if ((buckets.length - 1 - i) % apart !== 0) return null;
    const x = i === buckets.length - 1 ? width - 2 : LEFT + (i + 0.5) * step;
    return svg(
      "text",
      { class: "word", x, y: HEIGHT - 5, "text-anchor": i === buckets.length - 1 ? "end" : "middle" },
      words(from),
    );
  });
  const spoken = `${title}: at most ${count(most === 1 && !buckets.some(({ judgements }) => judgements) ? 0 : most)}`;
  const size = { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` };
  return svg("svg", { ...size, role: "img", "aria-label": spoken }, lines, bars, names);
}

/** An even number with one or two digits that are not 0, so that its half is whole. */
function niceTop(most) {
  const unit = 10 ** Math.floor(Math.log10(most));
  const nice = [1, 2, 4, 6, 8, 10].map((one) => one * unit).find((one) => one >= most) ?? most;
  return Math.max(2, nice % 2 === 0 ? nice : nice + 1);
}
