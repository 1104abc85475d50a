// Calls that give out what answers hold beside text: to whoever was shown them, by place, and to their owner. Must not know
// HTTP's details.

import { z } from "zod";
import { answerOfJudgement, answerOfLease, framesOf, segment, segmentOf } from "../feedback/index.js";
import { type Route, type RouteCall, route } from "./route.js";
import { person } from "./route-call.js";

const judges = ["annotator", "owner"] as const;

const from = z.object({
  from: z.coerce.number().int().min(0).default(0).describe("`next` of the call before"),
});
const frames = z.object({
  frames: z.array(z.object({ type: z.string(), data: z.string().describe("base64") })),
  next: z.int().optional().describe("`from` of the rest; absent: these are the last"),
});

export const mediaRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/leases/:id/answers/:place/frames",
    roles: judges,
    summary: "The image, or frames of the clip, that a leased item shows at a place",
    query: from,
    answers: frames,
    async handle(call) {
      const of = await answerOfLease(shownTo(call), call.params.id ?? "");
      return framesOf(storeOf(call), of, call.query.from);
    },
  }),
  route({
    method: "get",
    path: "/v1/leases/:id/answers/:place/segment",
    roles: judges,
    summary: "The numbers of a clip that a leased item shows at a place, for programs that judge",
    answers: segment,
    async handle(call) {
      return segmentOf(storeOf(call), await answerOfLease(shownTo(call), call.params.id ?? ""));
    },
  }),
  route({
    method: "get",
    path: "/v1/judgements/:id/answers/:place/frames",
    roles: judges,
    summary: "The same of one of one's own judgements",
    query: from,
    answers: frames,
    async handle(call) {
      const of = await answerOfJudgement(shownTo(call), call.params.id ?? "");
      return framesOf(storeOf(call), of, call.query.from);
    },
  }),
  route({
    method: "get",
    path: "/v1/items/:id/answers/:place/frames",
    roles: ["owner", "trainer"],
    summary: "The same of any item, by the place of the answer as it was added",
    query: from,
    answers: frames,
    handle: (call) =>
      framesOf(storeOf(call), { item: call.params.id ?? "", answer: placeOf(call) }, call.query.from),
  }),
];

type Call = RouteCall<unknown, unknown>;

function storeOf({ store, project }: Call) {
  return { reading: store.reading, project };
}

function shownTo(call: Call) {
  return { ...storeOf(call), annotator: person(call), place: placeOf(call) };
}

/** What is no place is the place of no answer. */
function placeOf({ params }: Call): number {
  return /^\d{1,3}$/.test(params.place ?? "") ? Number(params.place) : -1;
}
