// What an owner has set up of a project: its name, settings, guidelines' version, and tokens without their secrets.
// Must not write.

import { type ProjectSettings, projectSettings } from "./project-settings.js";
import { unknownProject } from "./store/event-log.js";
import type { Database } from "./store/tables.js";
import type { Role } from "./tokens.js";

/** A project as its owner has set it up. */
export interface ReadProject {
  readonly project: string;
  readonly name: string;
  readonly settings: ProjectSettings;
  /** 0: none were ever written. */
  readonly guidelines: number;
  readonly created: number;
}

/** @throws ATTUNE_NOT_FOUND */
export async function readProject(reading: Database, project: string): Promise<ReadProject> {
  const row = await reading
    .selectFrom("projects")
    .selectAll()
    .where("project", "=", project)
    .executeTakeFirst();
  if (row === undefined) throw unknownProject(project);
  return {
    project,
    name: row.name,
    settings: projectSettings.parse(JSON.parse(row.settings)),
    guidelines: Number(row.guidelines),
    created: Number(row.created),
  };
}

/** A token without what opens it. */
export interface ListedToken {
  readonly token: string;
  readonly role: Role;
  /** What it is for. */
  readonly name: string;
  /** Whom it belongs to. */
  readonly annotator?: string;
  readonly created: number;
  readonly expires?: number;
  readonly revoked?: number;
}

/** Those of the project, the newest first. Tokens of every project are not the project's. */
export async function listTokens(reading: Database, project: string): Promise<readonly ListedToken[]> {
  const rows = await reading
    .selectFrom("tokens")
    .select(["token", "role", "name", "annotator", "created", "expires", "revoked"])
    .where("project", "=", project)
    .orderBy("created", "desc")
    .orderBy("token")
    .execute();
  return rows.map(({ token, role, name, annotator, created, expires, revoked }) => ({
    token,
    role,
    name,
    ...(annotator === null ? {} : { annotator }),
    created: Number(created),
    ...(expires === null ? {} : { expires: Number(expires) }),
    ...(revoked === null ? {} : { revoked: Number(revoked) }),
  }));
}
