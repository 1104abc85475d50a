// Helpers for a product's own server: what its users do with answers (thumbs, choices, edits) goes into the store.
// Must not serve anything.

import type { FeedbackContent, ItemInput, JudgementValue } from "./judgement.js";
import type { Captured } from "./operations/index.js";
import type { FeedbackStore } from "./store/store.js";

/** An answer, or what is known of it besides: `{ content, model, checkpoint, policy, … }`. */
export type CapturedAnswer = FeedbackContent | ItemInput["answers"][number];

interface CapturedOf {
  /** Who it was, by an id of the product; the store keeps a hash of it. */
  readonly user: string;
  /** What the product calls this answer, or this choice. Default: prompt and answers themselves. */
  readonly id?: string;
  readonly prompt: FeedbackContent;
}

/** A user liked an answer or did not. */
export interface CapturedThumb extends CapturedOf {
  readonly answer: CapturedAnswer;
  readonly up: boolean;
}

/** A user took one of several answers. */
export interface CapturedChoice extends CapturedOf {
  readonly answers: readonly CapturedAnswer[];
  /** Place of the answer that was taken, from 0; of two, also that neither was better. */
  readonly chosen: number | "tie" | "both_good" | "both_bad";
}

/** A user corrected an answer. */
export interface CapturedEdit extends CapturedOf {
  readonly answer: CapturedAnswer;
  /** What the user made of it. */
  readonly text: string;
}

/** What a product calls when its users react; each call ends when it is kept. */
export interface CaptureThumbs {
  thumb(thumb: CapturedThumb): Promise<Captured>;
  choice(choice: CapturedChoice): Promise<Captured>;
  edit(edit: CapturedEdit): Promise<Captured>;
}

/** Where captured reactions are kept. */
export interface CaptureThumbsOptions {
  readonly store: FeedbackStore;
  readonly project: string;
}

/**
 * Functions that a product's server calls when its users say something of an answer. Each is safe to call again: the same is
 * kept once, and a user who says something else replaces what they said.
 */
export function captureThumbs({ store, project }: CaptureThumbsOptions): CaptureThumbs {
  const capture = (of: CapturedOf, answers: readonly CapturedAnswer[], value: JudgementValue) =>
    store.write(project, "capture", {
      user: of.user,
      prompt: of.prompt,
      ...(of.id === undefined ? {} : { id: of.id }),
      answers: answers.map(answerOf),
      value,
    });
  return {
    thumb: ({ answer, up, ...of }) => capture(of, [answer], { kind: "thumb", answer: 0, up }),
    choice: ({ answers, chosen, ...of }) => capture(of, answers, choiceOf(answers.length, chosen)),
    edit: ({ answer, text, ...of }) => capture(of, [answer], { kind: "edit", answer: 0, text }),
  };
}

function answerOf(answer: CapturedAnswer): ItemInput["answers"][number] {
  return typeof answer === "string" || Array.isArray(answer)
    ? { content: answer }
    : (answer as { content: string });
}

/** Of two a pair; of more the best of them, and nothing of the rest. */
function choiceOf(count: number, chosen: CapturedChoice["chosen"]): JudgementValue {
  if (typeof chosen !== "number") return { kind: "pair", choice: chosen };
  if (count === 2 && (chosen === 0 || chosen === 1))
    return { kind: "pair", choice: chosen === 0 ? "left" : "right" };
  return { kind: "ranking", tiers: [[chosen]] };
}
