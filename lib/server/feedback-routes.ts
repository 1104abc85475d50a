// The calls of the feedback service. Must not know HTTP's details: app.ts checks, guards and answers.

import { z } from "zod";
import { fail } from "../errors/index.js";
import {
  consensusModes,
  exportKinds,
  exportRows,
  itemInput,
  judgementValue,
  makeToken,
  measureAgreement,
  peopleFacts,
  progressOf,
  rateModels,
  roles,
  skipReasons,
  styleTerms,
} from "../feedback/index.js";
import { eventStream } from "./event-stream.js";
import { jsonLines } from "./json-lines.js";
import { type Route, type RouteCall, route } from "./route.js";

const name = z.string().min(1).max(200);
const MEBIBYTE = 2 ** 20;

/** The person behind an annotator's token. */
function person({ caller }: RouteCall<unknown, unknown>): string {
  if (caller.annotator !== undefined) return caller.annotator;
  throw fail("ATTUNE_AUTH", "Expected an annotator's token.", { details: { status: 403 } });
}

function keyOf({ headers }: RouteCall<unknown, unknown>): string {
  const key = headers.get("idempotency-key") ?? "";
  if (key !== "" && key.length <= 200) return key;
  throw fail("ATTUNE_REQUEST", "Expected a header Idempotency-Key of 1 to 200 characters.", {
    details: { field: "idempotency-key" },
  });
}

const judged = z.strictObject({
  values: z.array(judgementValue).min(1).max(200),
  activeMs: z.number().min(0).max(86_400_000).default(0).describe("time at it, pauses left out"),
  keysUsed: z.boolean().default(false),
});

const ownerRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/v1/projects",
    roles: ["owner"],
    summary: "Make a project",
    ofProject: false,
    body: z.strictObject({ project: name, name, settings: z.record(z.string(), z.unknown()).default({}) }),
    handle: ({ store, body }) => store.write(body.project, "createProject", body),
  }),
  route({
    method: "put",
    path: "/v1/settings",
    roles: ["owner"],
    summary: "Change a project's settings; those that are not named stay",
    body: z.record(z.string(), z.unknown()),
    handle: ({ store, project, body }) => store.write(project, "changeProject", { settings: body }),
  }),
  route({
    method: "put",
    path: "/v1/guidelines",
    roles: ["owner"],
    summary: "Write a new version of the guidelines; judgements name the one that was shown",
    body: z.strictObject({ text: z.string().max(500_000) }),
    handle: ({ store, project, body }) => store.write(project, "setGuidelines", body),
  }),
  route({
    method: "post",
    path: "/v1/annotators",
    roles: ["owner"],
    summary: "Add a person, or change name and group",
    body: z.strictObject({ annotator: name, name, group: name.optional() }),
    handle: ({ store, project, body: { group, ...rest } }) =>
      store.write(project, "addAnnotator", { ...rest, ...(group === undefined ? {} : { group }) }),
  }),
  route({
    method: "post",
    path: "/v1/tokens",
    roles: ["owner"],
    summary: "Make a token; it is shown once",
    body: z.strictObject({
      role: z.enum(roles),
      annotator: name.optional(),
      name,
      expires: z.int().positive().optional().describe("milliseconds since 1970"),
    }),
    async handle({ store, project, body: { role, annotator, expires, name: called }, now }) {
      const { text, row } = await makeToken(
        {
          role,
          project,
          name: called,
          ...(annotator === undefined ? {} : { annotator }),
          ...(expires === undefined ? {} : { expires }),
        },
        now,
      );
      await store.write(project, "keepToken", { row });
      return { token: text, id: row.token };
    },
  }),
  route({
    method: "post",
    path: "/v1/tokens/:id/revoke",
    roles: ["owner"],
    summary: "A token opens nothing any more",
    handle: ({ store, project, params }) => store.write(project, "revokeToken", { token: params.id ?? "" }),
  }),
  route({
    method: "post",
    path: "/v1/items/:id/gold",
    roles: ["owner"],
    summary: "Say what is right of an item, with positions as it was added; null: no gold any more",
    body: z.strictObject({ right: z.array(judgementValue).min(1).nullable() }),
    handle: ({ store, project, params, body }) =>
      store.write(project, "setGold", { item: params.id ?? "", right: body.right }),
  }),
  route({
    method: "post",
    path: "/v1/items/:id/close",
    roles: ["owner"],
    summary: "Ask it of nobody any more",
    handle: ({ store, project, params }) => store.write(project, "closeItem", { item: params.id ?? "" }),
  }),
];

const trainerRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/v1/items",
    roles: ["trainer", "owner"],
    summary: "Add items; those whose externalId is known are reported, not added",
    mostBytes: 16 * MEBIBYTE,
    body: z.strictObject({ items: z.array(itemInput).min(1).max(10_000) }),
    handle: ({ store, project, body }) => store.write(project, "addItems", body),
  }),
  route({
    method: "post",
    path: "/v1/priorities",
    roles: ["trainer", "owner"],
    summary: "Say what is worth asking: higher is asked sooner",
    body: z.strictObject({
      priorities: z
        .array(z.tuple([name, z.number()]))
        .min(1)
        .max(10_000),
    }),
    handle: ({ store, project, body }) => store.write(project, "prioritise", body),
  }),
  route({
    method: "post",
    path: "/v1/policies",
    roles: ["trainer", "owner"],
    summary: "Register a policy before its answers arrive",
    body: z.strictObject({ policy: name, model: name, checkpoint: name.optional() }),
    handle: ({ store, project, body: { checkpoint, ...rest } }) =>
      store.write(project, "registerPolicy", {
        ...rest,
        ...(checkpoint === undefined ? {} : { checkpoint }),
      }),
  }),
  route({
    method: "get",
    path: "/v1/export",
    roles: ["trainer", "owner"],
    summary: "Rows for training, one JSON object on each line",
    query: z.object({
      kind: z.enum(exportKinds),
      split: z.enum(["train", "valid", "test"]).optional(),
      since: z.coerce.number().int().min(0).optional().describe("judgements behind this event"),
      policy: name.optional(),
      consensus: z.enum(consensusModes).optional(),
    }),
    async handle({ store, project, query: { kind, split, since, policy, consensus } }) {
      const rows = exportRows({
        reading: store.reading,
        project,
        kind,
        ...(split === undefined ? {} : { split }),
        ...(since === undefined ? {} : { since }),
        ...(policy === undefined ? {} : { policy }),
        ...(consensus === undefined ? {} : { consensus }),
      });
      return jsonLines(rows);
    },
  }),
  route({
    method: "get",
    path: "/v1/events",
    roles: ["trainer", "owner"],
    summary: "What happens, as server-sent events; resumes behind Last-Event-ID",
    query: z.object({ after: z.coerce.number().int().min(0).default(0) }),
    async handle({ store, project, query, headers, signal }) {
      const last = Number(headers.get("last-event-id") ?? Number.NaN);
      return eventStream({ store, project, after: Number.isInteger(last) ? last : query.after, signal });
    },
  }),
];

const annotatorRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/next",
    roles: ["annotator"],
    summary: "The next item, for a while; 204 where nothing is open to this person",
    handle: (call) => call.store.write(call.project, "next", { annotator: person(call) }),
  }),
  route({
    method: "post",
    path: "/v1/leases/:id/renew",
    roles: ["annotator"],
    summary: "Keep an item longer",
    handle: (call) =>
      call.store.write(call.project, "renew", { lease: call.params.id ?? "", annotator: person(call) }),
  }),
  route({
    method: "put",
    path: "/v1/leases/:id/draft",
    roles: ["annotator"],
    summary: "Keep what is filled in so far; null: nothing",
    body: z.strictObject({ draft: z.unknown() }),
    handle: (call) =>
      call.store.write(call.project, "saveDraft", {
        lease: call.params.id ?? "",
        annotator: person(call),
        body: call.body.draft ?? null,
      }),
  }),
  route({
    method: "post",
    path: "/v1/judgements",
    roles: ["annotator"],
    summary: "Judge a leased item; needs an Idempotency-Key",
    body: judged.extend({ lease: name }),
    handle: (call) =>
      call.store.write(call.project, "submit", {
        ...call.body,
        annotator: person(call),
        key: keyOf(call),
        bodyHash: call.bodyHash,
      }),
  }),
  route({
    method: "post",
    path: "/v1/judgements/:id/revise",
    roles: ["annotator"],
    summary: "Say something else instead; needs an Idempotency-Key",
    body: judged,
    handle: (call) =>
      call.store.write(call.project, "revise", {
        ...call.body,
        judgement: call.params.id ?? "",
        annotator: person(call),
        key: keyOf(call),
        bodyHash: call.bodyHash,
      }),
  }),
  route({
    method: "post",
    path: "/v1/judgements/:id/undo",
    roles: ["annotator"],
    summary: "Take one of the last judgements back",
    handle: (call) =>
      call.store.write(call.project, "undo", { judgement: call.params.id ?? "", annotator: person(call) }),
  }),
  route({
    method: "post",
    path: "/v1/skips",
    roles: ["annotator"],
    summary: "Pass an item over, with a reason",
    body: z.strictObject({ lease: name, reason: z.enum(skipReasons), note: z.string().max(2000).optional() }),
    handle: (call) => {
      const { lease, reason, note } = call.body;
      const skip = { lease, reason, annotator: person(call), ...(note === undefined ? {} : { note }) };
      return call.store.write(call.project, "skip", skip);
    },
  }),
];

const draws = z.coerce.number().int().min(100).max(10_000).default(1000);

const readerRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/progress",
    roles: ["reader", "trainer", "owner"],
    summary: "Items by state, judgements, and how many came lately",
    handle: ({ store, project, now }) => progressOf(store.reading, project, now),
  }),
  route({
    method: "get",
    path: "/v1/agreement",
    roles: ["reader", "owner"],
    summary: "How far people agree beyond chance, with intervals",
    query: z.object({ draws }),
    handle: ({ store, project, query }) =>
      measureAgreement({ reading: store.reading, project, seed: 0, draws: query.draws }),
  }),
  route({
    method: "get",
    path: "/v1/ratings",
    roles: ["reader", "owner"],
    summary: "Models by what people preferred, with intervals over annotators",
    query: z.object({
      draws,
      ties: z.enum(["half", "davidson"]).default("half"),
      styles: z
        .string()
        .default("")
        .transform((text) => text.split(",").filter((part) => part !== ""))
        .pipe(z.array(z.enum(styleTerms))),
    }),
    handle: ({ store, project, query }) => rateModels({ reading: store.reading, project, seed: 0, ...query }),
  }),
  route({
    method: "get",
    path: "/v1/annotators",
    roles: ["reader", "owner"],
    summary: "What is known of each annotator; names are for owners",
    async handle({ store, project, caller }) {
      const { people, sides } = await peopleFacts(store.reading, project);
      const named = caller.role === "owner";
      return {
        gamma: sides.gamma,
        annotators: people.map(({ annotator, name: called, ...facts }, i) =>
          named ? { annotator, name: called, ...facts } : { annotator: `annotator ${i + 1}`, ...facts },
        ),
      };
    },
  }),
];

export const feedbackRoutes: readonly Route[] = [
  ...ownerRoutes,
  ...trainerRoutes,
  ...annotatorRoutes,
  ...readerRoutes,
];
