// The calls of webhooks: owners' addresses that are told what happens, and what they could not be told of.
// Must not know how deliveries are made.

import { z } from "zod";
import { fail } from "../errors/index.js";
import { deadDeliveries, eventTypes, keptWebhooks, shownWebhook } from "../feedback/index.js";
import { type Route, type RouteCall, route } from "./route.js";

const time = z.int().describe("milliseconds since 1970");
const seq = z.int().min(0).describe("of an event");

const shown = z.object({
  id: z.string(),
  project: z.string(),
  url: z.string(),
  types: z.array(z.enum(eventTypes)),
  texts: z.boolean(),
  created: time,
  seq: seq.describe("it has been told of everything up to this event"),
  attempts: z.int().describe("failures since the last success"),
  failingSince: time.optional(),
  due: time.optional().describe("when it is tried again"),
  reason: z.string().optional().describe("why it failed last"),
});

const dead = z.object({
  seq,
  id: z.string().describe("of the event, and of its deliveries"),
  type: z.enum(eventTypes),
  attempts: z.int(),
  reason: z.string(),
  time: time.describe("when it was given up"),
  again: z.boolean().describe("it waits to be sent again"),
});

/** @throws ATTUNE_NOT_FOUND for one of another project */
async function knownWebhook({ store, project, params }: RouteCall<unknown, unknown>): Promise<string> {
  const all = await keptWebhooks(store.reading, project);
  const found = all.find(({ id }) => id === params.id);
  if (found !== undefined) return found.id;
  throw fail("ATTUNE_NOT_FOUND", `Expected a webhook of the project but there is no "${params.id}".`);
}

export const webhookRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/v1/webhooks",
    roles: ["owner"],
    summary: "Have an address told what happens; its secret is shown once",
    body: z.strictObject({
      url: z.string().min(1).max(2000).describe("https, of a public machine"),
      types: z
        .array(z.enum(eventTypes))
        .max(eventTypes.length)
        .default([])
        .describe("of the events that it is told of; none: all"),
      texts: z
        .boolean()
        .default(false)
        .describe("events go out whole, with what people and models have written; otherwise ids and types"),
      after: seq.optional().describe("events behind this one; default: what happens from now on"),
    }),
    answers: z.object({ id: z.string(), secret: z.string().describe("signs every delivery") }),
    handle: ({ store, project, body: { after, ...rest }, allowPrivate }) =>
      store.write(project, "addWebhook", {
        ...rest,
        allowPrivate,
        ...(after === undefined ? {} : { after }),
      }),
  }),
  route({
    method: "get",
    path: "/v1/webhooks",
    roles: ["owner"],
    summary: "Addresses that are told, how far, and what keeps them from more",
    answers: z.object({ webhooks: z.array(shown) }),
    async handle({ store, project }) {
      return { webhooks: (await keptWebhooks(store.reading, project)).map(shownWebhook) };
    },
  }),
  route({
    method: "post",
    path: "/v1/webhooks/:id/remove",
    roles: ["owner"],
    summary: "It is told nothing any more, and its dead deliveries are forgotten",
    answers: "nothing",
    handle: ({ store, project, params }) =>
      store.write(project, "removeWebhook", { webhook: params.id ?? "" }),
  }),
  route({
    method: "get",
    path: "/v1/webhooks/:id/dead",
    roles: ["owner"],
    summary: "Events that it could not be told of for a day",
    query: z.object({
      after: z.coerce.number().int().min(0).default(0).describe("those behind this event"),
      most: z.coerce.number().int().min(1).max(1000).default(100),
    }),
    answers: z.object({ dead: z.array(dead) }),
    async handle(call) {
      return {
        dead: await deadDeliveries(call.store.reading, { webhook: await knownWebhook(call), ...call.query }),
      };
    },
  }),
  route({
    method: "post",
    path: "/v1/webhooks/:id/replay",
    roles: ["owner"],
    summary: "Send dead deliveries again, and try an address that is waited for at once",
    body: z.strictObject({
      seqs: z.array(seq).min(1).max(1000).optional().describe("of the dead ones; none: all"),
    }),
    answers: z.object({ replayed: z.int() }),
    handle: ({ store, project, params, body: { seqs } }) =>
      store.write(project, "replayWebhook", {
        webhook: params.id ?? "",
        ...(seqs === undefined ? {} : { seqs }),
      }),
  }),
];
