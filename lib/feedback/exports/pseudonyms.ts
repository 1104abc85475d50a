// Names of people in exports: the same for the same person of a project, and nobody's without the project's key.
// Must not write.

import { createHmac } from "node:crypto";
import { unknownProject } from "../store/event-log.js";
import type { Database } from "../store/tables.js";

/** @throws ATTUNE_NOT_FOUND */
export async function pseudonymsOf(
  reading: Database,
  project: string,
): Promise<(annotator: string) => string> {
  const row = await reading
    .selectFrom("secrets")
    .select("value")
    .where("project", "=", project)
    .where("name", "=", "pseudonyms")
    .executeTakeFirst();
  if (row === undefined) throw unknownProject(project);
  const key = Buffer.from(row.value, "hex");
  return (annotator) => `p-${createHmac("sha256", key).update(annotator).digest("hex").slice(0, 12)}`;
}
