// For whoever receives deliveries: whether one is what the service sent, just now and for the first time.
// Must not know the store; it needs nothing of this installation but the secret.

import { fail } from "../../errors/index.js";
import type { DeliveryBody } from "./delivery-body.js";
import { isSignedBy, webhookHeaders } from "./signature.js";

/** A delivery as it came, and the secret that must have signed it. */
export interface VerifyWebhook {
  /** As they came: a Headers object, or those of a node:http request. */
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** As it came, before anything has read or written it anew. */
  readonly body: string | Uint8Array;
  readonly secret: string;
  /** Milliseconds since 1970. Default Date.now(). */
  readonly now?: number;
  /**
   * Ids of deliveries that were dealt with, such as a Set. Whoever has dealt with one adds its id: not before, for what failed
   * comes again with the same id.
   */
  readonly seen?: { has(id: string): boolean };
}

/** A delivery that is genuine. */
export interface VerifiedWebhook {
  readonly id: string;
  readonly event: DeliveryBody;
}

/** An old delivery that somebody has recorded is not taken. */
const OLDEST_MS = 5 * 60_000;

/**
 * @throws ATTUNE_AUTH for what the service did not sign or signed more than five minutes ago, ATTUNE_REQUEST for what is no
 * delivery, ATTUNE_CONFLICT for one that was seen. `details.status` is what to answer: for one that was seen 200, as the
 * service would send it again otherwise.
 */
export function verifyWebhook({
  headers,
  body,
  secret,
  now = Date.now(),
  seen,
}: VerifyWebhook): VerifiedWebhook {
  const id = headerOf(headers, webhookHeaders.id);
  const time = headerOf(headers, webhookHeaders.time);
  const signatures = headerOf(headers, webhookHeaders.signature);
  if (!/^\d{1,15}$/.test(time)) throw refused(`Expected milliseconds in ${webhookHeaders.time}.`);
  if (!isSignedBy({ id, time, body }, signatures, secret))
    throw fail(
      "ATTUNE_AUTH",
      "Expected a delivery that is signed with this secret but the signature is another.",
      {
        details: { status: 401, field: webhookHeaders.signature },
      },
    );
  // Ahead as well: a clock that is wrong must not keep a delivery good for longer.
  if (Math.abs(now - Number(time)) > OLDEST_MS)
    throw fail("ATTUNE_AUTH", "Expected a delivery of the last five minutes. Is a clock wrong?", {
      details: { status: 401, field: webhookHeaders.time },
    });
  if (seen?.has(id) === true)
    throw fail("ATTUNE_CONFLICT", `Expected a new delivery but ${id} has been dealt with.`, {
      details: { status: 200, field: webhookHeaders.id },
    });
  try {
    const text = typeof body === "string" ? body : new TextDecoder("utf-8", { fatal: true }).decode(body);
    return { id, event: JSON.parse(text) as DeliveryBody };
  } catch {
    throw refused("Expected JSON in a delivery's body.");
  }
}

function refused(text: string) {
  return fail("ATTUNE_REQUEST", text, { details: { status: 400 } });
}

function headerOf(headers: VerifyWebhook["headers"], name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  if (typeof value === "string" && value !== "" && value.length <= 1000) return value;
  throw fail("ATTUNE_REQUEST", `Expected a header ${name}.`, { details: { status: 400, field: name } });
}
