// What an operation on the store has at hand: a transaction, the time, the project's log and its open items.
// Must not know operations.

import { fail } from "../../errors/index.js";
import type { EventBodies, EventType, FeedbackEvent } from "../event.js";
import type { OpenItems } from "../open-items.js";
import { type ProjectSettings, projectSettings } from "../project-settings.js";
import { append, appendAll, holdLog, type NewEvent, unknownProject } from "../store/event-log.js";
import type { KnownProject } from "../store/known-project.js";
import type { OpenItemsCache } from "../store/open-items-cache.js";
import type { AssignmentsTable, ItemsTable, JudgementsTable, Writing } from "../store/tables.js";

export interface OperationResources {
  readonly writing: Writing;
  readonly now: number;
  readonly id: () => string;
  readonly cache: OpenItemsCache;
}

/** One call's hold on one project. */
export class OperationContext {
  private items: OpenItems | undefined;
  private held: number | undefined;
  private row: KnownProject | undefined;

  constructor(
    private readonly resources: OperationResources,
    readonly project: string,
  ) {}

  get writing(): Writing {
    return this.resources.writing;
  }
  get now(): number {
    return this.resources.now;
  }
  id(): string {
    return this.resources.id();
  }

  /**
   * Nobody else changes the project until the transaction ends: first of all that an operation does, so that what it reads
   * stays so. The last event's `seq`.
   */
  async hold(): Promise<number> {
    this.held ??= await holdLog(this.writing, this.project);
    return this.held;
  }

  /** Up to date. Holds the project. */
  async open(): Promise<OpenItems> {
    if (this.items === undefined) {
      const project = await this.knownProject();
      this.items = await this.resources.cache.upTo(this.writing, project, await this.hold());
    }
    return this.items;
  }

  async append<Type extends EventType>(
    type: Type,
    actor: string,
    body: EventBodies[Type],
  ): Promise<FeedbackEvent<Type>> {
    const event = await append({ ...this.resources, project: this.project }, type, actor, body);
    // An index that was not asked for catches up by the log.
    this.items?.follow(event as FeedbackEvent);
    this.held = event.seq;
    return event;
  }

  /** Many at once: much faster than one by one. */
  async appendAll(events: readonly NewEvent[]): Promise<readonly FeedbackEvent[]> {
    const written = await appendAll({ ...this.resources, project: this.project }, events);
    for (const event of written) this.items?.follow(event);
    this.held = written.at(-1)?.seq ?? this.held;
    return written;
  }

  /** As it was when the operation began. Holds the project. @throws ATTUNE_NOT_FOUND */
  async knownProject(): Promise<KnownProject> {
    this.row ??= await this.readProject();
    return this.row;
  }

  private async readProject(): Promise<KnownProject> {
    await this.hold();
    const row = await this.writing
      .selectFrom("projects")
      .selectAll()
      .where("project", "=", this.project)
      .executeTakeFirst();
    if (row === undefined) throw unknownProject(this.project);
    return { ...row, read: settingsOf(row.settings) };
  }

  /** @throws ATTUNE_NOT_FOUND */
  async knownItem(item: string): Promise<ItemsTable> {
    const row = await this.writing
      .selectFrom("items")
      .selectAll()
      .where("project", "=", this.project)
      .where("item", "=", item)
      .executeTakeFirst();
    if (row === undefined)
      throw fail("ATTUNE_NOT_FOUND", `Expected an item of the project but there is no "${item}".`);
    return row;
  }

  /** @throws ATTUNE_NOT_FOUND */
  async knownJudgement(judgement: string): Promise<JudgementsTable> {
    const row = await this.writing
      .selectFrom("judgements")
      .selectAll()
      .where("project", "=", this.project)
      .where("judgement", "=", judgement)
      .executeTakeFirst();
    if (row !== undefined) return row;
    throw fail("ATTUNE_NOT_FOUND", `Expected a judgement of the project but there is no "${judgement}".`);
  }

  /** @throws ATTUNE_NOT_FOUND where there is none, ATTUNE_LEASE where it is somebody else's */
  async knownAssignment(assignment: string, annotator: string): Promise<AssignmentsTable> {
    const row = await this.writing
      .selectFrom("assignments")
      .selectAll()
      .where("project", "=", this.project)
      .where("assignment", "=", assignment)
      .executeTakeFirst();
    if (row === undefined)
      throw fail("ATTUNE_NOT_FOUND", `Expected a lease of the project but there is no "${assignment}".`);
    if (row.annotator !== annotator)
      throw fail("ATTUNE_LEASE", "Expected a lease of your own but it was given to somebody else.");
    return { ...row, until: Number(row.until), created: Number(row.created) };
  }
}

/** Of the projects that are worked on: every call needs them. */
const MOST_SETTINGS = 100;
const settings = new Map<string, ProjectSettings>();

function settingsOf(text: string): ProjectSettings {
  const known = settings.get(text);
  if (known !== undefined) return known;
  const read = projectSettings.parse(JSON.parse(text));
  if (settings.size >= MOST_SETTINGS) settings.clear();
  settings.set(text, read);
  return read;
}
