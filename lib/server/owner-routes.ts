// Calls of a project's owner: projects, settings, guidelines, people, tokens, gold. Must not know HTTP's details.

import { z } from "zod";
import { changeSettings, judgementValue, makeToken, roles } from "../feedback/index.js";
import { type Route, route } from "./route.js";
import { shortName as name, ownProject } from "./route-call.js";

/** What they may be is said where they are read: of one that is wrong it is said which. */
const someSettings = z
  .record(z.string(), z.unknown())
  .describe("as the schema that GET /v1/settings answers has them");

export const ownerRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/v1/projects",
    roles: ["owner"],
    summary: "Make a project; a token of another one may not",
    answers: z.object({ project: z.string() }),
    ofProject: false,
    body: z.strictObject({ project: name, name, settings: someSettings.default({}) }),
    handle: ({ store, caller, body }) => {
      ownProject(caller, body.project);
      return store.write(body.project, "createProject", body);
    },
  }),
  route({
    method: "put",
    path: "/v1/settings",
    roles: ["owner"],
    summary: "Change a project's settings; those that are not named stay",
    answers: "nothing",
    body: someSettings,
    handle: ({ store, project, body }) => changeSettings({ store, project, settings: body }),
  }),
  route({
    method: "put",
    path: "/v1/guidelines",
    roles: ["owner"],
    summary: "Write a new version of the guidelines; judgements name the one that was shown",
    answers: z.object({ version: z.int() }),
    body: z.strictObject({ text: z.string().max(500_000) }),
    handle: ({ store, project, body }) => store.write(project, "setGuidelines", body),
  }),
  route({
    method: "post",
    path: "/v1/annotators",
    roles: ["owner"],
    summary: "Add a person, or change name and group",
    answers: z.object({ annotator: z.string() }),
    body: z.strictObject({ annotator: name, name, group: name.optional() }),
    handle: ({ store, project, body: { group, ...rest } }) =>
      store.write(project, "addAnnotator", { ...rest, ...(group === undefined ? {} : { group }) }),
  }),
  route({
    method: "post",
    path: "/v1/tokens",
    roles: ["owner"],
    summary: "Make a token; it is shown once",
    answers: z.object({ token: z.string(), id: z.string() }),
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
    answers: "nothing",
    handle: ({ store, project, params, caller }) =>
      store.write(project, "revokeToken", {
        token: params.id ?? "",
        every: caller.project === undefined,
      }),
  }),
  route({
    method: "post",
    path: "/v1/items/:id/gold",
    roles: ["owner"],
    summary: "Say what is right of an item, with positions as it was added; null: no gold any more",
    answers: "nothing",
    body: z.strictObject({ right: z.array(judgementValue).min(1).nullable() }),
    handle: ({ store, project, params, body }) =>
      store.write(project, "setGold", { item: params.id ?? "", right: body.right }),
  }),
  route({
    method: "post",
    path: "/v1/items/:id/close",
    roles: ["owner"],
    summary: "Ask it of nobody any more",
    answers: "nothing",
    handle: ({ store, project, params }) => store.write(project, "closeItem", { item: params.id ?? "" }),
  }),
];
