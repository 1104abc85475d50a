// Opens a store by what people write: a folder, or the URL of a PostgreSQL database.

import { openEmbeddedStore } from "./embedded-store.js";
import { openPostgresStore } from "./postgres-store.js";
import type { FeedbackStore, StoreOptions } from "./store.js";

/** Which store is opened. */
export interface OpenStoreOptions extends StoreOptions {
  /** A folder, or postgres://… */
  readonly store: string;
}

/** An embedded store is made where there is none. @throws ATTUNE_STORE */
export function openFeedbackStore({ store, ...options }: OpenStoreOptions): Promise<FeedbackStore> {
  return /^postgres(ql)?:\/\//.test(store)
    ? openPostgresStore({ url: store, ...options })
    : openEmbeddedStore({ folder: store, ...options });
}
