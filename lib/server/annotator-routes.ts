// Calls of people who judge, and of owners who judge themselves. Must not know HTTP's details.

import { z } from "zod";
import { guidelinesOf, judgementValue, ownJudgement, ownWork, skipReasons } from "../feedback/index.js";
import {
  guidelines,
  lease,
  ownJudgement as ownJudgementAnswer,
  ownWork as ownWorkAnswer,
} from "./answers/items.js";
import { type Route, type RouteCall, route } from "./route.js";
import { keyOf, shortName as name, person } from "./route-call.js";

/** An owner's token may belong to an annotator too. */
const judges = ["annotator", "owner"] as const;

const judged = z.strictObject({
  values: z.array(judgementValue).min(1).max(200),
  activeMs: z.number().min(0).max(86_400_000).default(0).describe("time at it, pauses left out"),
  keysUsed: z.boolean().default(false),
});

const submitted = z.object({
  judgement: z.string(),
  counts: z.boolean().describe("false: it came when the slot was gone, and counts for agreement alone"),
});

/** Who asks again with the same key and body gets the same answer. */
const keyed = {
  needsHeaders: true,
  headers: { "idempotency-key": "of this judgement: sent again with it, it is kept once" },
} as const;

export const annotatorRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/next",
    roles: judges,
    summary: "The next item, for a while; 204 where nothing is open to this person",
    answers: lease,
    orNothing: true,
    handle: (call) => call.store.write(call.project, "next", { annotator: person(call) }),
  }),
  route({
    method: "post",
    path: "/v1/leases/:id/renew",
    roles: judges,
    summary: "Keep an item longer",
    answers: z.object({ until: z.int().describe("milliseconds since 1970") }),
    handle: (call) =>
      call.store.write(call.project, "renew", { lease: call.params.id ?? "", annotator: person(call) }),
  }),
  route({
    method: "put",
    path: "/v1/leases/:id/draft",
    roles: judges,
    summary: "Keep what is filled in so far; null: nothing",
    answers: "nothing",
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
    roles: judges,
    summary: "Judge a leased item; needs an Idempotency-Key",
    ...keyed,
    answers: submitted,
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
    roles: judges,
    summary: "Say something else instead; needs an Idempotency-Key",
    ...keyed,
    answers: submitted,
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
    roles: judges,
    summary: "Take one of the last judgements back",
    answers: "nothing",
    handle: (call) =>
      call.store.write(call.project, "undo", { judgement: call.params.id ?? "", annotator: person(call) }),
  }),
  route({
    method: "post",
    path: "/v1/skips",
    roles: judges,
    summary: "Pass an item over, with a reason",
    answers: "nothing",
    body: z.strictObject({ lease: name, reason: z.enum(skipReasons), note: z.string().max(2000).optional() }),
    handle: (call) => {
      const { lease, reason, note } = call.body;
      const skip = { lease, reason, annotator: person(call), ...(note === undefined ? {} : { note }) };
      return call.store.write(call.project, "skip", skip);
    },
  }),
  route({
    method: "get",
    path: "/v1/mine",
    roles: judges,
    summary: "How much one has judged, and the judgements that may be taken back",
    answers: ownWorkAnswer,
    handle: (call) => ownWork({ ...readingOf(call), annotator: person(call) }, call.now),
  }),
  route({
    method: "get",
    path: "/v1/judgements/:id",
    roles: judges,
    summary: "One of one's own judgements, with the item as it was shown",
    answers: ownJudgementAnswer,
    handle: (call) => ownJudgement({ ...readingOf(call), annotator: person(call) }, call.params.id ?? ""),
  }),
  route({
    method: "get",
    path: "/v1/guidelines",
    roles: ["annotator", "owner", "trainer", "reader"],
    summary: "The guidelines, the newest or a version's",
    answers: guidelines,
    query: z.object({ version: z.coerce.number().int().min(0).optional() }),
    handle: ({ store, project, query }) => guidelinesOf(store.reading, project, query.version),
  }),
];

function readingOf({ store, project }: RouteCall<unknown, unknown>) {
  return { reading: store.reading, project };
}
