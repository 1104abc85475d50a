// Calls of whoever trains: items in, events out. Must not know HTTP's details.

import { z } from "zod";
import { itemInput } from "../feedback/index.js";
import { event } from "./answers/rows.js";
import { eventStream } from "./event-stream.js";
import { type Route, route } from "./route.js";
import { MEBIBYTE, shortName as name } from "./route-call.js";

export const trainerRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/v1/items",
    roles: ["trainer", "owner"],
    summary: "Add items; those whose externalId is known are reported, not added",
    answers: z.object({ items: z.array(z.object({ item: z.string(), duplicate: z.boolean() })) }),
    mostBytes: 16 * MEBIBYTE,
    body: z.strictObject({ items: z.array(itemInput).min(1).max(10_000) }),
    handle: ({ store, project, body }) => store.write(project, "addItems", body),
  }),
  route({
    method: "post",
    path: "/v1/priorities",
    roles: ["trainer", "owner"],
    summary: "Say what is worth asking: higher is asked sooner",
    answers: "nothing",
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
    answers: z.object({ number: z.int() }),
    body: z.strictObject({ policy: name, model: name, checkpoint: name.optional() }),
    handle: ({ store, project, body: { checkpoint, ...rest } }) =>
      store.write(project, "registerPolicy", {
        ...rest,
        ...(checkpoint === undefined ? {} : { checkpoint }),
      }),
  }),
  route({
    method: "get",
    path: "/v1/events",
    roles: ["trainer", "owner"],
    summary: "What happens, as server-sent events; resumes behind Last-Event-ID",
    answers: { events: event },
    headers: { "last-event-id": "what happened behind this event; stronger than ?after=" },
    query: z.object({ after: z.coerce.number().int().min(0).default(0) }),
    async handle({ store, project, query, headers, signal }) {
      const last = headers.get("last-event-id") ?? "";
      // Browsers send what was the last `id`, which is none of ours after a page of another service.
      const after = /^\d{1,15}$/.test(last) ? Number(last) : query.after;
      return eventStream({ store, project, after, signal });
    },
  }),
];
