// How the tables came to be, step by step; both databases take the same steps. A step that was released is never changed.
// Must not read rows.

import { type Kysely, type Migration, Migrator, sql } from "kysely";
import { fail, reasonOf } from "../../errors/index.js";
import type { Database } from "./tables.js";

/** Brings a database to the newest form. @throws ATTUNE_STORE naming the step that failed */
export async function migrate(database: Database): Promise<void> {
  const migrator = new Migrator({
    // Steps are older than the tables of today.
    db: database as unknown as Kysely<unknown>,
    provider: { getMigrations: async () => migrations },
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const failed = results?.find(({ status }) => status === "Error")?.migrationName;
  const newer = reasonOf(error).includes("corrupted migrations");
  throw fail(
    "ATTUNE_STORE",
    newer
      ? "Expected a store of this version or an older one but a newer attune has written it. Update attune."
      : failed === undefined
        ? `Expected to reach the store but ${reasonOf(error)}`
        : `Expected to bring the store to its newest form but step ${failed} failed: ${reasonOf(error)}`,
    { cause: error },
  );
}

const migrations: Readonly<Record<string, Migration>> = {
  "0001": {
    async up(db: Kysely<never>): Promise<void> {
      const { schema } = db;
      await schema
        .createTable("events")
        .addColumn("project", "text", (c) => c.notNull())
        .addColumn("seq", "bigint", (c) => c.notNull())
        .addColumn("id", "text", (c) => c.notNull().unique())
        .addColumn("time", "bigint", (c) => c.notNull())
        .addColumn("type", "text", (c) => c.notNull())
        .addColumn("actor", "text", (c) => c.notNull())
        .addColumn("body", "text", (c) => c.notNull())
        .addColumn("version", "integer", (c) => c.notNull())
        .addPrimaryKeyConstraint("events_key", ["project", "seq"])
        .execute();
      await schema
        .createTable("sequences")
        .addColumn("project", "text", (c) => c.primaryKey())
        .addColumn("seq", "bigint", (c) => c.notNull())
        .addColumn("time", "bigint", (c) => c.notNull())
        .execute();
      await createProjectTables(db);
      await createWorkTables(db);
      await createOwnTables(db);
      await createWebhookTables(db);
      await createLoopTables(db);
    },
  },
  "0002": {
    async up({ schema }: Kysely<never>): Promise<void> {
      await schema
        .createTable("media")
        .addColumn("project", "text", (c) => c.notNull())
        .addColumn("item", "text", (c) => c.notNull())
        .addColumn("answer", "integer", (c) => c.notNull())
        .addColumn("part", "integer", (c) => c.notNull())
        .addColumn("type", "text", (c) => c.notNull())
        .addColumn("data", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("media_key", ["project", "item", "answer", "part"])
        .execute();
      await schema
        .alterTable("judgements")
        .addColumn("incomparable", "integer", (c) => c.notNull().defaultTo(0))
        .execute();
      await schema
        .createIndex("judgements_incomparable")
        .on("judgements")
        .columns(["project"])
        .where(sql.ref("incomparable"), "=", sql.lit(1))
        .execute();
    },
  },
};

async function createProjectTables({ schema }: Kysely<never>): Promise<void> {
  await schema
    .createTable("projects")
    .addColumn("project", "text", (c) => c.primaryKey())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("settings", "text", (c) => c.notNull())
    .addColumn("guidelines", "integer", (c) => c.notNull())
    .addColumn("created", "bigint", (c) => c.notNull())
    .addColumn("item_count", "bigint", (c) => c.notNull())
    .addColumn("annotator_count", "integer", (c) => c.notNull())
    .addColumn("policy_count", "integer", (c) => c.notNull())
    .execute();
  await schema
    .createTable("guidelines")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("version", "integer", (c) => c.notNull())
    .addColumn("text", "text", (c) => c.notNull())
    .addColumn("time", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("guidelines_key", ["project", "version"])
    .execute();
  await schema
    .createTable("annotators")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("annotator", "text", (c) => c.notNull())
    .addColumn("number", "integer", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("declared_group", "text")
    .addColumn("created", "bigint", (c) => c.notNull())
    .addColumn("lease_count", "bigint", (c) => c.notNull())
    .addColumn("judgement_count", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("annotators_key", ["project", "annotator"])
    .execute();
  await schema
    .createTable("policies")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("policy", "text", (c) => c.notNull())
    .addColumn("number", "integer", (c) => c.notNull())
    .addColumn("model", "text", (c) => c.notNull())
    .addColumn("checkpoint", "text")
    .addColumn("created", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("policies_key", ["project", "policy"])
    .execute();
}

async function createWorkTables({ schema }: Kysely<never>): Promise<void> {
  await schema
    .createTable("items")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("item", "text", (c) => c.notNull())
    .addColumn("number", "bigint", (c) => c.notNull())
    .addColumn("external_id", "text")
    .addColumn("state", "text", (c) => c.notNull())
    .addColumn("asks", "text", (c) => c.notNull())
    .addColumn("prompt", "text", (c) => c.notNull())
    .addColumn("answers", "text", (c) => c.notNull())
    .addColumn("metadata", "text")
    .addColumn("prompt_hash", "text", (c) => c.notNull())
    .addColumn("split", "text", (c) => c.notNull())
    .addColumn("priority", "double precision", (c) => c.notNull())
    .addColumn("unsafe", "integer", (c) => c.notNull())
    .addColumn("slots", "integer", (c) => c.notNull())
    .addColumn("planned", "integer")
    .addColumn("taken", "integer", (c) => c.notNull())
    .addColumn("judged", "integer", (c) => c.notNull())
    .addColumn("gold", "text")
    .addColumn("created", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("items_key", ["project", "item"])
    .execute();
  await createItemIndexes(schema);
  await createAssignmentTable(schema);
  await createJudgementTables(schema);
}

async function createAssignmentTable(schema: Kysely<never>["schema"]): Promise<void> {
  await schema
    .createTable("assignments")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("assignment", "text", (c) => c.notNull())
    .addColumn("item", "text", (c) => c.notNull())
    .addColumn("annotator", "text", (c) => c.notNull())
    .addColumn("state", "text", (c) => c.notNull())
    .addColumn("purpose", "text", (c) => c.notNull())
    .addColumn("until", "bigint", (c) => c.notNull())
    .addColumn("created", "bigint", (c) => c.notNull())
    .addColumn("shown", "text", (c) => c.notNull())
    .addColumn("propensity", "double precision", (c) => c.notNull())
    .addColumn("available", "integer", (c) => c.notNull())
    .addColumn("random", "integer", (c) => c.notNull())
    .addColumn("guidelines", "integer", (c) => c.notNull())
    .addColumn("unsafe", "integer", (c) => c.notNull())
    .addPrimaryKeyConstraint("assignments_key", ["project", "assignment"])
    .execute();
  await schema
    .createIndex("assignments_by_annotator")
    .on("assignments")
    .columns(["project", "annotator", "state"])
    .execute();
  await schema
    .createIndex("assignments_by_state")
    .on("assignments")
    .columns(["project", "state", "until"])
    .execute();
  await schema
    .createIndex("assignments_of_unsafe_items")
    .on("assignments")
    .columns(["project", "annotator", "created"])
    .where(sql.ref("unsafe"), "=", sql.lit(1))
    .execute();
  await schema.createIndex("assignments_by_item").on("assignments").columns(["project", "item"]).execute();
}

async function createItemIndexes(schema: Kysely<never>["schema"]): Promise<void> {
  await schema
    .createIndex("items_by_external_id")
    .unique()
    .on("items")
    .columns(["project", "external_id"])
    .execute();
  await schema.createIndex("items_by_state").on("items").columns(["project", "state", "number"]).execute();
  await schema.createIndex("items_by_number").on("items").columns(["project", "number"]).execute();
  await schema.createIndex("items_by_prompt").on("items").columns(["project", "prompt_hash"]).execute();
  await schema
    .createIndex("items_with_gold")
    .on("items")
    .columns(["project"])
    .where("gold" as never, "is not", null)
    .execute();
}

async function createJudgementTables(schema: Kysely<never>["schema"]): Promise<void> {
  await schema
    .createTable("judgements")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("judgement", "text", (c) => c.notNull())
    .addColumn("seq", "bigint", (c) => c.notNull())
    .addColumn("assignment", "text", (c) => c.notNull())
    .addColumn("item", "text", (c) => c.notNull())
    .addColumn("annotator", "text", (c) => c.notNull())
    .addColumn("purpose", "text", (c) => c.notNull())
    .addColumn("given", "text", (c) => c.notNull())
    .addColumn("counts", "integer", (c) => c.notNull())
    .addColumn("withdrawn", "integer", (c) => c.notNull())
    .addColumn("created", "bigint", (c) => c.notNull())
    .addColumn("active_ms", "bigint", (c) => c.notNull())
    .addColumn("keys_used", "integer", (c) => c.notNull())
    .addPrimaryKeyConstraint("judgements_key", ["project", "judgement"])
    .execute();
  await schema.createIndex("judgements_by_item").on("judgements").columns(["project", "item"]).execute();
  await schema.createIndex("judgements_by_seq").on("judgements").columns(["project", "seq"]).execute();
  await schema.createIndex("judgements_by_time").on("judgements").columns(["project", "created"]).execute();
  await schema
    .createIndex("judgements_by_annotator")
    .on("judgements")
    .columns(["project", "annotator", "seq"])
    .execute();
  await schema
    .createIndex("judgements_by_annotator_and_time")
    .on("judgements")
    .columns(["project", "annotator", "created"])
    .execute();
  await schema
    .createTable("skips")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("assignment", "text", (c) => c.notNull())
    .addColumn("item", "text", (c) => c.notNull())
    .addColumn("annotator", "text", (c) => c.notNull())
    .addColumn("reason", "text", (c) => c.notNull())
    .addColumn("note", "text")
    .addColumn("created", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("skips_key", ["project", "assignment"])
    .execute();
}

async function createOwnTables({ schema }: Kysely<never>): Promise<void> {
  await schema
    .createTable("tokens")
    .addColumn("token", "text", (c) => c.primaryKey())
    .addColumn("project", "text")
    .addColumn("role", "text", (c) => c.notNull())
    .addColumn("annotator", "text")
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("salt", "text", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull())
    .addColumn("created", "bigint", (c) => c.notNull())
    .addColumn("expires", "bigint")
    .addColumn("revoked", "bigint")
    .execute();
  await schema
    .createTable("secrets")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("value", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("secrets_key", ["project", "name"])
    .execute();
  await schema
    .createTable("replies")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("annotator", "text", (c) => c.notNull())
    .addColumn("key", "text", (c) => c.notNull())
    .addColumn("body_hash", "text", (c) => c.notNull())
    .addColumn("reply", "text", (c) => c.notNull())
    .addColumn("time", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("replies_key", ["project", "annotator", "key"])
    .execute();
  await schema
    .createTable("drafts")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("assignment", "text", (c) => c.notNull())
    .addColumn("body", "text", (c) => c.notNull())
    .addColumn("time", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("drafts_key", ["project", "assignment"])
    .execute();
  await schema
    .createTable("exports")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("judgement", "text", (c) => c.notNull())
    .addColumn("time", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("exports_key", ["project", "judgement"])
    .execute();
}

async function createWebhookTables({ schema }: Kysely<never>): Promise<void> {
  await schema
    .createTable("webhooks")
    .addColumn("webhook", "text", (c) => c.primaryKey())
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("url", "text", (c) => c.notNull())
    .addColumn("types", "text", (c) => c.notNull())
    .addColumn("texts", "integer", (c) => c.notNull())
    .addColumn("secret", "text", (c) => c.notNull())
    .addColumn("created", "bigint", (c) => c.notNull())
    .addColumn("seq", "bigint", (c) => c.notNull())
    .addColumn("attempts", "integer", (c) => c.notNull())
    .addColumn("failing_since", "bigint")
    .addColumn("due", "bigint", (c) => c.notNull())
    .addColumn("reason", "text")
    .execute();
  await schema
    .createTable("dead_deliveries")
    .addColumn("webhook", "text", (c) => c.notNull())
    .addColumn("seq", "bigint", (c) => c.notNull())
    .addColumn("attempts", "integer", (c) => c.notNull())
    .addColumn("reason", "text", (c) => c.notNull())
    .addColumn("time", "bigint", (c) => c.notNull())
    .addColumn("again", "integer", (c) => c.notNull())
    .addPrimaryKeyConstraint("dead_deliveries_key", ["webhook", "seq"])
    .execute();
  await schema
    .createTable("turns")
    .addColumn("name", "text", (c) => c.primaryKey())
    .addColumn("owner", "text", (c) => c.notNull())
    .addColumn("beat", "bigint", (c) => c.notNull())
    .execute();
}

async function createLoopTables({ schema }: Kysely<never>): Promise<void> {
  await schema
    .createTable("loops")
    .addColumn("project", "text", (c) => c.primaryKey())
    .addColumn("memory", "text", (c) => c.notNull())
    .addColumn("time", "bigint", (c) => c.notNull())
    .execute();
  await schema
    .createTable("predictions")
    .addColumn("project", "text", (c) => c.notNull())
    .addColumn("judgement", "text", (c) => c.notNull())
    .addColumn("version", "text", (c) => c.notNull())
    .addColumn("probability", "double precision", (c) => c.notNull())
    .addColumn("loss", "double precision", (c) => c.notNull())
    .addColumn("time", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("predictions_key", ["project", "judgement"])
    .execute();
  await schema
    .createIndex("predictions_by_version")
    .on("predictions")
    .columns(["project", "version"])
    .execute();
}
