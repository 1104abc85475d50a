// Items whose answers are text: what models of text score, and what rows of text are made of. Pure.

import type { FeedbackAnswer, TextAnswer } from "./judgement.js";
import { isText } from "./media/answer-content.js";
import type { ReadItem } from "./read-judgements.js";

export type TextItem = Omit<ReadItem, "answers"> & { readonly answers: readonly TextAnswer[] };

/** Undefined where one is an image or a clip. */
export function textAnswers(answers: readonly FeedbackAnswer[]): readonly TextAnswer[] | undefined {
  const texts = answers.flatMap(({ content, ...rest }) => (isText(content) ? [{ ...rest, content }] : []));
  return texts.length === answers.length ? texts : undefined;
}

/** Undefined where an answer is an image or a clip. */
export function textItem(item: ReadItem): TextItem | undefined {
  const answers = textAnswers(item.answers);
  return answers === undefined ? undefined : { ...item, answers };
}
