// Whether people favour a side of the page, and when that is an alarm. Must not fetch.

import { element } from "./dom.js";
import { fixed, isKnown, percent, range, signed } from "./format.js";
import { axisOf, intervalMark } from "./interval-mark.js";

const LARGE = 0.2;

export function sidePanel({ people }) {
  const side = people?.side;
  if (!isKnown(side?.gamma) || people.annotators.every(({ judgements }) => judgements === 0))
    return element("p", { class: "none" }, "No pair has been judged yet.");
  const { gamma, interval, alarm } = side;
  return [
    element(
      "div",
      { class: alarm ? "notice bad" : "plain" },
      element("p", { class: "lead" }, verdictOf(side)),
      element(
        "p",
        {},
        `γ = ${signed(gamma)} log-odds for the left side, 95% interval ${range(interval, signed)}. `,
        `Between equal answers the left one is chosen ${percent(1 / (1 + Math.exp(-gamma)))} of the time.`,
      ),
      markOf(side),
    ),
    element(
      "p",
      { class: "hint" },
      `Alarm: the interval leaves out 0 and γ is beyond ±${fixed(LARGE, 1)}. Sides are drawn anew for each person, and ratings and labels already take γ out.`,
    ),
  ];
}

function markOf({ gamma, interval, alarm }) {
  const reach = Math.max(1, Math.ceil(Math.max(Math.abs(interval.low), Math.abs(interval.high))));
  const ticks = [
    [-reach, `−${reach} right`],
    [0, "0"],
    [reach, `+${reach} left`],
  ];
  const axis = axisOf({ low: -reach, high: reach, ticks, lines: [-LARGE, 0, LARGE] });
  return element(
    "div",
    { class: "with-axis" },
    intervalMark({ value: gamma, interval, axis, kind: alarm ? "bad" : "plain" }),
  );
}

function verdictOf({ gamma, interval, alarm }) {
  const favoured = gamma > 0 ? "left" : "right";
  if (alarm) return `Alarm: people favour the ${favoured} side.`;
  if (interval.low > 0 || interval.high < 0) return `A slight leaning to the ${favoured}: no alarm.`;
  return "No side is surely favoured.";
}
