// The loop that trains while people judge: how well the reward model foretold the newest votes before it was trained on
// them, and what the loop is doing. Must not fetch.

import { element } from "./dom.js";
import { count, counted, fixed, isKnown, moment, percent, range } from "./format.js";
import { axisHead, axisOf, intervalMark } from "./interval-mark.js";
import { table } from "./table.js";

const doings = {
  opening: "reading the store",
  predicting: "foretelling new votes",
  training: "training",
  scoring: "scoring open items",
  generating: "writing new answers",
  waiting: "waiting for judgements",
  ended: "ended",
};

const MOST_VERSIONS = 12;

export function loopPanel({ loop }) {
  const { doing, policy, rounds, waiting, trainAfter, lag, prequential, stopped, lastError } = loop;
  return [
    lastError &&
      element(
        "p",
        { class: "notice bad" },
        `The loop failed while ${doings[lastError.stage] ?? lastError.stage}, ${moment(lastError.time)}: ${lastError.message} (${lastError.code})`,
      ),
    stopped &&
      element(
        "p",
        { class: "notice warn" },
        `Nothing is trained any more since round ${stopped.round}: ${stoppedWords[stopped.reason] ?? stopped.reason}`,
      ),
    element(
      "p",
      { class: "lead" },
      prequential.all === null
        ? "No vote was foretold yet."
        : `${percent(prequential.all.accuracy)} of ${counted(prequential.all.votes, "vote")} on the random share were foretold, each before anything was trained on it (95% interval ${range(prequential.all.interval, percent)}).`,
    ),
    element(
      "dl",
      { class: "facts" },
      fact("Now", doings[doing] ?? doing),
      fact("Policy", policy === null ? "none yet" : `number ${policy.number}, ${policy.policy}`),
      fact("Rounds", count(rounds)),
      fact("Next round", `${count(waiting)} of ${count(trainAfter)} judgements`),
      fact(
        "Lag",
        isKnown(lag.mean)
          ? `${fixed(lag.mean, 1)} policies on average, ${count(lag.most)} at most; ${counted(lag.stale, "stale judgement")}`
          : "–",
      ),
    ),
    prequential.versions.length > 0 && versionTable(prequential.versions),
    prequential.groups?.length > 0 && groupTable(prequential.groups),
  ];
}

const stoppedWords = {
  gold: "people prefer the best policy so far to the newest.",
  kl: "the policy has gone as far from its start as it may.",
};

function fact(name, words) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, words));
}

/** What is right for all together may be wrong for a few. */
function groupTable(groups) {
  const axis = shareAxis();
  return table({
    caption: "Votes foretold, by group of annotators",
    captioned: true,
    rows: groups,
    columns: [
      { name: "Group", cell: ({ group }) => element("span", { class: "name" }, group) },
      { name: "Annotators", number: true, cell: ({ annotators }) => count(annotators) },
      ...foretold(axis),
    ],
  });
}

function shareAxis() {
  return axisOf({
    low: 0,
    high: 1,
    ticks: [
      [0, "0%"],
      [0.5, "50% coin"],
      [1, "100%"],
    ],
    lines: [0.5],
  });
}

function foretold(axis) {
  return [
    {
      name: "Foretold",
      number: true,
      cell: ({ accuracy, votes }) => `${percent(accuracy)} of ${count(votes)}`,
    },
    { name: "95% interval", number: true, cell: ({ interval }) => range(interval, percent) },
    {
      name: "On the axis",
      head: axisHead(axis),
      cell: ({ accuracy, interval }) => intervalMark({ value: accuracy, interval, axis }),
    },
  ];
}

function versionTable(versions) {
  const axis = shareAxis();
  return table({
    caption: "Votes foretold, by reward model, the newest first",
    captioned: true,
    rows: versions.slice(-MOST_VERSIONS).toReversed(),
    columns: [
      { name: "Reward model", cell: ({ version }) => element("span", { class: "name" }, version) },
      ...foretold(axis),
      { name: "Until", cell: ({ until }) => moment(until) },
    ],
  });
}
