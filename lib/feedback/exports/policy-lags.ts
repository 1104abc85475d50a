// How far a policy is behind the newest of its model, as the project's settings see it. Must not write.

import { projectSettings } from "../project-settings.js";
import { unknownProject } from "../store/event-log.js";
import type { Database } from "../store/tables.js";

export interface PolicyLags {
  /** More than the project's maxLag behind; policies that are not registered are of no age. */
  isStale(policy: string): boolean;
}

/** @throws ATTUNE_NOT_FOUND */
export async function policyLags(reading: Database, project: string): Promise<PolicyLags> {
  const row = await reading
    .selectFrom("projects")
    .select("settings")
    .where("project", "=", project)
    .executeTakeFirst();
  if (row === undefined) throw unknownProject(project);
  const { maxLag } = projectSettings.parse(JSON.parse(row.settings));
  const rows = await reading
    .selectFrom("policies")
    .select(["policy", "model"])
    .where("project", "=", project)
    .orderBy("number", "desc")
    .execute();
  const newer = new Map<string, number>();
  const stale = new Set<string>();
  for (const { policy, model } of rows) {
    const lag = newer.get(model) ?? 0;
    if (lag > maxLag) stale.add(policy);
    newer.set(model, lag + 1);
  }
  return { isStale: (policy) => stale.has(policy) };
}
