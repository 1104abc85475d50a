// One call of the HTTP service, declared: who may make it, what it takes, what it does. Checks, the OpenAPI document and
// the list in the documentation come from it. Must not know the calls.

import type { z } from "zod";
import type { Caller, FeedbackStore, LoopStatus, Role } from "../feedback/index.js";

export interface RouteCall<Body, Query> {
  readonly store: FeedbackStore;
  readonly caller: Caller;
  /** Of the token, or `?project=`. */
  readonly project: string;
  readonly body: Body;
  /** What was sent, as it is. */
  readonly text: string;
  /** SHA-256 of what was sent. */
  readonly bodyHash: string;
  readonly query: Query;
  readonly params: Readonly<Record<string, string>>;
  readonly headers: Headers;
  readonly signal: AbortSignal;
  readonly now: number;
  /** Of what goes on behind the answer's beginning. */
  readonly clock: () => number;
  /** Webhooks may lead into the own network. */
  readonly allowPrivate: boolean;
  /** Of a project's live loop; undefined: it has none. */
  readonly loopStatus: ((project: string) => LoopStatus | undefined) | undefined;
}

/** What is answered: JSON, 204 without a body, rows line by line, or a stream of events. */
export type Answers = z.ZodType | "nothing" | "lines" | "events";

export interface Route<Body = unknown, Query = unknown> {
  readonly method: "get" | "post" | "put";
  /** `/v1/leases/:id/renew` */
  readonly path: string;
  readonly roles: readonly Role[];
  readonly summary: string;
  readonly body?: z.ZodType<Body>;
  readonly query?: z.ZodType<Query>;
  /** Lines of JSON are taken too, and looked at by the route itself; then `body` must allow for none. */
  readonly lines?: boolean;
  /** Default 1 MiB. */
  readonly mostBytes?: number;
  /** False: it needs no project. */
  readonly ofProject?: boolean;
  /** For the OpenAPI document, and for tests, which hold it against what is answered; absent: JSON of some form. */
  readonly answers?: Answers;
  /** 204 may be answered too. */
  readonly orNothing?: boolean;
  /** What is answered: JSON, 204 for undefined and null, or an answer of its own. */
  handle(call: RouteCall<Body, Query>): Promise<unknown>;
}

/** Ties a route's schemas to what it handles. */
export function route<Body, Query>(one: Route<Body, Query>): Route {
  return one as unknown as Route;
}
