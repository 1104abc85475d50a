// Projects, guidelines, people and policies: what an owner sets up. Must not know items.

import { randomBytes } from "node:crypto";
import { fail } from "../../errors/index.js";
import { projectSettings } from "../project-settings.js";
import { beginLog } from "../store/event-log.js";
import type { OperationContext, OperationResources } from "./context.js";

export interface CreateProject {
  readonly project: string;
  readonly name: string;
  /** As ProjectSettingsInput; checked here. */
  readonly settings?: unknown;
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/;

export async function createProject(
  context: OperationContext,
  { project, name, settings = {} }: CreateProject,
  resources: OperationResources,
): Promise<{ readonly project: string }> {
  if (!NAME.test(project)) {
    const text = `Expected a project id of a-z, 0-9, ".", "_" and "-" but received ${JSON.stringify(project)}.`;
    throw fail("ATTUNE_OPTION", text, { details: { field: "project" } });
  }
  const read = readSettings(settings);
  await beginLog({ ...resources, project });
  await context.append("project.created", "owner", { name, settings: read });
  await context.writing
    .insertInto("secrets")
    .values({ project, name: "pseudonyms", value: randomBytes(32).toString("hex") })
    .execute();
  return { project };
}

function readSettings(settings: unknown) {
  const read = projectSettings.safeParse(settings);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = issue?.path.join(".") ?? "settings";
  throw fail("ATTUNE_OPTION", `settings.${field}: ${issue?.message ?? "is not allowed"}`, {
    details: { field },
  });
}

export async function changeProject(
  context: OperationContext,
  { settings }: { readonly settings: unknown },
): Promise<void> {
  const { read } = await context.knownProject();
  const given = settings as Record<string, unknown>;
  const { overlap } = given;
  const isPart = typeof overlap === "object" && overlap !== null && !Array.isArray(overlap);
  // What is not named stays, inside too.
  const changed = { ...read, ...given, ...(isPart ? { overlap: { ...read.overlap, ...overlap } } : {}) };
  await context.append("project.changed", "owner", { settings: readSettings(changed) });
}

/** A new version; judgements name the one that was shown. */
export async function setGuidelines(
  context: OperationContext,
  { text }: { readonly text: string },
): Promise<{ readonly version: number }> {
  const { guidelines } = await context.knownProject();
  const version = guidelines + 1;
  await context.append("project.guidelines", "owner", { version, text });
  return { version };
}

export interface AddAnnotator {
  readonly annotator: string;
  readonly name: string;
  /** Of one who is known it stays where none is told: a new name must not turn a simulated rater into a person. */
  readonly group?: string;
}

/** Adds a person, or changes name and group of one who is known. */
export async function addAnnotator(
  context: OperationContext,
  { annotator, name, group }: AddAnnotator,
): Promise<{ readonly annotator: string }> {
  const { annotator_count: number } = await context.knownProject();
  const known = await context.writing
    .selectFrom("annotators")
    .select(["name", "declared_group"])
    .where("project", "=", context.project)
    .where("annotator", "=", annotator)
    .executeTakeFirst();
  const declared = group ?? known?.declared_group ?? undefined;
  const own = declared === undefined ? {} : { group: declared };
  if (known === undefined)
    await context.append("annotator.added", "owner", { annotator, number, name, ...own });
  else if (known.name !== name || known.declared_group !== (declared ?? null))
    await context.append("annotator.changed", "owner", { annotator, name, ...own });
  return { annotator };
}

export interface RegisterPolicy {
  readonly policy: string;
  readonly model: string;
  readonly checkpoint?: string;
}

/** Before its answers arrive, so that they can name it. @throws ATTUNE_EXISTS for another policy of that id */
export async function registerPolicy(
  context: OperationContext,
  { policy, model, checkpoint }: RegisterPolicy,
): Promise<{ readonly number: number }> {
  const { policy_count: number } = await context.knownProject();
  const known = await context.writing
    .selectFrom("policies")
    .select(["number", "model", "checkpoint"])
    .where("project", "=", context.project)
    .where("policy", "=", policy)
    .executeTakeFirst();
  if (known !== undefined) {
    if (known.model === model && known.checkpoint === (checkpoint ?? null)) return { number: known.number };
    throw fail("ATTUNE_EXISTS", `Expected a new policy but "${policy}" is another one already.`);
  }
  const own = checkpoint === undefined ? {} : { checkpoint };
  await context.append("policy.registered", "trainer", { policy, number, model, ...own });
  return { number };
}
