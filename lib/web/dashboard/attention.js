// What an owner should look at now, in words, with where to go; for a new project, what to do next. Must not fetch.

import { element } from "./dom.js";
import { count, counted, percent, range, signed } from "./format.js";
import { badge } from "./table.js";

/** `{ kind: "bad" | "warn" | "plain", label, words, to }`, the gravest first. */
export function findings({ progress, people, ratings, loop, gold }) {
  const found = [];
  const say = (kind, label, words, to) => found.push({ kind, label, words, to });
  const judged = progress.judgements > 0;
  for (const { flagged, name, annotator, gold: share } of people?.annotators ?? [])
    if (flagged)
      say(
        "bad",
        "Flagged",
        `${name ?? annotator} was right on ${count(share.right)} of ${count(share.count)} gold items: in truth at most ${percent(share.interval.high)}, and 80% is expected. Nothing was left out by itself.`,
        "people",
      );
  if (people?.side?.alarm) {
    const { gamma, interval } = people.side;
    say(
      "bad",
      "Side bias",
      `People favour the ${gamma > 0 ? "left" : "right"} side: γ = ${signed(gamma)}, ${range(interval, signed)}.`,
      "quality",
    );
  }
  if (loop?.lastError) say("bad", "Loop", `It failed: ${loop.lastError.message} More is said below.`);
  if (progress.items.disputed > 0)
    say(
      "warn",
      "Disputed",
      `${counted(progress.items.disputed, "item")} on which people do not agree: look, then close or make gold.`,
      "items",
    );
  if (judged && ratings?.models.length > 0 && ratings.fewAnnotators)
    say(
      "warn",
      "Few people",
      `Ratings rest on ${counted(ratings.annotators, "annotator")}; with fewer than ten their intervals are too narrow.`,
      "quality",
    );
  if (judged && gold === 0)
    say(
      "warn",
      "No gold",
      "No item has a known answer: careless people cannot be told from careful ones. Mark 20 or more that are certain.",
      "items",
    );
  if (judged && progress.items.open === 0)
    say("plain", "Idle", "Nothing is open: people find nothing to do. Add items.", "items");
  return found;
}

const steps = [
  {
    name: "Write guidelines",
    about: "What better means here, with an example or two. People see them before they begin.",
    to: "setup",
    isDone: ({ guidelines }) => guidelines > 0,
  },
  {
    name: "Add items",
    about: "Prompts with the answers to be judged.",
    to: "items",
    isDone: ({ progress }) => Object.values(progress.items).some((number) => number > 0),
  },
  {
    name: "Invite people",
    about: "Each gets a link of their own; there is nothing to install.",
    to: "people",
    isDone: ({ people }) => (people?.annotators.length ?? 0) > 0,
  },
];

/** Undefined once people judge. */
export function nextSteps(facts) {
  if (facts.progress.judgements > 0) return undefined;
  const next = steps.findIndex(({ isDone }) => !isDone(facts));
  return [
    element(
      "p",
      {},
      next < 0
        ? "Everything is ready: figures appear as soon as somebody has judged something."
        : "A new project. What to do next:",
    ),
    element(
      "ol",
      { class: "steps" },
      steps.map((step, i) => {
        const done = step.isDone(facts);
        return element(
          "li",
          { class: done ? "done" : i === next ? "next" : undefined },
          element("a", { href: `#${step.to}`, "data-key": `step-${step.to}` }, step.name),
          " ",
          badge(done ? "done" : i === next ? "next" : "later", done ? "good" : "plain"),
          element("p", {}, step.about),
        );
      }),
    ),
  ];
}

export function attentionPanel(facts, mayChange) {
  const found = findings(facts);
  if (found.length > 0)
    return element(
      "ul",
      { class: "findings" },
      found.map(({ kind, label, words, to }) =>
        element(
          "li",
          { class: kind },
          badge(label, kind),
          " ",
          words,
          " ",
          to !== undefined &&
            element(
              "a",
              { href: `#${to}`, "data-key": `finding-${label}-${words.length}` },
              `Go to ${places[to]}`,
            ),
        ),
      ),
    );
  const steps = mayChange ? nextSteps(facts) : undefined;
  return (
    steps ??
    element(
      "p",
      { class: "none" },
      facts.progress.judgements === 0 ? "Nothing was judged yet." : "Nothing needs you just now.",
    )
  );
}

const places = {
  people: "people",
  quality: "quality",
  items: "items",
  setup: "set-up",
};
