// The call of a product's own server: what its users said of answers. Must not know HTTP's details.

import { z } from "zod";
import { answer, content, judgementValue } from "../feedback/index.js";
import { captured } from "./answers/items.js";
import { type Route, route } from "./route.js";
import { MEBIBYTE, shortName as name } from "./route-call.js";

export const captureRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/v1/captures",
    roles: ["trainer", "owner"],
    summary: "Keep what a user of a product said of its answers; the same again changes nothing",
    answers: captured,
    mostBytes: 4 * MEBIBYTE,
    body: z.strictObject({
      user: name.describe("an id of the product; a hash of it is kept"),
      id: name.optional().describe("the product's name of what is judged; default: prompt and answers"),
      prompt: content,
      answers: z.array(answer).min(1).max(100),
      value: judgementValue.describe("thumb, pair, ranking, edit or comment; positions as in answers"),
    }),
    handle: ({ store, project, body: { id, ...rest } }) =>
      store.write(project, "capture", { ...rest, ...(id === undefined ? {} : { id }) }),
  }),
];
