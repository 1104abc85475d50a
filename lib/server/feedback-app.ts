// The feedback service as a Hono app: checks who calls and what, and answers. It can be mounted into another server.
// Must not know what the calls do.

import { createHash } from "node:crypto";
import type { Context } from "hono";
import { Hono } from "hono";
import { getCookie } from "hono/cookie";
import type { z } from "zod";
import { fail } from "../errors/index.js";
import { type Caller, type FeedbackStore, type LoopStatus, TokenCheck } from "../feedback/index.js";
import { describedCalls, feedbackRoutes } from "./feedback-routes.js";
import { errorResponse, type LoggedError, loggedError } from "./http-error.js";
import { refuseBrokenNames } from "./names.js";
import { openApiDocument } from "./open-api.js";
import { RateLimit } from "./rate-limit.js";
import { remoteAddress } from "./remote-address.js";
import { readJson } from "./request-body.js";
import type { Route } from "./route.js";
import { guard, guardCookie, securityHeaders } from "./security.js";
import { beginSession, endSession, meOf, SESSION_COOKIE } from "./session.js";
import { type Site, type SiteOptions, siteOf } from "./site.js";
import { addPages } from "./web-pages.js";

/** What the app serves, and to whom. */
export interface FeedbackAppOptions extends SiteOptions {
  readonly store: FeedbackStore;
  /** Milliseconds since 1970. Default Date.now. */
  readonly clock?: () => number;
  /** `name:port` that the service answers to; none: any, where another server has looked already. */
  readonly hosts?: readonly string[];
  /** Calls a minute for each token. Default 1200. */
  readonly callsPerMinute?: number;
  /** False: the calls alone, without the pages for people. */
  readonly pages?: boolean;
  /** Webhooks may lead to http and to the own network. Default false. Of WebhookSender too. */
  readonly allowPrivateWebhooks?: boolean;
  /** Of a project's live loop; undefined: it has none. */
  readonly loopStatus?: (project: string) => LoopStatus | undefined;
  /** Told what failed inside, without texts of people or tokens. */
  readonly onError?: (error: LoggedError) => void;
}

const MEBIBYTE = 2 ** 20;
/** Of one token, from one address. */
const WRONG_SECRETS_PER_MINUTE = 10;

/** A Hono app with all calls and pages of the service. @throws ATTUNE_OPTION for an address that is none */
export function createFeedbackApp(options: FeedbackAppOptions): Hono {
  const { store, clock = Date.now, hosts = [], callsPerMinute = 1200 } = options;
  const app = new Hono();
  const serving: Serving = {
    store,
    clock,
    tokens: new TokenCheck({
      ...{ store, clock },
      attempts: new RateLimit({ perMinute: WRONG_SECRETS_PER_MINUTE, clock }),
    }),
    limit: new RateLimit({ perMinute: callsPerMinute, clock }),
    site: siteOf(options),
    allowPrivate: options.allowPrivateWebhooks ?? false,
    loopStatus: options.loopStatus,
  };
  const known = new Set(hosts.map((host) => host.toLowerCase()));
  app.use(async (context, next) => {
    guard(context.req.raw, { hosts: known });
    // The page's own addresses need one form of its path.
    if (serving.site.basePath !== "" && context.req.path === `${serving.site.basePath}/`)
      return context.redirect(serving.site.basePath, 308);
    await next();
    for (const [name, value] of Object.entries(securityHeaders)) context.res.headers.set(name, value);
  });
  for (const route of feedbackRoutes)
    app.on(route.method.toUpperCase(), route.path, (context) => answer(serving, route, context));
  app.get("/v1/openapi.json", (context) => context.json(openApiDocument(describedCalls)));
  addSession(app, serving);
  if (options.pages !== false) addPages(app, serving.site.basePath);
  app.notFound(({ req }) => {
    const error = fail(
      "ATTUNE_NOT_FOUND",
      `Expected a path of the service but there is no ${req.method} ${req.path}.`,
    );
    return withHeaders(errorResponse(error));
  });
  app.onError((error) => {
    const response = errorResponse(error);
    if (response.status >= 500) options.onError?.(loggedError(error));
    return withHeaders(response);
  });
  return app;
}

