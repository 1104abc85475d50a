// Calls of whoever trains: items in, events out. Must not know HTTP's details.

import { z } from "zod";
import { itemInput } from "../feedback/index.js";
import { eventStream } from "./event-stream.js";
import { type Route, route } from "./route.js";
import { MEBIBYTE, shortName as name } from "./route-call.js";

export const trainerRoutes: readonly Route[] = [
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
