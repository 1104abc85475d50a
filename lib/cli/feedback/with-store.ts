// Opens a store for one command and closes it again; finds the project that is meant. Must not know a command.

import { existsSync } from "node:fs";
import { fail } from "../../errors/index.js";
import { type FeedbackStore, openFeedbackStore, projectNames } from "../../feedback/index.js";

/** A folder or a URL, as `--store` takes it. */
export async function withStore<Result>(
  place: string,
  work: (store: FeedbackStore) => Promise<Result>,
): Promise<Result> {
  // Only serve makes a store: whoever mistypes a folder should hear of it.
  if (!isUrl(place) && !existsSync(place))
    throw fail(
      "ATTUNE_FILE",
      `Expected --store to be a store's folder but there is no ${place}. attune feedback serve makes one.`,
    );
  const store = await openFeedbackStore({ store: place });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

export function isUrl(place: string): boolean {
  return /^[a-z]+:\/\//.test(place);
}

/** What `--project` names, or the only one. @throws ATTUNE_NOT_FOUND, or ATTUNE_OPTION where several could be meant */
export async function projectOf(store: FeedbackStore, asked: string | undefined): Promise<string> {
  const known = (await projectNames(store.reading)).map(({ project }) => project);
  if (asked !== undefined) {
    if (known.includes(asked)) return asked;
    const there = known.length === 0 ? "it has none" : `there are ${known.join(", ")}`;
    throw fail("ATTUNE_NOT_FOUND", `Expected --project to be one of the store but ${there}.`);
  }
  const [only] = known;
  if (only !== undefined && known.length === 1) return only;
  if (only === undefined)
    throw fail(
      "ATTUNE_NOT_FOUND",
      "Expected a store with a project but it has none. attune feedback serve makes one.",
    );
  throw fail("ATTUNE_OPTION", `Expected --project, as the store has several: ${known.join(", ")}.`);
}