function addSession(app: Hono, serving: Serving): void {
  app.post("/v1/session", async (context) => {
    const caller = await beginSession(context, serving.site, (token) =>
      serving.tokens.callerOf(token, remoteAddress(context)),
    );
    return context.json(await meOf(serving.store, caller));
  });
  app.delete("/v1/session", (context) => {
    endSession(context, serving.site);
    return context.body(null, 204);
  });
  app.get("/v1/me", async (context) =>
    context.json(await meOf(serving.store, await callerOf(serving, context))),
  );
}

interface Serving {
  readonly store: FeedbackStore;
  readonly clock: () => number;
  readonly tokens: TokenCheck;
  readonly limit: RateLimit;
  readonly site: Site;
  readonly allowPrivate: boolean;
  readonly loopStatus: FeedbackAppOptions["loopStatus"];
}

function withHeaders(response: Response): Response {
  for (const [name, value] of Object.entries(securityHeaders)) response.headers.set(name, value);
  return response;
}

async function answer(serving: Serving, route: Route, context: Context): Promise<Response> {
  const request = context.req.raw;
  const caller = await callerOf(serving, context);
  if (!route.roles.includes(caller.role)) {
    const text = `Expected a token of role ${route.roles.join(" or ")} but this one is of role ${caller.role}.`;
    throw fail("ATTUNE_AUTH", text, { details: { status: 403 } });
  }
  refuseBrokenNames(context);
  const { value, text } = await readJson(request, {
    mostBytes: route.mostBytes ?? MEBIBYTE,
    lines: route.lines === true,
  });
  const result = await route.handle({
    store: serving.store,
    caller,
    project: route.ofProject === false ? "" : projectOf(caller, context.req.query("project")),
    body: route.body === undefined ? undefined : checked(route.body, value, ""),
    text,
    bodyHash: createHash("sha256").update(text).digest("hex"),
    query: route.query === undefined ? {} : checked(route.query, context.req.query(), "?"),
    params: context.req.param() as Record<string, string>,
    headers: request.headers,
    signal: request.signal,
    now: serving.clock(),
    allowPrivate: serving.allowPrivate,
    loopStatus: serving.loopStatus,
  });
  if (result instanceof Response) return result;
  return result === undefined || result === null ? context.body(null, 204) : context.json(result);
}

/** By a header, or by the cookie of the service's own page. */
async function callerOf({ tokens, limit, site }: Serving, context: Context): Promise<Caller> {
  const header = context.req.header("authorization");
  const cookie = header === undefined ? getCookie(context, SESSION_COOKIE) : undefined;
  if (cookie !== undefined) guardCookie(context.req.raw, site.publicUrl?.host);
  const text = header === undefined ? cookie : /^Bearer (\S+)$/i.exec(header)?.[1];
  const caller = text === undefined ? undefined : await tokens.callerOf(text, remoteAddress(context));
  if (caller === undefined)
    throw fail("ATTUNE_AUTH", "Expected a token of the service: Authorization: Bearer attune_…");
  limit.take(caller.token);
  return caller;
}

/** @throws ATTUNE_AUTH for a project that the token is not of, ATTUNE_REQUEST where none is named */
function projectOf(caller: Caller, asked: string | undefined): string {
  if (caller.project !== undefined && asked !== undefined && asked !== caller.project)
    throw fail("ATTUNE_AUTH", `Expected a token of project ${JSON.stringify(asked)}.`, {
      details: { status: 403 },
    });
  const project = caller.project ?? asked;
  if (project !== undefined) return project;
  throw fail("ATTUNE_REQUEST", "Expected ?project= but received none.", { details: { field: "project" } });
}

function checked(schema: z.ZodType, value: unknown, prefix: string): unknown {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = `${prefix}${(issue?.path ?? []).map(String).join(".")}`;
  throw fail("ATTUNE_REQUEST", `${field === "" ? "body" : field}: ${issue?.message ?? "is not allowed"}`, {
    details: field === "" ? {} : { field },
  });
}
