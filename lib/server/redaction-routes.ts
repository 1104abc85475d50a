// The calls by which an owner takes contents out for good. Must not decide what goes with them.

import { redacted } from "./answers/items.js";
import { type Route, route } from "./route.js";

export const redactionRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/v1/items/:id/redact",
    roles: ["owner"],
    summary: "Take out an item's contents and all that was said of it, for good",
    answers: redacted,
    handle: ({ store, project, params }) => store.write(project, "redactItem", { item: params.id ?? "" }),
  }),
  route({
    method: "post",
    path: "/v1/judgements/:id/redact",
    roles: ["owner"],
    summary: "Take out what a judgement says, in all its versions, for good",
    answers: redacted,
    handle: ({ store, project, params }) =>
      store.write(project, "redactJudgement", { judgement: params.id ?? "" }),
  }),
];
