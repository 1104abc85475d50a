// What every answer says to browsers, and which requests are let in before anybody is asked who they are: of a known host,
// and writes of the service's own page alone. Must not know routes.

import { fail } from "../errors/index.js";

/** Nothing but the service's own files; no inline scripts or styles; in no frame. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": contentSecurityPolicy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

export interface Guard {
  /** Names (with port) that the service answers to; a page of another name that points here is refused (DNS rebinding). */
  readonly hosts: ReadonlySet<string>;
}

/** Header that a page's own script sends with a cookie: another page's form cannot. */
export const CSRF_HEADER = "x-attune";

/** @throws ATTUNE_REQUEST */
export function guard(request: Request, { hosts }: Guard): void {
  const host = request.headers.get("host") ?? new URL(request.url).host;
  if (hosts.size > 0 && !hosts.has(host.toLowerCase()))
    throw fail(
      "ATTUNE_REQUEST",
      `Expected one of the service's hosts but received ${JSON.stringify(host)}.`,
      {
        details: { status: 421, field: "host" },
      },
    );
}

/**
 * Of a call that writes by a cookie, which a browser sends along for other pages too. `publicHost` is what browsers call the
 * service where a server in front calls it otherwise.
 * @throws ATTUNE_REQUEST
 */
export function guardCookie(request: Request, publicHost?: string): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  const origin = request.headers.get("origin");
  const host = request.headers.get("host") ?? new URL(request.url).host;
  const from = origin === null ? undefined : originHost(origin);
  const own = from !== undefined && (from === host || from === publicHost);
  if (own && request.headers.get(CSRF_HEADER) !== null) return;
  throw fail("ATTUNE_REQUEST", "Expected a call of the service's own page but it comes from elsewhere.", {
    details: { status: 403, field: "origin" },
  });
}

function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}
