// Comments and marked spans as a row's metadata, by the names that its columns give to answers. Pure.

import type { ReadJudgement } from "../read-judgements.js";

/** What the row calls an answer of the item: "chosen", a place; undefined: it is not in the row. */
export type AnswerName = (answer: number) => string | number | undefined;

/** `{ metadata: { comments, spans } }`, or nothing where nobody wrote or marked anything. */
export function notesOf(judgements: readonly ReadJudgement[], nameOf: AnswerName) {
  const comments: object[] = [];
  const spans: object[] = [];
  for (const { values, shown } of judgements)
    for (const value of values) {
      if (value.kind === "comment" && value.answer === undefined) comments.push({ text: value.text });
      if ((value.kind !== "comment" && value.kind !== "span") || value.answer === undefined) continue;
      const answer = nameOf(shown[value.answer] ?? -1);
      if (answer === undefined) continue;
      if (value.kind === "comment") comments.push({ answer, text: value.text });
      else spans.push({ answer, start: value.start, end: value.end, tag: value.tag });
    }
  if (comments.length + spans.length === 0) return {};
  const written = comments.length === 0 ? {} : { comments };
  return { metadata: { ...written, ...(spans.length === 0 ? {} : { spans }) } };
}
