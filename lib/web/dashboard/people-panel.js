// What is known of each annotator, with those who are flagged said in words. Must not fetch.

import { element } from "./dom.js";
import { count, counted, duration, isKnown, percent, range, signed } from "./format.js";
import { axisHead, axisOf, intervalMark } from "./interval-mark.js";
import { badge, table } from "./table.js";

const LEAST_ACCURACY = 0.8;

/** `invite(annotator, name)`: makes another link; absent for those who may not. */
export function peoplePanel({ people }, invite) {
  const axis = axisOf({
    low: 0,
    high: 1,
    ticks: [
      [0, "0%"],
      [LEAST_ACCURACY, "80%"],
      [1, ""],
    ],
    lines: [LEAST_ACCURACY],
  });
  const share = (one) =>
    one === undefined
      ? "–"
      : [percent(one.right / one.count), element("small", {}, `${count(one.right)} of ${count(one.count)}`)];
  return [
    table({
      caption: "Annotators",
      rows: people.annotators,
      rowClass: ({ flagged }) => flagged && "flagged",
      none: "Nobody yet. Invite somebody below.",
      columns: [
        { name: "Annotator", cell: nameCell },
        {
          name: "Judgements",
          number: true,
          cell: ({ judgements, skips }) => [
            count(judgements),
            skips > 0 && element("small", {}, counted(skips, "skip")),
          ],
        },
        { name: "Median time", number: true, cell: ({ medianMs }) => duration(medianMs) },
        {
          name: "Gold right",
          number: true,
          cell: ({ gold }) => [share(gold), gold && element("small", {}, range(gold.interval, percent))],
        },
        {
          name: "Gold, 95% interval",
          head: axisHead(axis),
          cell: ({ gold, flagged }) =>
            gold === undefined
              ? "–"
              : intervalMark({
                  value: gold.right / gold.count,
                  interval: gold.interval,
                  axis,
                  kind: flagged ? "bad" : "plain",
                }),
        },
        { name: "Same again", number: true, cell: ({ repeats }) => share(repeats) },
        { name: "Reliability", number: true, cell: ({ reliability }) => percent(reliability) },
        {
          name: "Own side bias",
          number: true,
          cell: ({ sideBias }) => (isKnown(sideBias) ? signed(sideBias) : "–"),
        },
        ...(invite === undefined
          ? []
          : [
              {
                name: "Link",
                cell: ({ annotator, name }) =>
                  element(
                    "button",
                    {
                      type: "button",
                      class: "small",
                      "data-key": `link-${annotator}`,
                      "aria-label": `New link for ${name}`,
                      on: { click: () => invite(annotator, name) },
                    },
                    "New link",
                  ),
              },
            ]),
      ],
    }),
    people.groups.length > 0 && groupTable(people.groups),
    element(
      "p",
      { class: "hint" },
      "Flagged: surely right on fewer than eight in ten gold items (the upper end of the interval is below 80%). Same again: own items shown a second time, sides swapped. Reliability: the probability of a right vote, from gold and the others; 50% is a coin and weighs nothing in labels. Own side bias: log-odds for the left beyond everybody's.",
    ),
  ];
}

function groupTable(groups) {
  return table({
    caption: "Groups of annotators",
    captioned: true,
    rows: groups,
    columns: [
      { name: "Group", cell: ({ group }) => element("span", { class: "name" }, group) },
      { name: "Annotators", number: true, cell: ({ annotators }) => count(annotators) },
      { name: "Judgements", number: true, cell: ({ judgements }) => count(judgements) },
      {
        name: "Prefers what all prefer",
        number: true,
        cell: ({ withAll }) =>
          withAll === undefined
            ? "–"
            : [
                `${percent(withAll.right / withAll.count)} of ${counted(withAll.count, "pair")}`,
                element("small", {}, range(withAll.interval, percent)),
              ],
      },
    ],
  });
}

function nameCell({ annotator, name, group, flagged, gold }) {
  return [
    element("span", { class: "name" }, name ?? annotator),
    group && element("small", {}, `group ${group}`),
    flagged &&
      element(
        "small",
        { class: "flag" },
        badge("Flagged", "bad"),
        ` at most ${percent(gold.interval.high)} right on gold`,
      ),
  ];
}
