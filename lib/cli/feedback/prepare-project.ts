// Makes a store ready to serve: the project, its items and guidelines, and a link for whoever started it.
// Must not serve.

import { readFileSync } from "node:fs";
import { fail, reasonOf } from "../../errors/index.js";
import {
  changeSettings,
  type FeedbackStore,
  guidelinesOf,
  makeToken,
  type NewToken,
  type ProjectSettingsInput,
  projectNames,
} from "../../feedback/index.js";

export interface PrepareProject {
  readonly store: FeedbackStore;
  /** Default: the store's only one, else "main". */
  readonly project: string | undefined;
  readonly name: string | undefined;
  /** Of a project that is new. */
  readonly settings?: ProjectSettingsInput;
  /** Also of one that is there. */
  readonly selector: ProjectSettingsInput["selector"];
}

export interface PreparedProject {
  readonly project: string;
  readonly isNew: boolean;
}

const FIRST_PROJECT = "main";

/** @throws ATTUNE_OPTION where several projects could be meant */
export async function prepareProject(options: PrepareProject): Promise<PreparedProject> {
  const { store, name, settings = {}, selector } = options;
  const known = (await projectNames(store.reading)).map(({ project }) => project);
  if (options.project === undefined && known.length > 1)
    throw fail("ATTUNE_OPTION", `Expected --project, as the store has several: ${known.join(", ")}.`);
  const project = options.project ?? known[0] ?? FIRST_PROJECT;
  const chosen = selector === undefined ? {} : { selector };
  if (known.includes(project)) {
    if (selector !== undefined) await changeSettings({ store, project, settings: chosen });
    return { project, isNew: false };
  }
  await store.write(project, "createProject", {
    project,
    name: name ?? project,
    settings: { ...settings, ...chosen },
  });
  return { project, isNew: true };
}

/** The version that is now the newest. */
export async function setGuidelinesOf(store: FeedbackStore, project: string, file: string): Promise<number> {
  return setGuidelines(store, project, readText(file, "--guidelines"));
}

export async function setGuidelines(store: FeedbackStore, project: string, text: string): Promise<number> {
  const newest = await guidelinesOf(store.reading, project);
  if (newest.text === text) return newest.version;
  return (await store.write(project, "setGuidelines", { text })).version;
}

function readText(file: string, flag: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw fail("ATTUNE_FILE", `Cannot read the file of ${flag}, ${file}: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
}

/** The token's text, which nobody can read again. */
export async function newToken(store: FeedbackStore, project: string, token: NewToken): Promise<string> {
  const { text, row } = await makeToken(token, Date.now());
  await store.write(project, "keepToken", { row });
  return text;
}

/** Behind the #, which browsers send to nobody. */
export function linkOf(url: string, token: string): string {
  return `${url.replace(/\/+$/, "")}/#token=${token}`;
}
