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
  /** Webhooks may lead into the own network. */
  readonly allowPrivate: boolean;
  /** Of a project's live loop; undefined: it has none. */
  readonly loopStatus: ((project: string) => LoopStatus | undefined) | undefined;
}

/** What is answered: JSON, 204 without a body, rows line by line, or a stream of events; of these what each one is. */
export type Answers = z.ZodType | "nothing" | { readonly lines: z.ZodType } | { readonly events: z.ZodType };

/** A call as the OpenAPI document has it. */
export interface DescribedCall<Body = unknown, Query = unknown> {
  readonly method: "get" | "post" | "put" | "delete";
  /** `/v1/leases/:id/renew` */
  readonly path: string;
  /** Empty: it needs no token. */
  readonly roles: readonly Role[];
  readonly summary: string;
  readonly body?: z.ZodType<Body>;
  readonly query?: z.ZodType<Query>;
  /** Lines of JSON are taken too, and looked at by the route itself; then `body` must allow for none. */
  readonly lines?: boolean;
  /** What they are for, by name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The call needs all of its headers. */
  readonly needsHeaders?: boolean;
  /** False: it needs no project. */
  readonly ofProject?: boolean;
  /** Tests hold it against what is answered. */
  readonly answers: Answers;
  /** 204 may be answered too. */
  readonly orNothing?: boolean;
}

export interface Route<Body = unknown, Query = unknown> extends DescribedCall<Body, Query> {
  readonly method: "get" | "post" | "put";
  /** Default 1 MiB. */
  readonly mostBytes?: number;
  /** What is answered: JSON, 204 for undefined and null, or an answer of its own. */
  handle(call: RouteCall<Body, Query>): Promise<unknown>;
}

/** Ties a route's schemas to what it handles. */
export function route<Body, Query>(one: Route<Body, Query>): Route {
  return one as unknown as Route;
}
