// How far the project is: figures, items by state, how fast judgements come, when the open items will be done.
// Must not fetch.

import { element, svg } from "./dom.js";
import { timeLeft } from "./estimate.js";
import { count, counted, duration } from "./format.js";
import { rateChart } from "./rate-chart.js";

const states = [
  ["open", "open: still asked of people"],
  ["enough", "enough: as many judgements as wanted"],
  ["disputed", "disputed: people do not agree"],
  ["closed", "closed: asked of nobody any more"],
];

export function progressPanel({ progress, hours }) {
  const { items, judgements, cannotCompare, skips, leases, lastHour, lastDay } = progress;
  const all = states.reduce((sum, [state]) => sum + items[state], 0);
  return [
    element(
      "dl",
      { class: "tiles" },
      tile("Judgements", count(judgements), besides(skips, cannotCompare)),
      tile("Last hour", count(lastHour), `${count(lastDay)} in 24 hours`),
      tile("Held now", count(leases), "items that people have before them"),
      tile("Items", count(all), `${count(items.open)} open`),
      tile("Done in", ...estimateWords(items.open, hours)),
    ),
    all === 0 ? null : stateBar(items, all),
  ];
}

function besides(skips, cannotCompare) {
  const incomparable = cannotCompare === 0 ? "" : `, ${counted(cannotCompare, "pair")} not comparable`;
  return counted(skips, "skip") + incomparable;
}

function tile(name, value, about) {
  const key = name.toLowerCase().replaceAll(" ", "-");
  return element(
    "div",
    { class: "tile" },
    element("dt", {}, name),
    element("dd", { class: "value", "data-figure": key }, value),
    element("dd", { class: "about" }, about),
  );
}

function estimateWords(open, hours) {
  if (hours === undefined) return ["–", ""];
  if (open === 0) return ["–", "nothing is open"];
  const { byHour, byDay } = timeLeft(hours);
  const wanted = `${counted(hours.wanted, "judgement")} wanted`;
  if (byDay === undefined) return ["–", `${wanted}; none came in the last 24 hours`];
  if (byHour === undefined) return [duration(byDay), `${wanted}, at the pace of the last 24 hours`];
  return [duration(byHour), `${wanted}; ${duration(byDay)} at the pace of the last 24 hours`];
}

/** The words beside it say the same. */
function stateBar(items, all) {
  let from = 0;
  const parts = states.map(([state]) => {
    const x = from;
    from += (100 * items[state]) / all;
    return svg("rect", { class: `state-${state}`, x, y: 0, width: Math.max(0, from - x), height: 10 });
  });
  return element(
    "div",
    { class: "states" },
    svg(
      "svg",
      { class: "state-bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      parts,
    ),
    element(
      "ul",
      { class: "legend" },
      states.map(([state, words]) =>
        element(
          "li",
          {},
          element("span", { class: `swatch state-${state}`, "aria-hidden": "true" }),
          element("b", { "data-figure": `items-${state}` }, count(items[state])),
          ` ${words}`,
        ),
      ),
    ),
  );
}

export function ratePanel({ hours, days }) {
  return element("div", { class: "pair" }, hours && rateChart(hours), days && rateChart(days));
}
