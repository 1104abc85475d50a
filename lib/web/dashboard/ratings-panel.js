// Models by what people preferred: ratings with intervals, ranks, and how little would change them. Must not fetch.

import { element } from "./dom.js";
import { count, counted, fixed, isKnown, percent, range, signed } from "./format.js";
import { axisHead, axisOf, intervalMark } from "./interval-mark.js";
import { badge, table } from "./table.js";

export function ratingsPanel({ chosen: ratings }) {
  const { models, votes, bothBad, annotators, fewAnnotators, styles, tieStrength } = ratings;
  if (models.length === 0)
    return element(
      "p",
      { class: "none" },
      "No vote between two models yet. Ratings need pairs whose answers name different models.",
    );
  const groups = [...new Set(models.map(({ group }) => group))];
  return [
    element(
      "p",
      {},
      `${counted(votes, "vote")} of ${counted(annotators, "annotator")}; `,
      `in ${count(bothBad)} of them (${percent(bothBad / votes)}) both answers were bad, which counts as a tie.`,
    ),
    fewAnnotators &&
      element(
        "p",
        { class: "notice warn" },
        badge("few annotators", "warn"),
        ` ${counted(annotators, "annotator")}, fewer than ten: intervals are narrower than they should be.`,
      ),
    groups.length > 1 &&
      element(
        "p",
        { class: "notice warn" },
        badge("never compared", "warn"),
        ` There are ${groups.length} groups of models between which nobody has judged a pair, directly or through others. Their ratings say nothing of each other.`,
      ),
    groups.map((group, i) =>
      ratingTable(
        models.filter((one) => one.group === group),
        groups.length > 1 ? i + 1 : undefined,
      ),
    ),
    styles.length > 0 && styleTable(styles),
    isKnown(tieStrength) &&
      element(
        "p",
        {},
        `Between equals ${percent(tieStrength / (2 + tieStrength))} of the votes are ties (Davidson's ν = ${fixed(tieStrength)}).`,
      ),
    element(
      "p",
      { class: "hint" },
      "1000 points are the middle; 400 points are odds of ten to one. Intervals are over annotators and their prompts. Rank: one more than the models that are surely better.",
    ),
  ];
}

/** What answers gain by their form, which the ratings above are without. */
function styleTable(styles) {
  const units = {
    length: "twice as long",
    lists: "√ of list items",
    headings: "√ of headings",
    bold: "√ of bold parts",
  };
  return table({
    caption: "What style is worth, in log-odds",
    captioned: true,
    rows: styles,
    columns: [
      { name: "Style", cell: ({ style }) => style },
      { name: "One unit", cell: ({ style }) => units[style] ?? style },
      { name: "Worth", number: true, cell: ({ coefficient }) => element("b", {}, signed(coefficient)) },
      { name: "95% interval", number: true, cell: ({ interval }) => range(interval, signed) },
    ],
  });
}

function ratingTable(models, group) {
  const known = models
    .flatMap(({ rating, interval }) => [rating, interval.low, interval.high])
    .filter(isKnown);
  const [low, high] = [Math.floor(Math.min(...known) / 50) * 50, Math.ceil(Math.max(...known) / 50) * 50];
  const axis = axisOf({
    low,
    high,
    ticks: [
      [low, low],
      [high, high],
    ],
    lines: [1000],
  });
  return table({
    caption: group === undefined ? "Ratings of models" : `Ratings of models, group ${group}`,
    captioned: group !== undefined,
    rows: models,
    columns: [
      { name: "Model", cell: ({ model }) => element("span", { class: "name" }, model) },
      { name: "Rating", number: true, cell: ({ rating }) => element("b", { class: "big" }, count(rating)) },
      {
        name: "95% interval",
        number: true,
        cell: ({ interval }) => `${count(interval.low)} to ${count(interval.high)}`,
      },
      {
        name: "On the axis",
        head: axisHead(axis),
        cell: (one) => intervalMark({ value: one.rating, interval: one.interval, axis }),
      },
      { name: "Rank", number: true, cell: ({ rank }) => count(rank) },
      { name: "Votes", number: true, cell: ({ votes }) => count(votes) },
      { name: "Overtaken if gone", cell: fragilityWords },
    ],
  });
}

/** Of this model and the next below. */
function fragilityWords({ fragileVotes, fragileAnnotators }) {
  const parts = [
    isKnown(fragileVotes) && counted(fragileVotes, "vote"),
    isKnown(fragileAnnotators) && counted(fragileAnnotators, "annotator"),
  ].filter((part) => part !== false);
  return parts.length === 0 ? "–" : parts.join(" or ");
}
