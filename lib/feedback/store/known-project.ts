// A project as operations know it. Types only.

import type { ProjectSettings } from "../project-settings.js";
import type { ProjectsTable } from "./tables.js";

/** A project's row with its settings read. */
export interface KnownProject extends ProjectsTable {
  readonly read: ProjectSettings;
}
