// A small project with people and pairs, for tests of the store.

import type { ItemInput, JudgementValue } from "../../lib/feedback/judgement.js";
import type { Lease, Submitted } from "../../lib/feedback/operations/index.js";
import type { ProjectSettingsInput } from "../../lib/feedback/project-settings.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";

export const PROJECT = "shop";

/** No hidden checks, one judgement of each item: what a test wants more of it says. */
const plain: ProjectSettingsInput = { gold: 0, repeat: 0, overlap: { share: 0 } };

export async function sampleProject(
  store: FeedbackStore,
  {
    items = 4,
    people = 2,
    settings = {},
  }: { items?: number; people?: number; settings?: ProjectSettingsInput } = {},
): Promise<void> {
  await store.write(PROJECT, "createProject", {
    project: PROJECT,
    name: "Corner shop",
    settings: { ...plain, ...settings },
  });
  for (let person = 0; person < people; person++) await addPerson(store, personName(person));
  await store.write(PROJECT, "addItems", { items: Array.from({ length: items }, (_, i) => pairItem(i)) });
}

export function personName(person: number): string {
  return `person-${person}`;
}

export async function addPerson(store: FeedbackStore, annotator: string): Promise<void> {
  await store.write(PROJECT, "addAnnotator", { annotator, name: `Name of ${annotator}` });
}

export function pairItem(number: number): ItemInput {
  return {
    externalId: `pair-${number}`,
    prompt: `What is ${number} and one?`,
    answers: [
      { content: `${number + 1}`, model: "good-model", logProb: -1 },
      { content: `${number + 2}`, model: "bad-model", logProb: -2 },
    ],
  };
}

export async function lease(store: FeedbackStore, annotator: string): Promise<Lease> {
  const found = await store.write(PROJECT, "next", { annotator });
  if (found === null) throw new Error(`nothing is open to ${annotator}`);
  return found;
}

let keys = 0;

export function say(
  store: FeedbackStore,
  annotator: string,
  leased: string,
  values: readonly JudgementValue[] = [{ kind: "pair", choice: "left" }],
  key?: string,
): Promise<Submitted> {
  keys += 1;
  return store.write(PROJECT, "submit", {
    lease: leased,
    annotator,
    values,
    activeMs: 1500,
    keysUsed: true,
    key: key ?? `key-${keys}`,
    bodyHash: JSON.stringify(values),
  });
}
