// The questions that an item asks, as parts of the page. Must not know where they stand.

import { bestQuestion } from "./best.js";
import { commentQuestion } from "./comment.js";
import { lastText } from "./content-view.js";
import { editQuestion } from "./edit.js";
import { pairQuestion } from "./pair.js";
import { rankingQuestion } from "./ranking.js";
import { ratingQuestion } from "./rating.js";
import { spanQuestion } from "./span.js";
import { thumbQuestion } from "./thumb.js";

const LONGEST_PREVIEW = 70;

/**
 * Each question has `kind`, `keys` (what they do), `missing()` (what is to be done, in words), `values()` (what is filled in so
 * far), `restore(values)` and `press(key)` (whether it was its own). It stands in `bar`, `whole`, `side` or `under(answer)`.
 * `changed` is told when somebody changes one.
 */
export function questionsOf({ asks, answers }, changed) {
  const of = (kind) => asks.filter((ask) => ask.kind === kind);
  const count = answers.length;
  const texts = answers.map(lastText);
  const made = {
    pair: (ask) => pairQuestion({ ask, clips: answers.every(({ type }) => type === "clip"), changed }),
    ranking: (ask) =>
      ask.top === 1
        ? bestQuestion({ count, changed })
        : rankingQuestion({ top: ask.top, previews: texts.map(preview), changed }),
    rating: () => ratingQuestion({ asks: of("rating"), count, changed }),
    thumb: () => thumbQuestion({ count, changed }),
    edit: (ask) => editQuestion({ ask, texts, changed }),
    span: () => {
      const tags = [...new Set(of("span").flatMap((ask) => ask.tags))];
      return spanQuestion({ tags, texts, needed: asks.every(({ kind }) => kind === "span"), changed });
    },
    comment: (ask) => commentQuestion({ ask, count, changed }),
  };
  // One question for each kind, in the order in which they are asked; a comment comes last.
  const kinds = [...new Set(asks.map(({ kind }) => kind))].filter((kind) => kind !== "comment");
  return [...kinds, "comment"].map((kind) => made[kind](required(of(kind))));
}

/** Of several asks of a kind the strictest counts. */
function required(asks) {
  return asks.find((ask) => ask.required === true || ask.strength === true) ?? asks[0];
}

function preview(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > LONGEST_PREVIEW ? `${line.slice(0, LONGEST_PREVIEW)}…` : line;
}
