// What a delivery is signed with, and how: HMAC-SHA256 of `id.time.body`. Must not know the store or HTTP.

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Of every delivery; `time` is in milliseconds since 1970, of this attempt. */
export const webhookHeaders = {
  id: "attune-id",
  time: "attune-time",
  signature: "attune-signature",
} as const;

const VERSION = "v1";

export interface Signed {
  readonly id: string;
  readonly time: string;
  readonly body: string | Uint8Array;
}

export function makeWebhookSecret(): string {
  return `attune_hook_${randomBytes(32).toString("base64url")}`;
}

export function signatureOf({ id, time, body }: Signed, secret: string): string {
  const hash = createHmac("sha256", secret).update(`${id}.${time}.`).update(body);
  return `${VERSION}=${hash.digest("hex")}`;
}

/** Of several signatures, with blanks between, one must be right: a secret can be changed without a gap. */
export function isSignedBy(signed: Signed, signatures: string, secret: string): boolean {
  const right = Buffer.from(signatureOf(signed, secret));
  return signatures.split(" ").some((text) => {
    const given = Buffer.from(text);
    return given.length === right.length && timingSafeEqual(given, right);
  });
}
