// Opens a store by what people write: a folder, or the URL of a PostgreSQL database.

import { openEmbeddedStore } from "./embedded-store.js";
import { openPostgresStore } from "./postgres-store.js";
import type { FeedbackStore, StoreOptions } from "./store.js";

export interface OpenStoreOptions extends StoreOptions {
  /** A folder, or postgres://… */
  readonly store: string;
}

export function openFeedbackStore({ store, ...options }: OpenStoreOptions): Promise<FeedbackStore> {
  return /^postgres(ql)?:\/\//.test(store)
    ? openPostgresStore({ url: store, ...options })
    : openEmbeddedStore({ folder: store, ...options });
}
