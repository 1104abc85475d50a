// A page's session: a token becomes a cookie that scripts cannot read, and goes again. Who one is, for pages.
// Must not know the calls that a session is used for.

import type { Context } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import { fail } from "../errors/index.js";
import {
  annotatorName,
  type Caller,
  type FeedbackStore,
  projectNames,
  type Role,
  roles,
} from "../feedback/index.js";
import { me } from "./answers/items.js";
import { readJson } from "./request-body.js";
import type { DescribedCall } from "./route.js";
import { CSRF_HEADER, guardCookie } from "./security.js";
import type { Site } from "./site.js";

/** Of a page's own session. */
export const SESSION_COOKIE = "attune_session";
const MOST_BYTES = 4096;
const WEEK_SECONDS = 7 * 86_400;

/** Whom a page works for. */
export interface Me {
  readonly role: Role;
  /** Those that the token opens. */
  readonly projects: readonly { readonly project: string; readonly name: string }[];
  /** Absent: the token belongs to nobody who judges. */
  readonly annotator?: string;
  readonly name?: string;
}

const tokenBody = z.strictObject({ token: z.string().min(1).max(200) });

const csrf = {
  needsHeaders: true,
  headers: { [CSRF_HEADER]: "any text: a page of another service cannot send it" },
  ofProject: false,
} as const;

export const sessionCalls: readonly DescribedCall[] = [
  {
    method: "post",
    path: "/v1/session",
    roles: [],
    summary: "A page's token becomes a cookie that its scripts cannot read",
    body: tokenBody,
    answers: me,
    ...csrf,
  },
  {
    method: "delete",
    path: "/v1/session",
    roles: [],
    summary: "The cookie goes",
    answers: "nothing",
    ...csrf,
  },
  {
    method: "get",
    path: "/v1/me",
    roles,
    summary: "Whom a token stands for, and the projects that it opens",
    answers: me,
    ofProject: false,
  },
];

/** @throws ATTUNE_AUTH for what is no token that is in use */
export async function beginSession(
  context: Context,
  site: Site,
  callerOf: (token: string) => Promise<Caller | undefined>,
): Promise<Caller> {
  guardCookie(context.req.raw, site.publicUrl?.host);
  const read = tokenBody.safeParse((await readJson(context.req.raw, { mostBytes: MOST_BYTES })).value);
  if (!read.success)
    throw fail("ATTUNE_REQUEST", "Expected a body of { token }.", { details: { field: "token" } });
  const caller = await callerOf(read.data.token);
  if (caller === undefined)
    throw fail("ATTUNE_AUTH", "Expected a token that is in use. Ask whoever invited you for a new link.");
  setCookie(context, SESSION_COOKIE, read.data.token, {
    ...attributesOf(context, site),
    maxAge: WEEK_SECONDS,
  });
  return caller;
}

export function endSession(context: Context, site: Site): void {
  guardCookie(context.req.raw, site.publicUrl?.host);
  deleteCookie(context, SESSION_COOKIE, attributesOf(context, site));
}

/** Browsers keep a Secure cookie of plain HTTP on loopback at best: there nobody listens in. */
function attributesOf(context: Context, { basePath, publicUrl }: Site) {
  const forwarded = context.req.header("x-forwarded-proto");
  const protocols = [publicUrl?.protocol, new URL(context.req.url).protocol, `${forwarded}:`];
  const secure = protocols.includes("https:");
  return { path: basePath === "" ? "/" : basePath, httpOnly: true, sameSite: "Strict", secure } as const;
}

export async function meOf({ reading }: FeedbackStore, caller: Caller): Promise<Me> {
  const projects = await projectNames(reading, caller.project);
  const { role, annotator } = caller;
  if (annotator === undefined) return { role, projects };
  const [first] = projects;
  const name =
    first === undefined
      ? undefined
      : await annotatorName({ reading, project: caller.project ?? first.project, annotator });
  return { role, projects, annotator, ...(name === undefined ? {} : { name }) };
}
