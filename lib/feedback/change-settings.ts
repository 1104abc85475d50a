// Changes a project's settings, and what they change of items that are there. Must not know what a setting means.

import type { FeedbackStore } from "./store/store.js";

export interface ChangeSettings {
  readonly store: FeedbackStore;
  readonly project: string;
  /** Those that are not named stay. */
  readonly settings: unknown;
}

/**
 * Where more judgements of each item are wanted than before, items get them, a part at a time; fewer are wanted of new items
 * alone. @throws ATTUNE_OPTION naming the field, ATTUNE_NOT_FOUND
 */
export async function changeSettings({ store, project, settings }: ChangeSettings): Promise<void> {
  await store.write(project, "changeProject", { settings });
  const named = typeof settings === "object" && settings !== null && "overlap" in settings;
  for (let from: number | undefined = named ? 0 : undefined; from !== undefined; )
    ({ next: from } = await store.write(project, "widenItems", { from }));
}
