// What routes ask of a call beyond what its schemas say. Must not know routes.

import { z } from "zod";
import { fail } from "../errors/index.js";
import { type Caller, isPlainText } from "../feedback/index.js";
import type { RouteCall } from "./route.js";

/** Of ids and names that people write. */
export const shortName = z
  .string()
  .min(1)
  .max(200)
  .refine(isPlainText, "expected one line without control characters");
export const MEBIBYTE = 2 ** 20;

/** The person behind a token. @throws ATTUNE_AUTH for a token that stands for nobody */
export function person({ caller }: RouteCall<unknown, unknown>): string {
  if (caller.annotator !== undefined) return caller.annotator;
  throw fail("ATTUNE_AUTH", "Expected a token that belongs to an annotator.", { details: { status: 403 } });
}

/** Whoever owns one project reaches no other. @throws ATTUNE_AUTH */
export function ownProject({ project: own }: Caller, project: string): void {
  if (own === undefined || own === project) return;
  const text = `Expected a token of every project but this one is of project ${JSON.stringify(own)} alone.`;
  throw fail("ATTUNE_AUTH", text, { details: { status: 403 } });
}

/** @throws ATTUNE_REQUEST without the header Idempotency-Key */
export function keyOf({ headers }: RouteCall<unknown, unknown>): string {
  const key = headers.get("idempotency-key") ?? "";
  if (key !== "" && key.length <= 200) return key;
  throw fail("ATTUNE_REQUEST", "Expected a header Idempotency-Key of 1 to 200 characters.", {
    details: { field: "idempotency-key" },
  });
}
