// Calls of whoever wants to know how it goes: progress, agreement, ratings, people. Must not know HTTP's details.

import { z } from "zod";
import { styleTerms } from "../feedback/index.js";
import { agreement, people as peopleAnswer, progress, ratings } from "./answers/figures.js";
import { type Route, route } from "./route.js";
import { shortName as name } from "./route-call.js";

const MINUTE = 60_000;
const draws = z.coerce.number().int().min(100).max(10_000).default(1000);

const group = name.optional().describe("of annotators who declared this group alone");

function ofGroup(of: string | undefined) {
  return of === undefined ? {} : { group: of };
}

export const readerRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/progress",
    roles: ["reader", "trainer", "owner"],
    summary: "Items by state, judgements, and how many came lately",
    answers: progress,
    // By the minute, so that who asks often is answered from what is known.
    handle: ({ store, project, now }) => store.measure(project, "progress", { now: now - (now % MINUTE) }),
  }),
  route({
    method: "get",
    path: "/v1/agreement",
    roles: ["reader", "owner"],
    summary: "How far people agree beyond chance, with intervals",
    answers: agreement,
    query: z.object({ draws, group }),
    handle: ({ store, project, query: { group: of, ...query } }) =>
      store.measure(project, "agreement", { seed: 0, ...query, ...ofGroup(of) }),
  }),
  route({
    method: "get",
    path: "/v1/ratings",
    roles: ["reader", "owner"],
    summary: "Models by what people preferred, with intervals over annotators",
    answers: ratings,
    query: z.object({
      draws,
      group,
      ties: z.enum(["half", "davidson"]).default("half"),
      styles: z
        .string()
        .default("")
        .transform((text) => text.split(",").filter((part) => part !== ""))
        .pipe(z.array(z.enum(styleTerms))),
    }),
    handle: ({ store, project, query: { group: of, ...query } }) =>
      store.measure(project, "ratings", { seed: 0, ...query, ...ofGroup(of) }),
  }),
  route({
    method: "get",
    path: "/v1/annotators",
    roles: ["reader", "owner"],
    summary: "What is known of each annotator; names are for owners",
    answers: peopleAnswer,
    async handle({ store, project, caller }) {
      const { people, side, groups } = await store.measure(project, "people", {});
      const named = caller.role === "owner";
      return {
        side,
        groups,
        annotators: people.map(({ annotator, name: called, ...facts }, i) =>
          named ? { annotator, name: called, ...facts } : { annotator: `annotator ${i + 1}`, ...facts },
        ),
      };
    },
  }),
];
