// Ids and names in addresses and bodies: what no database or log can hold is refused before anybody looks for it.
// Must not know routes.

import type { Context } from "hono";
import { fail } from "../errors/index.js";
import { isPlainText } from "../feedback/index.js";

/** Of a part of a path or a query. */
const LONGEST = 2000;

/** @throws ATTUNE_REQUEST naming the part */
export function refuseBrokenNames(context: Context): void {
  const parts = { ...context.req.param(), ...context.req.query() } as Record<string, string>;
  for (const [field, value] of Object.entries(parts)) {
    if (value.length <= LONGEST && isPlainText(value)) continue;
    const text = `Expected at most ${LONGEST} characters of text, without control characters, for ${JSON.stringify(field)}.`;
    throw fail("ATTUNE_REQUEST", text, { details: { field } });
  }
}
