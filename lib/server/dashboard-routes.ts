// Calls of the owner's dashboard beyond those that others have: rate, items, settings, tokens. Must not know HTTP's details.

import { z } from "zod";
import {
  itemStates,
  judgementRate,
  listItems,
  listTokens,
  projectSettings,
  rateSteps,
  readProject,
  saidOfItem,
} from "../feedback/index.js";
import { rate } from "./answers/figures.js";
import {
  listedItems,
  saidOfItem as saidOfItemAnswer,
  settings,
  tokens as tokensAnswer,
} from "./answers/items.js";
import { type Route, route } from "./route.js";

/** So that a form can be made of them, and every field says what it is. */
const settingsSchema = z.toJSONSchema(projectSettings, { io: "input" });

export const dashboardRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/rate",
    roles: ["reader", "trainer", "owner"],
    summary: "Judgements hour by hour or day by day, and how many the open items still want",
    answers: rate,
    query: z.object({
      by: z.enum(rateSteps).default("hour"),
      last: z.coerce.number().int().min(1).max(1000).default(48).describe("hours or days, up to now"),
    }),
    handle: ({ store, project, query, now }) =>
      judgementRate({ reading: store.reading, project, ...query, now }),
  }),
  route({
    method: "get",
    path: "/v1/settings",
    roles: ["owner"],
    summary: "A project's settings, and the JSON Schema that they obey",
    answers: settings,
    async handle({ store, project }) {
      return { ...(await readProject(store.reading, project)), store: store.kind, schema: settingsSchema };
    },
  }),
  route({
    method: "get",
    path: "/v1/tokens",
    roles: ["owner"],
    summary: "The project's tokens, without what opens them",
    answers: tokensAnswer,
    async handle({ store, project, caller }) {
      const tokens = await listTokens(store.reading, project);
      return { tokens: tokens.map((one) => ({ ...one, own: one.token === caller.token })) };
    },
  }),
  route({
    method: "get",
    path: "/v1/items",
    roles: ["owner"],
    summary: "Items in the order in which they were added, a page at a time",
    answers: listedItems,
    query: z.object({
      state: z.enum(itemStates).optional(),
      gold: z
        .enum(["true", "false"])
        .transform((text) => text === "true")
        .optional()
        .describe("those whose right answer is known, or is not"),
      after: z.coerce.number().int().min(-1).default(-1).describe("`next` of the page before"),
      most: z.coerce.number().int().min(1).max(200).default(50),
    }),
    handle: ({ store, project, query: { state, gold, ...rest } }) =>
      listItems({
        reading: store.reading,
        project,
        ...rest,
        ...(state === undefined ? {} : { state }),
        ...(gold === undefined ? {} : { gold }),
      }),
  }),
  route({
    method: "get",
    path: "/v1/items/:id/judgements",
    roles: ["owner"],
    summary: "All that was said of an item, with positions as shown and where those were when it was added",
    answers: saidOfItemAnswer,
    async handle({ store, project, params }) {
      return { judgements: await saidOfItem(store.reading, project, params.id ?? "") };
    },
  }),
];
