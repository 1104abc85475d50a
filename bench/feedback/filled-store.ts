// Makes a store in which a project has been worked on: the project, its people, tokens for them, and a long log.
// Must not measure.

import { join } from "node:path";
import {
  type FeedbackStore,
  makeToken,
  type ProjectSettingsInput,
  type Role,
} from "../../lib/feedback/index.js";
import { openEmbeddedDatabase } from "../../lib/feedback/store/embedded-database.js";
import { openFeedbackStore } from "../../lib/feedback/store/open-store.js";
import { type Filled, fillStore } from "./fill-store.js";

export const PROJECT = "load";

export interface FilledStore {
  /** A folder that is empty or not there, or the URL of an empty database. */
  readonly store: string;
  readonly people: number;
  readonly judgements: number;
  /** Items that wait for judgements. */
  readonly open: number;
  readonly seed?: number;
  readonly settings?: ProjectSettingsInput;
  readonly progress?: (judgements: number) => void;
}

export interface Tokens {
  /** One for each person. */
  readonly people: readonly string[];
  readonly owner: string;
}

export function personName(person: number): string {
  return `person-${person}`;
}

export async function makeFilledStore(options: FilledStore): Promise<Filled & { readonly tokens: Tokens }> {
  const { store: place, judgements, open, seed = 1, progress } = options;
  const store = await openFeedbackStore({ store: place });
  let tokens: Tokens;
  try {
    tokens = await begin(store, options);
    if (store.kind === "postgres") {
      const filled = await fillStore({ database: store.reading, project: PROJECT, ...options, seed });
      return { ...filled, tokens };
    }
  } finally {
    await store.close();
  }
  const database = openEmbeddedDatabase({ file: join(place, "feedback.db") });
  try {
    const more = progress === undefined ? {} : { progress };
    const filled = await fillStore({ database, project: PROJECT, judgements, open, seed, ...more });
    return { ...filled, tokens };
  } finally {
    await database.destroy();
  }
}

async function begin(store: FeedbackStore, { people, settings = {} }: FilledStore): Promise<Tokens> {
  await store.write(PROJECT, "createProject", { project: PROJECT, name: "Load", settings });
  const tokenOf = async (role: Role, annotator?: string): Promise<string> => {
    const own = annotator === undefined ? {} : { annotator };
    const { text, row } = await makeToken({ role, project: PROJECT, name: role, ...own }, Date.now());
    await store.write(PROJECT, "keepToken", { row });
    return text;
  };
  const texts: string[] = [];
  for (let person = 0; person < people; person++) {
    const annotator = personName(person);
    await store.write(PROJECT, "addAnnotator", { annotator, name: `Name of ${annotator}` });
    texts.push(await tokenOf("annotator", annotator));
  }
  return { people: texts, owner: await tokenOf("owner") };
}
