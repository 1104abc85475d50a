// What has happened in a project: the truth of the store, one event after another. Bodies are small and complete: what is
// shown is folded from them alone (store/fold.ts). Must not know the store.

import type { Ask, FeedbackAnswer, FeedbackContent, JudgementValue, SkipReason } from "./judgement.js";
import type { ProjectSettings } from "./project-settings.js";
import type { ItemState, Purpose } from "./states.js";

export interface EventBodies {
  "project.created": { readonly name: string; readonly settings: ProjectSettings };
  "project.changed": { readonly settings: ProjectSettings };
  "project.guidelines": { readonly version: number; readonly text: string };
  "item.added": {
    readonly item: string;
    readonly number: number;
    readonly externalId?: string;
    readonly asks: readonly Ask[];
    readonly prompt: FeedbackContent;
    readonly answers: readonly FeedbackAnswer[];
    readonly metadata?: Readonly<Record<string, unknown>>;
    readonly promptHash: string;
    readonly split: "train" | "valid" | "test";
    readonly priority: number;
    readonly unsafe: boolean;
    readonly slots: number;
    /** Default "open"; "enough" of one that came with judgements. */
    readonly state?: ItemState;
  };
  /** More judgements are wanted, or it has enough, or people cannot agree. */
  "item.changed": {
    readonly item: string;
    readonly state: ItemState;
    readonly slots: number;
    /** Where settings want more of it than when it was added. */
    readonly planned?: number;
  };
  "item.closed": { readonly item: string };
  /** What a model, or whoever selects, thinks is worth asking. */
  "items.prioritised": { readonly priorities: readonly (readonly [item: string, priority: number])[] };
  "gold.set": { readonly item: string; readonly right: readonly JudgementValue[] | null };
  "annotator.added": {
    readonly annotator: string;
    readonly number: number;
    readonly name: string;
    readonly group?: string;
  };
  "annotator.changed": { readonly annotator: string; readonly name: string; readonly group?: string };
  "policy.registered": {
    readonly policy: string;
    readonly number: number;
    readonly model: string;
    readonly checkpoint?: string;
  };
  "assignment.leased": {
    readonly assignment: string;
    readonly item: string;
    readonly annotator: string;
    readonly purpose: Purpose;
    readonly until: number;
    /** The answers in the order in which they are shown. */
    readonly shown: readonly number[];
    readonly propensity: number;
    readonly available: number;
    readonly random: boolean;
    readonly guidelines: number;
    /** The item is marked unsafe: of those one person gets so many a day. */
    readonly unsafe?: boolean;
  };
  "assignment.renewed": { readonly assignment: string; readonly until: number };
  "assignment.expired": {
    readonly assignment: string;
    readonly item: string;
    readonly annotator: string;
    readonly takes: number;
  };
  "assignment.skipped": {
    readonly assignment: string;
    readonly item: string;
    readonly annotator: string;
    readonly reason: SkipReason;
    readonly note?: string;
    readonly takes: number;
    readonly priority: number;
  };
  "judgement.created": {
    readonly judgement: string;
    readonly assignment: string;
    readonly item: string;
    readonly annotator: string;
    readonly purpose: Purpose;
    readonly values: readonly JudgementValue[];
    /** False: it came when the slot was gone. */
    readonly counts: boolean;
    /** Of the item's slots, over what the lease held already. */
    readonly takes: number;
    readonly activeMs: number;
    readonly keysUsed: boolean;
    /** The judgement that this one replaces. */
    readonly supersedes?: string;
  };
  /** Said elsewhere and read from a file: by people ("import") or programs ("ai"). No slot was waited for, nothing drawn. */
  "judgement.imported": {
    readonly judgement: string;
    readonly assignment: string;
    readonly item: string;
    readonly annotator: string;
    readonly purpose: "import" | "ai";
    readonly values: readonly JudgementValue[];
    /** Which answers of the item the values' positions stand for; nobody knows what stood on which side. */
    readonly shown: readonly number[];
    /** Of the item's slots: programs take none. */
    readonly takes: number;
    readonly activeMs: number;
    /** When it was said, where the file tells. */
    readonly judgedAt?: number;
  };
  "judgement.withdrawn": {
    readonly judgement: string;
    readonly assignment: string;
    readonly item: string;
    readonly takes: number;
    /** It has been given out in an export: trainers must drop its rows. */
    readonly exported: boolean;
    readonly supersededBy?: string;
  };
  /** The only thing that changes an event: what it held is gone. */
  "payload.redacted": {
    readonly of: number;
    readonly item?: string;
    readonly judgement?: string;
    /** The assignment that was skipped with a note. */
    readonly skip?: string;
  };
  "weights.fitted": { readonly reliability: Readonly<Record<string, number>> };
}

/** What can happen in a project. */
export type EventType = keyof EventBodies;

/** An event as it is read back. */
export type FeedbackEvent<Type extends EventType = EventType> = {
  readonly [Key in Type]: {
    readonly project: string;
    readonly seq: number;
    readonly id: string;
    /** Milliseconds since 1970; never less than the event's before. */
    readonly time: number;
    readonly type: Key;
    /** Who did it: an annotator, "owner", "trainer" or "service". */
    readonly actor: string;
    readonly body: EventBodies[Key];
  };
}[Type];

/** Of the bodies' form. */
export const EVENT_VERSION = 1;
