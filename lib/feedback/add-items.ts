// Adds many items a part at a time, so that people who judge meanwhile do not wait. Must not know how one is added.

import { takeMedia } from "./media/take-media.js";
import { type AddedItems, checkAsks, readItem } from "./operations/items.js";
import { readProject } from "./read-project.js";
import type { FeedbackStore } from "./store/store.js";

export interface AddManyItems {
  readonly store: FeedbackStore;
  readonly project: string;
  /** As ItemInput; checked here, all of them before the first is written. */
  readonly items: readonly unknown[];
}

/** Items written together; others' calls have their turn in between. */
const ITEMS_TOGETHER = 200;

/**
 * Items whose externalId is known are reported, not added. Parts that were written stay where a later one fails: send it again.
 * @throws ATTUNE_DATA, ATTUNE_MEDIA naming the item and field, ATTUNE_NOT_FOUND
 */
export async function addItems({ store, project, items }: AddManyItems): Promise<AddedItems> {
  const { settings } = await readProject(store.reading, project);
  for (const [place, given] of items.entries()) {
    const read = readItem(place, given);
    checkAsks(read.asks ?? settings.asks, read, place);
    takeMedia(read.answers, `items[${place}].answers`);
  }
  const added: AddedItems["items"][number][] = [];
  for (let from = 0; from < items.length; from += ITEMS_TOGETHER) {
    const part = items.slice(from, from + ITEMS_TOGETHER);
    added.push(...(await store.write(project, "addItems", { items: part, from })).items);
  }
  return { items: added };
}
