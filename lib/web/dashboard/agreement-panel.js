// How far people agree beyond chance, for each kind of judgement. Percent is never alone: chance makes it large by itself.
// Must not fetch.

import { element } from "./dom.js";
import { count, fixed, isKnown, percent, range } from "./format.js";
import { axisHead, axisOf, intervalMark } from "./interval-mark.js";
import { badge, table } from "./table.js";

const FEW_UNITS = 20;

const levels = {
  nominal: "same or not",
  ordinal: "by order",
  interval: "by distance",
  ratio: "by ratio",
};

export function agreementPanel({ agreement }) {
  const axis = axisOf({
    low: 0,
    high: 1,
    ticks: [
      [0, "0 chance"],
      [1, "1 all agree"],
    ],
    lines: [0, 0.667],
  });
  return [
    element(
      "p",
      { class: "hint" },
      "Krippendorff's alpha: 1 when all agree, 0 when no more than by chance. Of items that were drawn to be judged by several people. The line at 0.667 is where figures begin to be relied upon by custom; opinions of taste often stay below.",
    ),
    table({
      caption: "Agreement by kind of judgement",
      rows: agreement.flatMap(withGroups),
      none: "No two people have judged the same item yet. A random share of items is asked of several people (setting overlap), so this fills by itself.",
      columns: [
        { name: "Kind", cell: ({ of, group }) => (group === undefined ? of : inGroup(group, of)) },
        { name: "Alpha", number: true, cell: ({ alpha }) => element("b", { class: "big" }, fixed(alpha)) },
        { name: "95% interval", number: true, cell: ({ interval }) => range(interval) },
        {
          name: "On the axis",
          head: axisHead(axis),
          cell: ({ alpha, interval }) => intervalMark({ value: alpha, interval, axis }),
        },
        { name: "Reading", cell: readingOf },
        {
          name: "Same, chance included",
          number: true,
          cell: ({ percent: share, tau }) => [percent(share), isKnown(tau) && ` (tau-b ${fixed(tau)})`],
        },
        {
          name: "From",
          cell: ({ units, values, level }) =>
            `${count(units)} units, ${count(values)} values, ${levels[level]}`,
        },
      ],
    }),
  ];
}

/** All together may agree where a few do not, or the other way round: each group stands below. */
function withGroups(one) {
  const groups = Object.entries(one.byGroup ?? {});
  return [one, ...groups.map(([group, measured]) => ({ ...measured, of: one.of, level: one.level, group }))];
}

/** Cards of narrow screens stand alone: each says its kind. */
function inGroup(group, of) {
  return [element("span", { class: "name" }, group), element("small", {}, `${of}, this group alone`)];
}

function readingOf({ alpha, interval, degenerate, units }) {
  if (degenerate)
    return [
      badge("no variation", "warn"),
      " everybody always said the same: nothing shows whether they could tell",
    ];
  const few = units < FEW_UNITS ? [badge("few", "warn"), " "] : [];
  if (isKnown(interval?.low) && interval.low <= 0)
    return [few, isKnown(interval?.high) && interval.high < 0 ? "less than by chance" : "may be chance"];
  if (alpha < 0.4) return [few, "weak"];
  if (alpha < 0.667) return [few, "fair"];
  return [few, alpha < 0.8 ? "good" : "strong"];
}
